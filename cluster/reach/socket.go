package reach

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	icmpV4 = 1
	icmpV6 = 58 // the protocols' numbers (RFC 792, RFC 4443)

)

// OpenSocket returns a socket of the kernel: a raw one, which needs
// CAP_NET_RAW, else a ping socket, which net.ipv4.ping_group_range may allow.
func OpenSocket(v6 bool) (Socket, error) {
	networks, local := []string{"ip4:icmp", "udp4"}, "0.0.0.0"
	if v6 {
		networks, local = []string{"ip6:ipv6-icmp", "udp6"}, "::"
	}
	var errs []error
	for _, network := range networks {
		conn, err := icmp.ListenPacket(network, local)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s := &socket{conn: conn, v6: v6, raw: network[:2] == "ip", id: os.Getpid() & 0xffff}
		if err := s.prepare(); err != nil {
			return nil, errors.Join(fmt.Errorf("open a socket for pings: %w", err), conn.Close())
		}
		return s, nil
	}
	return nil, fmt.Errorf("open a socket for pings: %w (it takes CAP_NET_RAW, or the agent's group in net.ipv4.ping_group_range)", errors.Join(errs...))
}

// A socket asks through the kernel.
type socket struct {
	conn *icmp.PacketConn
	fd   syscall.RawConn
	v6   bool
	raw  bool
	id   int // in the questions of a raw socket; the kernel chooses a ping socket's
	seq  atomic.Uint32
}

// prepare lets only answers through, and asks to which address each was sent.
func (s *socket) prepare() error {
	if s.v6 {
		return s.prepare6()
	}
	p := s.conn.IPv4PacketConn()
	if err := s.bare(p.PacketConn); err != nil {
		return err
	}
	if s.raw {
		var f ipv4.ICMPFilter
		f.SetAll(true)
		f.Accept(ipv4.ICMPTypeEchoReply)
		if err := p.SetICMPFilter(&f); err != nil {
			return err
		}
	}
	return p.SetControlMessage(ipv4.FlagDst, true)
}

func (s *socket) prepare6() error {
	p := s.conn.IPv6PacketConn()
	if err := s.bare(p.PacketConn); err != nil {
		return err
	}
	if s.raw {
		var f ipv6.ICMPFilter
		f.SetAll(true)
		f.Accept(ipv6.ICMPTypeEchoReply)
		if err := p.SetICMPFilter(&f); err != nil {
			return err
		}
	}
	return p.SetControlMessage(ipv6.FlagDst, true)
}

// bare gives Ask the descriptor itself: the runtime's poller would wait while the
// socket's buffer is full, as it is with questions to a host that does not
// answer ARP, which the kernel keeps for some seconds.
func (s *socket) bare(c net.PacketConn) error {
	conn, ok := c.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a %T has no descriptor", c)
	}
	var err error
	s.fd, err = conn.SyscallConn()
	return err
}

// Ask implements Socket.
func (s *socket) Ask(to netip.Addr, data []byte) error {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: s.id, Seq: int(s.seq.Add(1) & 0xffff), Data: data}}
	if s.v6 {
		m.Type = ipv6.ICMPTypeEchoRequest // its checksum is the kernel's (RFC 3542, section 3.1)
	}
	b, err := m.Marshal(nil)
	if err != nil {
		return err
	}
	var sendErr error
	err = s.fd.Write(func(fd uintptr) bool {
		sendErr = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, sockaddr(to))
		return true
	})
	return errors.Join(err, sendErr)
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// Answer implements Socket. Whether the answer is to a question of this process
// its data tell, not its id: that is only 16 bits wide.
func (s *socket) Answer() (netip.Addr, []byte, error) {
	buf := make([]byte, 512)
	for {
		n, from, to, err := s.receive(buf)
		if err != nil {
			return netip.Addr{}, nil, err
		}
		if from == to { // this machine has the address itself
			continue
		}
		if data := s.echoed(buf[:n]); data != nil {
			return from, data, nil
		}
	}
}

func (s *socket) receive(buf []byte) (n int, from, to netip.Addr, err error) {
	var src net.Addr
	var dst net.IP
	if s.v6 {
		var cm *ipv6.ControlMessage
		if n, cm, src, err = s.conn.IPv6PacketConn().ReadFrom(buf); cm != nil {
			dst = cm.Dst
		}
	} else {
		var cm *ipv4.ControlMessage
		if n, cm, src, err = s.conn.IPv4PacketConn().ReadFrom(buf); cm != nil {
			dst = cm.Dst
		}
	}
	return n, plain(src), plain(&net.IPAddr{IP: dst}), err
}

// plain is a sender's address without port and zone.
func plain(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.IPAddr:
		ip = a.IP
	case *net.UDPAddr:
		ip = a.IP
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// echoed returns the data of an echo reply, or nil.
func (s *socket) echoed(b []byte) []byte {
	protocol := icmpV4
	if s.v6 {
		protocol = icmpV6
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
		return nil
	}
	if echo, ok := m.Body.(*icmp.Echo); ok {
		return echo.Data
	}
	return nil
}

// Close implements Socket.
func (s *socket) Close() error { return s.conn.Close() }
