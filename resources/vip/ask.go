package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// How a LAN is asked for an address. RFC 5227, section 2.1.1, sends as many
// probes, but a second or two apart, so as not to burden a whole site after a power
// cut. Here one host asks, and an outage lasts meanwhile.
//
// Two hosts that ask at the same time hear each other only by the second probe
// of either, so that there are never fewer.
const (
	probes        = 3
	probesAgain   = 2
	probeInterval = 40 * time.Millisecond
	probeWait     = 100 * time.Millisecond // for answers, after the last
	waitAgain     = 50 * time.Millisecond
)

// Ask implements [resources.Asker]. It asks on the interface on which Start
// would put the address: by ARP probes (RFC 5227, section 2.1.1), or as in the
// detection of duplicate addresses (RFC 4862, section 5.4). Neither enters the
// caches of neighbours.
//
// Any word of another host that the address is its own counts, answer or not;
// so does its own question for the address, if nothing worse is heard. The
// question ends with the first claim.
func (a *Agent) Ask(ctx context.Context, r *pb.Resource, again bool) (*resources.Claim, error) {
	w, err := parse(r)
	if err != nil {
		return nil, err
	}
	p, err := pick(w)
	if err != nil {
		return nil, err
	}
	attrs := p.link.Attrs()
	switch {
	case attrs.Flags&unix.IFF_LOOPBACK != 0:
		return nil, nil // no other host has an address there
	case attrs.RawFlags&unix.IFF_NOARP != 0 || len(attrs.HardwareAddr) != 6:
		return nil, fmt.Errorf("ask for %s on %s: it has no neighbours that could answer", w.addr, attrs.Name)
	}
	if err := p.usable(); err != nil {
		return nil, fmt.Errorf("ask for %s: %w", w.addr, err)
	}
	q, err := newQuestion(p.link, w.addr)
	if err != nil {
		return nil, fmt.Errorf("ask for %s on %s: %w", w.addr, attrs.Name, err)
	}
	times, wait := probes, probeWait
	if again {
		times, wait = probesAgain, waitAgain
	}
	claim, err := q.put(ctx, times, wait, func() error { return a.out.send(attrs.Index, [][]byte{q.frame}) })
	a.late.Go(q.close) // to close a socket takes the kernel some 10 ms
	if err != nil {
		return nil, fmt.Errorf("ask for %s on %s: %w", w.addr, attrs.Name, err)
	}
	return claim, nil
}

// A question is one probe, and a socket on which the kernel passes nothing but
// what may be an answer.
type question struct {
	addr  netip.Addr
	link  string
	own   []net.HardwareAddr // of this host
	frame []byte
	file  *os.File
	group int // IPv6: a socket that keeps the group of those who ask; else -1
}

func newQuestion(link netlink.Link, addr netip.Addr) (*question, error) {
	q := &question{addr: addr, link: link.Attrs().Name, group: -1}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		q.own = append(q.own, l.Attrs().HardwareAddr)
	}
	filter, protocol := askARP(addr), uint16(unix.ETH_P_ARP)
	q.frame = probeARP(link.Attrs().HardwareAddr, addr)
	if !addr.Is4() {
		filter, protocol = askNDP(addr), unix.ETH_P_IPV6
		if q.frame, err = solicitation(link.Attrs().HardwareAddr, addr); err != nil {
			return nil, err
		}
		if q.group, err = joinSolicited(link.Attrs().Index, addr); err != nil {
			return nil, err
		}
	}
	fd, err := listenPackets(link.Attrs().Index, protocol, filter)
	if err != nil {
		return nil, errors.Join(err, q.leave())
	}
	q.file = os.NewFile(uintptr(fd), "question")
	return q, nil
}

func (q *question) close() { _ = errors.Join(q.file.Close(), q.leave()) }

func (q *question) leave() error {
	if q.group < 0 {
		return nil
	}
	return unix.Close(q.group)
}

// put sends the probes and hears what is said until a while after the last.
func (q *question) put(ctx context.Context, times int, wait time.Duration, send func() error) (*resources.Claim, error) {
	var asking *resources.Claim
	for n := range times {
		if err := send(); err != nil {
			return nil, err
		}
		until := time.Now().Add(probeInterval)
		if n == times-1 {
			until = time.Now().Add(wait)
		}
		claim, err := q.hear(ctx, until)
		switch {
		case err != nil:
			return nil, err
		case claim != nil && !claim.Asking:
			return claim, nil
		case claim != nil:
			asking = claim
		}
	}
	return asking, nil
}

