package transport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	minBackoff   = 10 * time.Millisecond
	maxBackoff   = time.Second
	agreeTimeout = 2 * time.Second
	pingEvery    = 500 * time.Millisecond
	silence      = time.Second      // nothing heard for so long: try a new session
	idleAfter    = time.Minute      // without a SendDatagram the keeper ends
	acceptEnded  = 10 * time.Second // a replaced session's datagrams, on their way or from a slower peer
	confirmation = 1                // what the acceptor writes when it knows the keys
)

// Session keeping. Each node that sends to another dials it, and both derive a
// session's keys from that connection. So most pairs have two sessions and need
// but one; each end sends with the youngest that works.

// startKeeper runs a keeper for the peer unless one runs.
func (t *Transport) startKeeper(p *peer) {
	if p.kept.CompareAndSwap(false, true) {
		t.tasks.start(func(ctx context.Context) { t.keep(ctx, p) })
	}
}

// keep holds a session with the peer for as long as datagrams are sent to it.
func (t *Transport) keep(ctx context.Context, p *peer) {
	defer p.kept.Store(false)
	var current *session
	defer func() {
		if current != nil {
			t.end(current)
		}
	}()
	for backoff := time.Duration(0); ctx.Err() == nil && !t.idle(p); {
		if next, err := t.agree(ctx, p); err == nil {
			if current != nil {
				t.end(current)
			}
			current = next
			if t.watch(ctx, current) {
				backoff = 0
			}
		}
		p.wait(ctx, backoff)
		backoff = min(max(2*backoff, minBackoff), maxBackoff)
	}
}

func (t *Transport) idle(p *peer) bool {
	return t.elapsed()-time.Duration(p.used.Load()) > idleAfter
}

// wait waits before the next attempt, or until the peer has shown a sign of life.
func (p *peer) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-p.again:
	}
}

// watch returns when a session is due for a new one, and whether it was any
// good. Until the new one stands the old one stays in use.
func (t *Transport) watch(ctx context.Context, s *session) (good bool) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for ctx.Err() == nil && !t.idle(s.peer) {
		t.ping(s)
		select {
		case <-ctx.Done():
		case <-s.ended:
			return s.proven.Load()
		case <-s.peer.again:
			return s.proven.Load()
		case <-tick.C:
			if t.silent(s) {
				return false
			}
		}
	}
	return true
}

// silent tells whether the peer has not been heard for too long.
func (t *Transport) silent(s *session) bool {
	last := max(time.Duration(s.peer.heard.Load()), s.born)
	return t.elapsed()-last >= silence
}

func (t *Transport) ping(s *session) {
	var now [8]byte
	binary.BigEndian.PutUint64(now[:], uint64(t.elapsed()))
	_ = t.sendOver(s, kindPing, now[:]) // lost like any datagram
}

// agree makes a new session with the peer.
func (t *Transport) agree(ctx context.Context, p *peer) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	c, err := t.dial(ctx, p.id, alpnKeys)
	if err != nil {
		return nil, err
	}
	s, err := newSession(c, true)
	if err == nil {
		err = confirmed(ctx, c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	s.peer = p
	s.to.Store(t.udp.target(remote(c)))
	t.install(s)
	select {
	case <-p.again: // this is the new session that was asked for
	default:
	}
	t.tasks.start(func(ctx context.Context) { t.hold(ctx, s) })
	return s, nil
}

// confirmed waits until the acceptor knows the keys, or says what it minds.
func confirmed(ctx context.Context, c *tls.Conn) error {
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return explain(err, alpnKeys)
	}
	return c.SetDeadline(time.Time{})
}

// remote is where the other end listens for datagrams: the address that the
// connection was made to, since both have one port number.
func remote(c net.Conn) netip.AddrPort {
	return c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// hold waits for the end of a session's connection, which carries nothing more.
func (t *Transport) hold(ctx context.Context, s *session) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		_, _ = s.conn.Read(make([]byte, 1)) // returns when the other process ends, or the connection
		return errSessionEnded
	})
	<-ctx.Done()
	t.end(s)
	_ = g.Wait()
	close(s.ended)
}

var errSessionEnded = errors.New("session ended")

// acceptKeys is the other end of agree.
func (t *Transport) acceptKeys(ctx context.Context, keys net.Listener) error {
	for {
		c, err := keys.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept datagram sessions: %w", err)
		}
		t.tasks.start(func(ctx context.Context) { t.welcome(ctx, c.(*tls.Conn)) })
	}
}

func (t *Transport) welcome(ctx context.Context, c *tls.Conn) {
	who, err := t.Identity.Verify(c.ConnectionState())
	if err != nil {
		c.Close()
		return
	}
	p := t.peer(who.Node)
	s, err := newSession(c, false)
	if err != nil || p == nil {
		c.Close()
		return
	}
	s.peer = p
	t.install(s)
	if _, err := c.Write([]byte{confirmation}); err == nil && !p.dialed() {
		p.renew() // it is back: no need to wait before we dial it
	}
	t.hold(ctx, s)
}

// sweepLoop forgets sessions that ended a while ago and were replaced. Without
// another one a session stays: when a network is cut its connection ends, but
// the keys are as good as before once the network is back.
func (t *Transport) sweepLoop(ctx context.Context) error {
	tick := time.NewTicker(acceptEnded / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			t.sweep(t.elapsed())
		}
	}
}

func (t *Transport) sweep(now time.Duration) {
	var gone []*session
	for _, s := range *t.sessions.Load() {
		closed := time.Duration(s.closedAt.Load())
		if closed != 0 && now-closed > acceptEnded && s.peer.stands() {
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		t.remove(gone...)
	}
}
