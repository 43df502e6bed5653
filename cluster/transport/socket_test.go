package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// option reads a socket option of a connection.
func option(t *testing.T, c net.Conn, level, name int) int {
	t.Helper()
	raw, err := c.(*tls.Conn).NetConn().(*stream).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var value int
	if e := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), level, name) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return value
}

func TestConnectionsNoticeADeadPeerSoon(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	listener := b.Listener(ALPNRaft)
	dialed, err := a.Dial(soon(t), b.id.ID(), ALPNRaft)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for name, c := range map[string]net.Conn{"dialed": dialed, "accepted": accepted} {
		if got := option(t, c, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != int(userTimeout.Milliseconds()) {
			t.Errorf("%s: TCP_USER_TIMEOUT %d ms", name, got)
		}
		if got := option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); got != int(keepAlive.Idle.Seconds()) {
			t.Errorf("%s: TCP_KEEPIDLE %d s", name, got)
		}
		if option(t, c, unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
			t.Errorf("%s: no TCP_NODELAY", name)
		}
	}
}

// One socket serves both families when the listen address names no host.
func TestDatagramsOverBothFamilies(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			if c, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
				t.Skipf("SKIPPED: this machine has no %s: %v", host, err)
			} else {
				c.Close()
			}
			ids := cluster(t, 2)
			l := newLab(t)
			a, b := l.start(ids[0], ":0"), l.start(ids[1], ":0")
			l.mu.Lock()
			for id, at := range l.at {
				l.at[id] = netip.AddrPortFrom(netip.MustParseAddr(host), netip.MustParseAddrPort(at).Port()).String()
			}
			l.mu.Unlock()
			exchangeDatagrams(t, a, b)
		})
	}
}

func TestSocketRefusesWhatItCannotReach(t *testing.T) {
	s, err := listenUDP(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.target(netip.MustParseAddrPort("[fd00::1]:7788")); got != nil {
		t.Errorf("an IPv4 socket took %v", got.addr)
	}
	if err := s.send(nil, []byte("x")); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("sent nowhere: %v", err)
	}
}
