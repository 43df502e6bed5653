package lab

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// forever is the end of a span that has not ended.
const forever = time.Duration(1<<63 - 1)

// presence records which host has which address on its links, from the
// kernel's own messages. Having an address is not yet answering for it: the
// kernel may have been told not to, or the cable may be cut.
type presence struct {
	mu    sync.Mutex
	spans map[netip.Addr][]Span // by beginning
}

func newPresence() *presence { return &presence{spans: map[netip.Addr][]Span{}} }

// follow records the addresses in a process's network namespace until the
// returned function is called, which waits for the last message.
func (p *presence) follow(host string, pid int) (stop func(), err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ns := netns.NsHandle(f.Fd())
	updates, done := make(chan netlink.AddrUpdate, 64), make(chan struct{})
	err = netlink.AddrSubscribeWithOptions(updates, done, netlink.AddrSubscribeOptions{Namespace: &ns, ListExisting: true})
	if err != nil {
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for u := range updates {
			if a, ok := netip.AddrFromSlice(u.LinkAddress.IP); ok {
				p.note(host, a.Unmap(), u.NewAddr, now())
			}
		}
	})
	return func() {
		close(done)
		reading.Wait()
		p.forget(host) // also what came after the power went
	}, nil
}

// note records that a host got an address, again or for the first time, or lost it.
func (p *presence) note(host string, a netip.Addr, added bool, at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	spans := p.spans[a]
	for i := range spans {
		if spans[i].Node == host && spans[i].To == forever {
			if !added {
				spans[i].To = at
			}
			return
		}
	}
	if added {
		p.spans[a] = append(spans, Span{Node: host, From: at, To: forever})
	}
}

// forget records that a host lost all its addresses.
func (p *presence) forget(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now()
	for _, spans := range p.spans {
		for i := range spans {
			if spans[i].Node == host && spans[i].To == forever {
				spans[i].To = at
			}
		}
	}
}

// between returns who had the address when.
func (p *presence) between(a netip.Addr, from, to time.Duration) []Span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return clip(p.spans[a], from, to)
}