// hear returns the first claim before a time, and a question of another host
// only if there is no claim.
func (q *question) hear(ctx context.Context, until time.Time) (*resources.Claim, error) {
	stop := context.AfterFunc(ctx, func() { _ = q.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := q.file.SetReadDeadline(until); err != nil {
		return nil, err
	}
	var asking *resources.Claim
	buf := make([]byte, 1500)
	for {
		n, err := q.file.Read(buf)
		over := errors.Is(err, os.ErrDeadlineExceeded)
		if over {
			n, err = q.heard(buf)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case over && errors.Is(err, unix.EAGAIN):
			return asking, nil
		case err != nil:
			return nil, err
		}
		claim := q.claim(buf[:n])
		switch {
		case claim == nil:
		case !claim.Asking:
			return claim, nil
		default:
			asking = claim
		}
	}
}

// heard reads a frame that came before the time was over, and was not read because
// this machine stood still then.
func (q *question) heard(buf []byte) (n int, err error) {
	raw, err := q.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	controlErr := raw.Control(func(fd uintptr) { n, _, err = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT) })
	return n, errors.Join(controlErr, err)
}

// claim reads a frame.
func (q *question) claim(f []byte) *resources.Claim {
	if len(f) < arpLength {
		return nil
	}
	by, asking := net.HardwareAddr(bytes.Clone(f[6:12])), false
	if q.addr.Is4() {
		by = net.HardwareAddr(bytes.Clone(f[arpSenderMAC:arpSenderIP]))
		asking = !bytes.Equal(f[arpSenderIP:arpSenderIP+4], q.addr.AsSlice())
		if asking && (!bytes.Equal(f[arpSenderIP:arpSenderIP+4], []byte{0, 0, 0, 0}) || f[arpOperation] != arpRequest) {
			return nil // a client asks where it is
		}
	} else {
		asking = f[ndpType] == neighborSolicitation
		if asking && !bytes.Equal(f[ip6SourceAt:ip6SourceAt+16], netip.IPv6Unspecified().AsSlice()) {
			return nil
		}
	}
	if slices.ContainsFunc(q.own, func(m net.HardwareAddr) bool { return bytes.Equal(m, by) }) {
		return nil
	}
	return &resources.Claim{By: by.String(), Asking: asking, Address: q.addr.String(), Link: q.link}
}

// Where the rest of a frame says what.
const (
	arpOperation = 21
	arpTargetIP  = 38
	ip6Next      = 20
	ip6SourceAt  = 22
	ndpType      = 54
	ndpTarget    = 62
	ndpLength    = 78

	neighborSolicitation  = 135
	neighborAdvertisement = 136
)

// probeARP is an ARP probe: a request without a sender's address, so that nobody
// learns anything from it (RFC 5227, section 2.1.1).
func probeARP(mac net.HardwareAddr, addr netip.Addr) []byte {
	f := ethernet(broadcastMAC, mac, unix.ETH_P_ARP)
	f = append(f, 0, 1, 0x08, 0x00, 6, 4, 0, arpRequest)
	f = append(append(f, mac...), 0, 0, 0, 0)
	return append(append(f, 0, 0, 0, 0, 0, 0), addr.AsSlice()...)
}

// askARP lets pass what names the address as its sender's or as the one asked
// for.
func askARP(addr netip.Addr) []bpf.Instruction {
	ip := word(addr.AsSlice())
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: arpSenderIP, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip, SkipTrue: 2},
		bpf.LoadAbsolute{Off: arpTargetIP, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ip, SkipFalse: 1},
		bpf.RetConstant{Val: arpLength},
		bpf.RetConstant{Val: 0},
	}
}

func word(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// askNDP lets pass neighbour solicitations and advertisements whose target is
// the address.
func askNDP(addr netip.Addr) []bpf.Instruction {
	ip := addr.AsSlice()
	list := []bpf.Instruction{
		bpf.LoadAbsolute{Off: ip6Next, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 12},
		bpf.LoadAbsolute{Off: ndpType, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: neighborAdvertisement, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: neighborSolicitation, SkipTrue: 9},
	}
	for i := range 4 {
		list = append(list,
			bpf.LoadAbsolute{Off: uint32(ndpTarget + 4*i), Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: word(ip[4*i:]), SkipTrue: uint8(7 - 2*i)},
		)
	}
	return append(list, bpf.RetConstant{Val: 1500}, bpf.RetConstant{Val: 0})
}

// solicited is the multicast group of an address (RFC 4291, section 2.7.1).
func solicited(addr netip.Addr) netip.Addr {
	a := addr.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
}

// solicitation asks for an IPv6 address from the unspecified one, as a host does
// before it takes it (RFC 4862, section 5.4.2).
func solicitation(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) {
	group := solicited(addr)
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{TargetAddress: addr}, netip.IPv6Unspecified(), group)
	if err != nil {
		return nil, err
	}
	g := group.As16()
	return packet6(net.HardwareAddr{0x33, 0x33, g[12], g[13], g[14], g[15]}, mac, netip.IPv6Unspecified(), group, body), nil
}

// packet6 is a message of ICMPv6 in its frame (RFC 8200, section 3; RFC 4861,
// section 7.1.1: hop limit 255).
func packet6(to, mac net.HardwareAddr, from, group netip.Addr, body []byte) []byte {
	f := ethernet(to, mac, unix.ETH_P_IPV6)
	f = append(f, 0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255)
	f = append(append(f, from.AsSlice()...), group.AsSlice()...)
	return append(f, body...)
}

// joinSolicited joins the group in which another host would ask for the address
// too (RFC 4862, section 5.4.2), so that bridges pass its question on.
func joinSolicited(link int, addr netip.Addr) (int, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
		&unix.IPv6Mreq{Multiaddr: solicited(addr).As16(), Interface: uint32(link)})
	return closeUnless(fd, err)
}

// listenPackets opens a socket for the frames of one protocol on a link. It does
// not hear what this host sends.
func listenPackets(link int, protocol uint16, filter []bpf.Instruction) (int, error) {
	program, err := bpf.Assemble(filter)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	err = attach(fd, program)
	if err == nil { // only now, so that nothing unfiltered is queued
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: link})
	}
	return closeUnless(fd, err)
}
