package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A stream is a TCP connection that was made with as few calls of the kernel as
// can be. Package net makes seven more for each one (it binds, sets options that a
// short question does not need, and asks for both ends' addresses), which is a fifth
// of what a check costs.
type stream struct {
	file *os.File // waits in the runtime's poller, as package net's connections do
	at   netip.AddrPort
}

var _ net.Conn = stream{}

func (s stream) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	return n, nameless(err)
}

func (s stream) Write(b []byte) (int, error) {
	n, err := s.file.Write(b)
	return n, nameless(err)
}

func (s stream) Close() error                       { return s.file.Close() }
func (s stream) SetDeadline(t time.Time) error      { return s.file.SetDeadline(t) }
func (s stream) SetReadDeadline(t time.Time) error  { return s.file.SetReadDeadline(t) }
func (s stream) SetWriteDeadline(t time.Time) error { return s.file.SetWriteDeadline(t) }
func (s stream) RemoteAddr() net.Addr               { return net.TCPAddrFromAddrPort(s.at) }

// LocalAddr returns no address: the kernel chose it, and nobody asks.
func (s stream) LocalAddr() net.Addr { return &net.TCPAddr{} }

// nameless is an error of package os without the file's name, since there is no file.
func nameless(err error) error {
	if named, ok := errors.AsType[*fs.PathError](err); ok {
		return named.Err
	}
	return err
}

// dialStream connects, from an address if one is given. The connection's deadline is
// that of ctx.
func dialStream(ctx context.Context, from netip.Addr, at netip.AddrPort) (net.Conn, error) {
	family, to, err := sockaddr(at)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	if err := bindTo(fd, from); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return nil, err
	}
	s := stream{os.NewFile(uintptr(fd), "connection"), at}
	if deadline, ok := ctx.Deadline(); ok {
		err = s.SetDeadline(deadline)
	}
	if err == nil {
		err = s.await(ctx, to)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// bindTo lets a socket have an address of this host, and whatever port is free when it
// connects (ip(7), IP_BIND_ADDRESS_NO_PORT).
func bindTo(fd int, from netip.Addr) error {
	if !from.IsValid() {
		return nil
	}
	_, own, err := sockaddr(netip.AddrPortFrom(from, 0))
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, own)
}

// await returns when the connection stands, or why it does not: connect(2) of a
// socket that is being connected fails with EALREADY, and afterwards tells how that
// went.
func (s stream) await(ctx context.Context, to unix.Sockaddr) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := func() bool { return true }
	defer func() { stop() }()
	var outcome error
	asked := false
	err = raw.Write(func(fd uintptr) bool {
		outcome = unix.Connect(int(fd), to)
		if outcome != unix.EALREADY {
			return true
		}
		if !asked { // most connections need no wait, and so no watch of ctx
			asked, stop = true, during(ctx, s)
		}
		return false
	})
	if err == nil && outcome != nil && outcome != unix.EISCONN {
		err = outcome
	}
	return err
}

// sockaddr is an address as the kernel takes it.
func sockaddr(at netip.AddrPort) (family int, to unix.Sockaddr, err error) {
	addr := at.Addr().Unmap()
	if addr.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr.As4()}, nil
	}
	six := &unix.SockaddrInet6{Port: int(at.Port()), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return 0, nil, fmt.Errorf("interface %s: %w", zone, err)
		}
		six.ZoneId = uint32(link.Index)
	}
	return unix.AF_INET6, six, nil
}

// during closes a connection when ctx is canceled before its deadline, so that
// a check that is taken back does not go on. The returned func ends that.
func during(ctx context.Context, conn net.Conn) (end func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}
