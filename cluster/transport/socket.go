package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	userTimeout  = 2 * time.Second // sent and not acknowledged for so long: the connection is dead
	socketBuffer = 1 << 20
)

// keepAlive finds a dead peer of an idle connection in 4 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}

// tuneTCP sets what the net package does not. Go sets TCP_NODELAY by itself.
func tuneTCP(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	}); e != nil {
		return fmt.Errorf("tune TCP: %w", e)
	}
	return err
}

// listenTCP makes a listener whose connections inherit the tuning.
func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{Control: tuneTCP, KeepAliveConfig: keepAlive}).Listen(ctx, "tcp", address)
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{Control: tuneTCP, KeepAliveConfig: keepAlive}).DialContext(ctx, "tcp", address)
}

// A udpSocket sends without ever waiting. That matters: datagrams for a dead
// neighbor stay charged to the socket while the kernel asks for its hardware
// address, and a full buffer must not hold up those for the living.
type udpSocket struct {
	*net.UDPConn
	raw  syscall.RawConn
	inet bool // IPv4 only
}

func listenUDP(ctx context.Context, address string) (*udpSocket, error) {
	packet, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	conn := packet.(*net.UDPConn)
	s := &udpSocket{UDPConn: conn}
	if s.raw, err = conn.SyscallConn(); err == nil {
		err = s.tune()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tune UDP: %w", err), conn.Close())
	}
	return s, nil
}

func (s *udpSocket) tune() error {
	if err := s.SetReadBuffer(socketBuffer); err != nil { // the kernel gives what it allows
		return err
	}
	if err := s.SetWriteBuffer(socketBuffer); err != nil {
		return err
	}
	var domain int
	var err error
	if e := s.raw.Control(func(fd uintptr) {
		domain, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	}); e != nil {
		return e
	}
	s.inet = domain == unix.AF_INET
	return err
}

// A target is where datagrams go. It is made once and used often.
type target struct {
	addr netip.AddrPort
	raw  unix.Sockaddr // used by send alone, one at a time
}

// target is nil for an address that this socket cannot reach.
func (s *udpSocket) target(addr netip.AddrPort) *target {
	addr = unmap(addr)
	if s.inet && !addr.Addr().Is4() {
		return nil
	}
	if s.inet {
		return &target{addr, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}}
	}
	raw := &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if i, err := net.InterfaceByName(addr.Addr().Zone()); err == nil {
		raw.ZoneId = uint32(i.Index)
	}
	return &target{addr, raw}
}

// send returns at once: a full buffer is an error, and the datagram is lost.
func (s *udpSocket) send(to *target, packet []byte) error {
	if to == nil {
		return unix.EAFNOSUPPORT
	}
	var err error
	if e := s.raw.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), packet, unix.MSG_DONTWAIT, to.raw)
		return true // also when the buffer is full: never wait
	}); e != nil {
		return e
	}
	return err
}
