package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"quorate/cluster/identity"
)

const (
	handshakeTimeout = 5 * time.Second
	acceptQueue      = 64
	acceptRetry      = 50 * time.Millisecond // after an error such as too many open files
)

// Listener serves an ALPN: from now on its connections are accepted. Accept
// returns *tls.Conn whose handshake is done and whose other end may use it.
// There is one listener an ALPN; asking again returns the same until it is closed.
func (t *Transport) Listener(alpn string) net.Listener {
	mustKnow(alpn)
	return t.listeners.open(t, alpn)
}

// listeners are what the ALPNs lead to.
type listeners struct {
	mu     sync.Mutex
	byALPN map[string]*listener
	closed bool
}

func (s *listeners) open(t *Transport, alpn string) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.byALPN[alpn]; l != nil {
		return l
	}
	l := &listener{owner: s, alpn: alpn, conns: make(chan *tls.Conn, acceptQueue), done: make(chan struct{}), transport: t}
	if s.closed {
		close(l.done)
		return l
	}
	if s.byALPN == nil {
		s.byALPN = map[string]*listener{}
	}
	s.byALPN[alpn] = l
	return l
}

func (s *listeners) get(alpn string) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byALPN[alpn]
}

func (s *listeners) serves(alpn string) bool { return s.get(alpn) != nil }

func (s *listeners) closeAll() {
	s.mu.Lock()
	s.closed = true
	all := s.byALPN
	s.byALPN = nil
	s.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

// A listener is one ALPN's queue of finished handshakes.
type listener struct {
	owner     *listeners
	transport *Transport
	alpn      string
	conns     chan *tls.Conn
	done      chan struct{}
	once      sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, fmt.Errorf("accept %s: %w", l.alpn, net.ErrClosed)
	}
}

// Close ends this ALPN: callers are refused in the handshake from now on.
func (l *listener) Close() error {
	l.owner.mu.Lock()
	if l.owner.byALPN[l.alpn] == l {
		delete(l.owner.byALPN, l.alpn)
	}
	l.owner.mu.Unlock()
	l.close()
	return nil
}

func (l *listener) close() {
	l.once.Do(func() { close(l.done) })
	for {
		select {
		case c := <-l.conns:
			c.Close()
		default:
			return
		}
	}
}

// Addr names the node, not the place: addresses may change.
func (l *listener) Addr() net.Addr { return nodeAddr(l.transport.Identity.ID()) }

// deliver hands a connection over, or closes it when nobody takes it.
func (l *listener) deliver(c *tls.Conn) {
	select {
	case <-l.done:
		c.Close()
	case l.conns <- c:
		select {
		case <-l.done: // closed meanwhile: nobody will take it
			l.close()
		default:
		}
	default: // the queue is full: the owner is stuck
		c.Close()
	}
}

// nodeAddr is a node's id as a net.Addr.
type nodeAddr string

func (a nodeAddr) Network() string { return "quorate" }
func (a nodeAddr) String() string  { return string(a) }

func (t *Transport) acceptLoop(ctx context.Context, tcp net.Listener) error {
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
	for {
		c, err := tcp.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return nil
		}
		if err != nil {
			t.Log.Warn("accept a connection", "err", err)
			pause(ctx, acceptRetry)
			continue
		}
		handshakes.Go(func() { t.greet(ctx, c) })
	}
}

// greet does the handshake and hands the connection to its listener.
func (t *Transport) greet(ctx context.Context, raw net.Conn) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c := tls.Server(&stream{Conn: raw}, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: t.serverConfig})
	if err := c.HandshakeContext(ctx); err != nil {
		t.logRefusal(raw.RemoteAddr(), err)
		raw.Close()
		return
	}
	l := t.listeners.get(c.ConnectionState().NegotiatedProtocol)
	if l == nil {
		c.Close()
		return
	}
	t.recognize(c)
	l.deliver(c)
}

// recognize lets a stream from a member end with its link. The connection of a
// session does not: it is there to tell the end of the other process.
func (t *Transport) recognize(c *tls.Conn) {
	cs := c.ConnectionState()
	if cs.NegotiatedProtocol == alpnKeys {
		return
	}
	if p, err := t.Identity.Verify(cs); err == nil && p.Node != "" {
		t.peer(p.Node).enlist(c)
	}
}

// logRefusal is loud, though not often, about what an operator has to mend, and
// quiet about the noise that any open port hears.
func (t *Transport) logRefusal(from net.Addr, err error) {
	level := slog.LevelDebug
	var other *identity.OtherClusterError
	switch {
	case errors.As(err, &other):
		level = slog.LevelWarn
	case isAlert(err, alertBadCertificate):
		level = slog.LevelWarn
		err = fmt.Errorf("the other end refuses this node's certificate, it may be in another cluster: %w", err)
	}
	if level == slog.LevelWarn && !t.warnings.allow(t.elapsed()) {
		level = slog.LevelDebug
	}
	t.Log.Log(context.Background(), level, "refused a connection", "address", from.String(), "err", err)
}

const warnEvery = 10 * time.Second

// A warnLimit keeps a machine that tries again and again from filling the log.
type warnLimit struct {
	mu   sync.Mutex
	next time.Duration
}

func (l *warnLimit) allow(now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now < l.next {
		return false
	}
	l.next = now + warnEvery
	return true
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
