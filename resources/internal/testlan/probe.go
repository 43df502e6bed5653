package testlan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Ping sends one echo request from the host and reports whether it was
// answered in time.
func (h *Host) Ping(tb testing.TB, addr netip.Addr, timeout time.Duration) bool {
	tb.Helper()
	network, local, kind, proto := "ip4:icmp", "0.0.0.0", icmp.Type(ipv4.ICMPTypeEcho), 1
	if addr.Is6() {
		network, local, kind, proto = "ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest, 58
	}
	var conn *icmp.PacketConn
	h.Do(func() {
		c, err := icmp.ListenPacket(network, local)
		must(tb, err)
		conn = c
	})
	defer conn.Close()
	id := int(time.Now().UnixNano() & 0xffff)
	request := icmp.Message{Type: kind, Body: &icmp.Echo{ID: id, Data: []byte("quorate")}}
	b, err := request.Marshal(nil)
	must(tb, err)
	if _, err := conn.WriteTo(b, &net.IPAddr{IP: addr.AsSlice()}); err != nil {
		return false
	}
	return heard(conn, timeout, func(data []byte) bool {
		m, err := icmp.ParseMessage(proto, data)
		if err != nil {
			return false
		}
		echo, ok := m.Body.(*icmp.Echo)
		return ok && echo.ID == id && (m.Type == ipv4.ICMPTypeEchoReply || m.Type == ipv6.ICMPTypeEchoReply)
	})
}

// heard reports whether a message comes in time that is wanted. One that has come while
// this machine stood still is in time, too.
func heard(conn *icmp.PacketConn, timeout time.Duration, wanted func([]byte) bool) bool {
	buf := make([]byte, 1500)
	for _, more := range []time.Duration{timeout, time.Millisecond} {
		if conn.SetReadDeadline(time.Now().Add(more)) != nil {
			return false
		}
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				break
			}
			if wanted(buf[:n]) {
				return true
			}
		}
	}
	return false
}

// NDP asks from the host's link for an IPv6 address, and reports whether anybody
// answered in time.
func (h *Host) NDP(tb testing.TB, link string, addr netip.Addr, timeout time.Duration) bool {
	tb.Helper()
	var conn *icmp.PacketConn
	var out *net.Interface
	h.Do(func() {
		var err error
		out, err = net.InterfaceByName(link)
		must(tb, err)
		conn, err = icmp.ListenPacket("ip6:ipv6-icmp", "::")
		must(tb, err)
	})
	defer conn.Close()
	must(tb, conn.IPv6PacketConn().SetMulticastHopLimit(255)) // RFC 4861, section 7.1.1
	target := addr.As16()
	group := net.IP{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]} // RFC 4291, section 2.7.1
	request := slices.Concat([]byte{135, 0, 0, 0, 0, 0, 0, 0}, target[:], []byte{1, 1}, out.HardwareAddr)
	_, err := conn.WriteTo(request, &net.IPAddr{IP: group, Zone: link})
	must(tb, err)
	return heard(conn, timeout, func(data []byte) bool {
		return len(data) >= 24 && data[0] == 136 && bytes.Equal(data[8:24], target[:])
	})
}

// A Tap sees every frame that arrives on one link of a host.
type Tap struct {
	fd   int
	link int
	mac  net.HardwareAddr
}

// Tap listens on the host's link from now on.
func (h *Host) Tap(tb testing.TB, link string) *Tap {
	tb.Helper()
	tap := &Tap{}
	h.Do(func() {
		l, err := netlink.LinkByName(link)
		must(tb, err)
		tap.link, tap.mac = l.Attrs().Index, l.Attrs().HardwareAddr
		tap.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(swap(unix.ETH_P_ALL)))
		must(tb, err)
		must(tb, unix.Bind(tap.fd, &unix.SockaddrLinklayer{Protocol: swap(unix.ETH_P_ALL), Ifindex: tap.link}))
	})
	tb.Cleanup(func() { _ = unix.Close(tap.fd) })
	return tap
}

func swap(v uint16) uint16 { return v<<8 | v>>8 }

// MAC is the hardware address of the link.
func (t *Tap) MAC() net.HardwareAddr { return t.mac }

// Send sends a frame from the link.
func (t *Tap) Send(tb testing.TB, frame []byte) {
	tb.Helper()
	must(tb, unix.Sendto(t.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: t.link}))
}

// Next returns the next frame that wanted accepts, or nil when none came in time. One
// that has come while this machine stood still is in time, too.
func (t *Tap) Next(tb testing.TB, timeout time.Duration, wanted func(frame []byte) bool) []byte {
	tb.Helper()
	buf := make([]byte, 2048)
	for end := time.Now().Add(timeout); ; {
		left, flags := time.Until(end), 0
		if left <= 0 {
			left, flags = 0, unix.MSG_DONTWAIT
		}
		tv := unix.NsecToTimeval(left.Nanoseconds() + 1000)
		must(tb, unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
		n, from, err := unix.Recvfrom(t.fd, buf, flags)
		switch {
		case err == nil:
		case errors.Is(err, unix.EAGAIN) && left == 0:
			return nil
		default:
			continue // nothing came, or a signal did
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING && wanted(buf[:n]) {
			return bytes.Clone(buf[:n])
		}
	}
}

// ARP asks for an IPv4 address and reports whether anybody answered in time.
func (t *Tap) ARP(tb testing.TB, from, addr netip.Addr, timeout time.Duration) bool {
	tb.Helper()
	t.drain()
	t.Send(tb, ARPFrame(1, t.mac, from, addr))
	return t.Next(tb, timeout, func(f []byte) bool {
		return len(f) >= 42 && binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_ARP &&
			f[21] == 2 && bytes.Equal(f[28:32], addr.AsSlice())
	}) != nil
}

// DAD asks for an IPv6 address as a host does that is about to take it, and
// reports whether anybody answered in time.
func (t *Tap) DAD(tb testing.TB, addr netip.Addr, timeout time.Duration) bool {
	tb.Helper()
	t.drain()
	a := addr.As16()
	group := netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]}) // RFC 4291, section 2.7.1
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{TargetAddress: addr}, netip.IPv6Unspecified(), group)
	must(tb, err)
	t.Send(tb, slices.Concat(
		[]byte{0x33, 0x33, 0xff, a[13], a[14], a[15]}, t.mac, []byte{0x86, 0xdd},
		[]byte{0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255},
		netip.IPv6Unspecified().AsSlice(), group.AsSlice(), body,
	))
	return t.Next(tb, timeout, func(f []byte) bool {
		return len(f) >= 78 && binary.BigEndian.Uint16(f[12:]) == unix.ETH_P_IPV6 && f[54] == 136 && bytes.Equal(f[62:78], a[:])
	}) != nil
}

// drain drops the frames that have come: they answer earlier questions.
func (t *Tap) drain() {
	buf := make([]byte, 2048)
	for {
		if _, _, err := unix.Recvfrom(t.fd, buf, unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}

// ARPFrame is a broadcast ARP frame from one host about an address: operation
// 1 asks, 2 answers.
func ARPFrame(operation byte, mac net.HardwareAddr, sender, target netip.Addr) []byte {
	f := make([]byte, 0, 42)
	f = append(f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	f = append(f, mac...)
	f = append(f, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation)
	f = append(append(f, mac...), sender.AsSlice()...)
	return append(append(f, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
}
