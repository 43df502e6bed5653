package transport

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const maxSessions = 6 // with one peer, the youngest

// A peer is a node that datagrams are exchanged with. Times are nanoseconds
// since the transport was made; zero is never.
type peer struct {
	id       string
	best     atomic.Pointer[session] // the one to send with
	heard    atomic.Int64            // newest genuine datagram
	used     atomic.Int64            // newest SendDatagram
	lastHint atomic.Int64
	rtt      atomic.Int64
	kept     atomic.Bool   // a keeper runs
	again    chan struct{} // tells the keeper to make a new session; holds one

	mu       sync.Mutex
	sessions []*session // oldest first
}

// peer returns the peer with this id and makes it if need be; nil for this node itself.
func (t *Transport) peer(id string) *peer {
	if p := (*t.peers.Load())[id]; p != nil {
		return p
	}
	if id == t.Identity.ID() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := maps.Clone(*t.peers.Load())
	if p := next[id]; p != nil {
		return p
	}
	next[id] = &peer{id: id, again: make(chan struct{}, 1)}
	t.peers.Store(&next)
	return next[id]
}

// renew asks the keeper for a new session; it does not wait.
func (p *peer) renew() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// choose picks the session to send with: open ones before ended ones, proven
// ones before others, the youngest of equals. An ended one may still be good,
// and costs nothing to try.
func (p *peer) choose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *session
	for _, s := range p.sessions {
		if best == nil || s.rank() >= best.rank() {
			best = s
		}
	}
	p.best.Store(best)
}

func (s *session) rank() int {
	rank := 0
	if s.to.Load() == nil {
		return -1 // nowhere to send to
	}
	if s.closedAt.Load() == 0 {
		rank += 2
	}
	if s.proven.Load() {
		rank++
	}
	return rank
}

// dialed tells whether a session that this node dialed stands.
func (p *peer) dialed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.sessions, func(s *session) bool { return s.dialed && s.closedAt.Load() == 0 })
}

// stands tells whether there is a session whose connection stands.
func (p *peer) stands() bool {
	s := p.best.Load()
	return s != nil && s.closedAt.Load() == 0
}

// measured notes the time that a ping took to come back.
func (p *peer) measured(now time.Duration, payload []byte) {
	if len(payload) != 8 {
		return
	}
	sample := int64(now) - int64(binary.BigEndian.Uint64(payload))
	if sample <= 0 {
		return
	}
	if old := p.rtt.Load(); old != 0 {
		sample = (7*old + sample) / 8
	}
	p.rtt.Store(sample)
}

// install makes a session known: its datagrams are accepted from now on.
func (t *Transport) install(s *session) {
	s.born = t.elapsed()
	t.mu.Lock()
	next := maps.Clone(*t.sessions.Load())
	next[s.id] = s
	t.sessions.Store(&next)
	t.mu.Unlock()

	if surplus := s.peer.add(s); surplus != nil {
		t.end(surplus)
		t.remove(surplus)
	}
	s.peer.choose()
}

// add notes a session and returns the one that is too many: an ended one if
// there is any, else the oldest.
func (p *peer) add(s *session) (surplus *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, s)
	if len(p.sessions) <= maxSessions {
		return nil
	}
	if i := slices.IndexFunc(p.sessions, func(s *session) bool { return s.closedAt.Load() != 0 }); i >= 0 {
		return p.sessions[i]
	}
	return p.sessions[0]
}

// end closes a session's connection. Its datagrams are accepted for a while
// longer, see sweep; it may be called again.
func (t *Transport) end(s *session) {
	s.closedAt.CompareAndSwap(0, int64(t.elapsed()))
	s.conn.Close()
	s.peer.choose()
}

// remove forgets a session.
func (t *Transport) remove(gone ...*session) {
	t.mu.Lock()
	next := maps.Clone(*t.sessions.Load())
	for _, s := range gone {
		delete(next, s.id)
	}
	t.sessions.Store(&next)
	t.mu.Unlock()
	for _, s := range gone {
		s.peer.mu.Lock()
		s.peer.sessions = slices.DeleteFunc(s.peer.sessions, func(x *session) bool { return x == s })
		s.peer.mu.Unlock()
		s.peer.choose()
	}
}
