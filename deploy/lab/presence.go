package lab

import (
	"net/netip"
	"sync"
	"time"
)

// forever is the end of a span that has not ended.
const forever = time.Duration(1<<63 - 1)

// presence records which host has which address on its links, and until when
// its kernel's guard admits it, by the kernels' own messages (see [kernels]).
// Having an address is not yet serving it: that takes both.
type presence struct {
	mu     sync.Mutex
	hosts  map[string]*hostAddresses
	had    map[netip.Addr][]Span // by beginning
	served map[netip.Addr][]Span
	missed int // times that a kernel had more to say than was read
}

// hostAddresses is what a host's kernel has said so far.
type hostAddresses struct {
	present  map[netip.Addr]bool
	inet     guardTable
	arp      guardTable
	touching map[netip.Addr]bool // what the messages not yet settled are about
}

func newPresence() *presence {
	return &presence{hosts: map[string]*hostAddresses{}, had: map[netip.Addr][]Span{}, served: map[netip.Addr][]Span{}}
}

// of returns what is known of a host. p.mu is held.
func (p *presence) of(host string) *hostAddresses {
	if h, ok := p.hosts[host]; ok {
		return h
	}
	h := &hostAddresses{present: map[netip.Addr]bool{}, touching: map[netip.Addr]bool{}}
	p.hosts[host] = h
	return h
}

// settle records what follows from all messages up to a moment.
func (p *presence) settle(at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, h := range p.hosts {
		for a := range h.touching {
			has, serves := time.Duration(0), time.Duration(0)
			if h.present[a] {
				has, serves = forever, h.admits(a)
			}
			p.had[a] = hold(p.had[a], name, has, at)
			p.served[a] = hold(p.served[a], name, serves, at)
		}
		clear(h.touching)
	}
}

// hold notes at a moment until when a host has something; until is earlier than
// at if it has not.
func hold(spans []Span, host string, until, at time.Duration) []Span {
	for i := len(spans) - 1; i >= 0; i-- {
		if spans[i].Node != host {
			continue
		}
		if spans[i].To >= at {
			spans[i].To = max(until, at)
			return spans
		}
		break
	}
	if until > at {
		spans = append(spans, Span{Node: host, From: at, To: until})
	}
	return spans
}

// admits returns until when the kernel lets an address speak; one that the guard
// does not manage, forever. An address of IPv4 speaks while either table lets it.
func (h *hostAddresses) admits(a netip.Addr) time.Duration {
	until := h.inet.admits(a)
	if a.Is4() {
		until = max(until, h.arp.admits(a))
	}
	return until
}

// forget records that a host lost all its addresses.
func (p *presence) forget(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now()
	for _, all := range []map[netip.Addr][]Span{p.had, p.served} {
		for a := range all {
			all[a] = hold(all[a], host, 0, at)
		}
	}
	delete(p.hosts, host)
}

// between returns who had the address when, and who served it.
func (p *presence) between(a netip.Addr, from, to time.Duration) (had, served []Span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return clip(p.had[a], from, to), clip(p.served[a], from, to)
}
