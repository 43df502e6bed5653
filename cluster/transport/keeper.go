package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	minBackoff   = 10 * time.Millisecond
	maxBackoff   = time.Second
	agreeTimeout = 2 * time.Second
	pingEvery    = 500 * time.Millisecond
	lookEvery    = 500 * time.Millisecond // at a peer's addresses
	silence      = time.Second            // nothing heard for so long: try a new session
	idleAfter    = time.Minute            // without a SendDatagram the keepers end
	acceptEnded  = 10 * time.Second       // a replaced session's datagrams, on their way or from a slower peer
)

// Session keeping. Each node that sends to another dials each of its addresses,
// and both derive a session's keys from such a connection. So most links have two
// sessions and need but one; each end sends with the youngest that works.

// A keeper holds a session with one address of a peer.
type keeper struct {
	peer    *peer
	address string
	again   chan struct{}           // asks for a new session; holds one
	current atomic.Pointer[session] // that it dialed
	watches atomic.Bool             // current, which it pings
	let     chan struct{}           // closed when it is let go
}

// renew asks for a new session; it does not wait.
func (k *keeper) renew() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

// stands tells whether the session that this keeper dialed stands.
func (k *keeper) stands() bool {
	s := k.current.Load()
	return s != nil && s.closedAt.Load() == 0
}

// renew asks all keepers for new sessions, or those whose session does not stand.
func (p *peer) renew(all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keepers {
		if all || !k.stands() {
			k.renew()
		}
	}
}

// unwatched are the keepers that have no session that they watch.
func (p *peer) unwatched() []*keeper {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.keepers), func(k *keeper) bool { return k.watches.Load() })
}

// startTending keeps sessions with the peer, unless that is done already.
func (t *Transport) startTending(p *peer) {
	if p.kept.CompareAndSwap(false, true) {
		t.tasks.start(func(ctx context.Context) { t.tend(ctx, p) })
	}
}

// tend runs a keeper for each address of a peer, for as long as datagrams are
// sent to it.
func (t *Transport) tend(ctx context.Context, p *peer) {
	defer p.kept.Store(false)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer p.employ(nil)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil && !t.idle(p) {
		for _, k := range p.employ(t.Addresses(p.id)) {
			keeping.Go(func() { t.keep(ctx, k) })
		}
		t.pingForOthers(p)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (t *Transport) idle(p *peer) bool {
	return t.elapsed()-time.Duration(p.used.Load()) > idleAfter
}

// employ returns new keepers for the addresses that have none, and lets those go
// whose address is not a peer's any more.
func (p *peer) employ(addresses []string) (hired []*keeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keepers = slices.DeleteFunc(p.keepers, func(k *keeper) bool {
		if slices.Contains(addresses, k.address) {
			return false
		}
		close(k.let)
		return true
	})
	for _, a := range addresses {
		if !slices.ContainsFunc(p.keepers, func(k *keeper) bool { return k.address == a }) {
			k := &keeper{peer: p, address: a, again: make(chan struct{}, 1), let: make(chan struct{})}
			p.keepers = append(p.keepers, k)
			hired = append(hired, k)
		}
	}
	return hired
}

// gone tells whether a keeper was let go.
func (k *keeper) gone() bool {
	select {
	case <-k.let:
		return true
	default:
		return false
	}
}

// keep holds a session until ctx is canceled or the keeper is let go.
func (t *Transport) keep(ctx context.Context, k *keeper) {
	defer func() {
		if s := k.current.Load(); s != nil {
			t.end(s)
		}
	}()
	for backoff := time.Duration(0); ctx.Err() == nil && !k.gone(); {
		if next, err := t.agree(ctx, k); err == nil {
			if old := k.current.Swap(next); old != nil {
				t.end(old)
			}
			if t.watch(ctx, k, next) {
				backoff = 0
			}
		}
		k.wait(ctx, backoff)
		backoff = min(max(2*backoff, minBackoff), maxBackoff)
	}
}

// wait waits before the next attempt, or until the peer has shown a sign of life.
func (k *keeper) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-k.let:
	case <-timer.C:
	case <-k.again:
	}
}

// watch returns when a session is due for a new one, and whether it was any
// good. Until the new one stands the old one stays in use.
func (t *Transport) watch(ctx context.Context, k *keeper, s *session) (good bool) {
	k.watches.Store(true)
	defer k.watches.Store(false)
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		t.ping(s)
		t.examine(s.link)
		select {
		case <-ctx.Done():
			return true
		case <-k.let:
			return true
		case <-s.ended:
			return s.proven.Load()
		case <-k.again:
			return s.proven.Load()
		case <-tick.C:
			if t.silent(s) {
				return false
			}
		}
	}
}

// silent tells whether the peer has not been heard for too long over a session's link.
func (t *Transport) silent(s *session) bool {
	last := max(time.Duration(s.link.heard.Load()), s.born)
	return t.elapsed()-last >= silence
}

var errMoved = errors.New("the peer is not there any more")

// agree makes a new session with an address of a peer.
func (t *Transport) agree(ctx context.Context, k *keeper) (*session, error) {
	if !slices.Contains(t.Addresses(k.peer.id), k.address) {
		return nil, errMoved
	}
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	c, err := t.attempt(ctx, k.address, alpnKeys, t.verifyNode(k.peer.id))
	if err != nil {
		return nil, err
	}
	s, err := newSession(c, true)
	var other nonce
	if err == nil {
		other, err = t.introduce(ctx, c)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	s.to.Store(t.udp.target(remote(c)))
	t.install(s, k.peer, other)
	select {
	case <-k.again: // this is the new session that was asked for
	default:
	}
	t.tasks.start(func(ctx context.Context) { t.hold(ctx, s) })
	return s, nil
}

// introduce tells the acceptor which process this is, and waits until it knows
// the keys, and says the same of itself, or what it minds.
func (t *Transport) introduce(ctx context.Context, c *tls.Conn) (other nonce, err error) {
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return other, err
	}
	if _, err := c.Write(t.nonce[:]); err != nil {
		return other, err
	}
	if _, err := io.ReadFull(c, other[:]); err != nil {
		return other, explain(err, alpnKeys)
	}
	return other, c.SetDeadline(time.Time{})
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
	other, err := introduced(c)
	if err != nil {
		c.Close()
		return
	}
	t.install(s, p, other)
	if _, err := c.Write(t.nonce[:]); err == nil {
		p.renew(false) // it is back: no need to wait before we dial it
	}
	t.hold(ctx, s)
}

// introduced reads which process the dialer is.
func introduced(c *tls.Conn) (other nonce, err error) {
	if err := c.SetReadDeadline(time.Now().Add(agreeTimeout)); err != nil {
		return other, err
	}
	if _, err := io.ReadFull(c, other[:]); err != nil {
		return other, err
	}
	return other, c.SetReadDeadline(time.Time{})
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
		if closed != 0 && now-closed > acceptEnded && s.link.replaced() {
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		t.remove(gone...)
	}
}

// replaced tells whether nothing is lost with the link's ended sessions: it has
// another one, or nobody keeps it and there are other links.
func (l *link) replaced() bool {
	p := l.peer
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.stands() || !l.kept() && slices.ContainsFunc(p.links, (*link).stands)
}

// kept tells whether a keeper dials the link's address. peer.mu is held.
func (l *link) kept() bool {
	return slices.ContainsFunc(l.peer.keepers, func(k *keeper) bool {
		at, err := netip.ParseAddrPort(k.address)
		return err == nil && plain(at.Addr()) == l.far
	})
}
