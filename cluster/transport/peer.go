package transport

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// A peer is a node that datagrams are exchanged with. Times are nanoseconds
// since the transport was made; zero is never.
type peer struct {
	id       string
	ways     atomic.Pointer[[]*link]    // the links with a session, oldest first
	chosen   atomic.Pointer[[]*session] // the ones to send with, on all links
	used     atomic.Int64               // newest SendDatagram
	copies   atomic.Uint64              // number of the newest datagram that went over several links
	lastHint atomic.Int64
	kept     atomic.Bool // it is tended, see keeper.go

	mu      sync.Mutex
	links   []*link   // with a session or a stream, oldest first
	keepers []*keeper // one an address
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
	p := &peer{id: id}
	p.publish()
	next[id] = p
	t.peers.Store(&next)
	return p
}

// link returns the link to an address and makes it if need be. p.mu is held.
func (p *peer) link(far netip.Addr) *link {
	for _, l := range p.links {
		if l.far == far {
			return l
		}
	}
	l := &link{peer: p, far: far, streams: map[*stream]bool{}}
	p.links = append(p.links, l)
	return l
}

// publish tells senders and the read loop how things are now, and drops links
// that nothing is left of. p.mu is held.
func (p *peer) publish() {
	p.links = slices.DeleteFunc(p.links, func(l *link) bool { return len(l.sessions) == 0 && len(l.streams) == 0 })
	var ways []*link
	var chosen []*session
	for _, l := range p.links {
		if len(l.sessions) > 0 {
			ways = append(ways, l)
			chosen = append(chosen, l.chosen()...)
		}
	}
	p.ways.Store(&ways)
	p.chosen.Store(&chosen)
}

// rechoose follows a change of a session.
func (p *peer) rechoose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish()
}

// origin returns what is known of the process that drew a nonce. p.mu is held.
func (p *peer) origin(n nonce) *origin {
	for _, l := range p.links {
		for _, s := range l.sessions {
			if s.origin.nonce == n {
				return s.origin
			}
		}
	}
	return &origin{nonce: n}
}

// install makes a session known: its datagrams are accepted from now on.
func (t *Transport) install(s *session, p *peer, from nonce) {
	s.born = t.elapsed()
	surplus := p.add(s, from)

	t.mu.Lock()
	next := maps.Clone(*t.sessions.Load())
	next[s.id] = s
	t.sessions.Store(&next)
	t.mu.Unlock()

	if surplus != nil {
		t.end(surplus)
		t.remove(surplus)
	}
}

// add notes a session of a process and returns the one of its link that is too
// many: an ended one if there is any, else the oldest.
func (p *peer) add(s *session, from nonce) (surplus *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.origin = p.origin(from)
	var far netip.Addr
	s.near, far = ends(s.conn)
	l := p.link(far)
	s.link = l
	l.sessions = append(l.sessions, s)
	p.publish()
	if len(l.sessions) <= maxSessions {
		return nil
	}
	if i := slices.IndexFunc(l.sessions, func(s *session) bool { return s.closedAt.Load() != 0 }); i >= 0 {
		return l.sessions[i]
	}
	return l.sessions[0]
}

// end closes a session's connection. Its datagrams are accepted for a while
// longer, see sweep; it may be called again.
func (t *Transport) end(s *session) {
	s.closedAt.CompareAndSwap(0, int64(t.elapsed()))
	s.conn.Close()
	s.link.peer.rechoose()
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
		s.link.peer.forget(s)
	}
}

func (p *peer) forget(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.link.sessions = slices.DeleteFunc(s.link.sessions, func(x *session) bool { return x == s })
	p.publish()
}
