package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// kernels listens to what the kernels of all hosts say of their addresses and of
// the guard's tables, from before anything runs there, and records it.
//
// All messages that can be read at one moment count as of that moment: what one
// host lost before another got it is never read after it, however busy the
// machine is. So a double service that is recorded was one; one that is shorter
// than the reading was late may be missed.
type kernels struct {
	record *presence
	epoll  int

	mu      sync.Mutex // held over a reading of all sockets
	sockets map[int]ear
}

// An ear is one socket in a host's network namespace.
type ear struct {
	host   string
	socket *nl.NetlinkSocket
	hear   func(*hostAddresses, syscall.NetlinkMessage)
}

func newKernels(record *presence) (*kernels, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &kernels{record: record, epoll: epoll, sockets: map[int]ear{}}, nil
}

// nftablesGroup is NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h.
const nftablesGroup = 7

// follow listens in a process's network namespace until the returned function
// is called.
func (k *kernels) follow(host string, pid int) (stop func(), err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ns := netns.NsHandle(f.Fd())
	addresses, err := nl.SubscribeAt(ns, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	guard, err := nl.SubscribeAt(ns, netns.None(), unix.NETLINK_NETFILTER, nftablesGroup)
	if err != nil {
		addresses.Close()
		return nil, fmt.Errorf("watch the guard: %w", err)
	}
	ears := []ear{{host, addresses, hearAddress}, {host, guard, hearGuard}}
	for _, e := range ears {
		if err := k.add(e); err != nil {
			k.drop(ears)
			return nil, err
		}
	}
	return func() { k.drop(ears) }, nil
}

// buffer is what a kernel may have to say while it is not listened to: two
// seconds of one that renews ten leases. The system allows it to root only.
const buffer = 4 << 20

func (k *kernels) add(e ear) error {
	if e.socket.SetReceiveBufferSize(buffer, true) != nil {
		_ = e.socket.SetReceiveBufferSize(buffer, false) // as much as is allowed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	fd := e.socket.GetFd()
	k.sockets[fd] = e
	return unix.EpollCtl(k.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (k *kernels) drop(ears []ear) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range ears {
		delete(k.sockets, e.socket.GetFd())
		e.socket.Close()
	}
}

// Run records what it hears until ctx ends.
func (k *kernels) Run(ctx context.Context) error {
	hurry()
	defer func() { _ = unix.Close(k.epoll) }()
	events := make([]unix.EpollEvent, 8)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(k.epoll, events, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		if n > 0 {
			k.listen()
		}
	}
	return nil
}

// listen reads all sockets until none has anything to say.
func (k *kernels) listen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for heard := true; heard; {
		heard = false
		for fd, e := range k.sockets {
			heard = k.read(fd, e) || heard
		}
	}
	k.record.settle(now())
}

// read takes all that one socket has. k.mu is held.
func (k *kernels) read(fd int, e ear) (heard bool) {
	packet := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, packet, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			k.record.miss()
		case err != nil:
			return heard
		default:
			heard = true
			k.record.hear(e, packet[:n])
		}
	}
}

// hear takes one packet.
func (p *presence) hear(e ear, packet []byte) {
	messages, err := syscall.ParseNetlinkMessage(packet)
	if err != nil {
		p.miss()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		e.hear(p.of(e.host), m)
	}
}

func (p *presence) miss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed++
}

func (p *presence) misses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missed
}

// hearAddress takes one message of rtnetlink(7).
func hearAddress(h *hostAddresses, m syscall.NetlinkMessage) {
	added := m.Header.Type == unix.RTM_NEWADDR
	if !added && m.Header.Type != unix.RTM_DELADDR || len(m.Data) < unix.SizeofIfAddrmsg {
		return
	}
	parts := m.Data[unix.SizeofIfAddrmsg:]
	raw := find(parts, unix.IFA_LOCAL)
	if raw == nil { // IPv6 has but this
		raw = find(parts, unix.IFA_ADDRESS)
	}
	if a, ok := netip.AddrFromSlice(raw); ok {
		h.touching[a] = true
		h.present[a] = added
	}
}

// hearGuard takes one message of nftables.
func hearGuard(h *hostAddresses, m syscall.NetlinkMessage) {
	const header = 4 // struct nfgenmsg
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES || len(m.Data) < header {
		return
	}
	table := map[byte]*guardTable{unix.NFPROTO_INET: &h.inet, unix.NFPROTO_ARP: &h.arp}[m.Data[0]]
	if table != nil {
		table.note(m.Header.Type&0xff, m.Data[header:], func(a netip.Addr) { h.touching[a] = true })
	}
}
