package transport

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

const (
	maxSessions = 6 // on one link, the youngest

	// linkUp is how lately a peer was heard on a link that is up: two pings may be lost.
	linkUp = 1600 * time.Millisecond

	// A link is silent when nothing came over it for so long, and meanwhile so
	// many datagrams came over another of the same peer. The number makes this
	// node's own pauses harmless: all links are read from one socket, in order.
	linkSilence = 130 * time.Millisecond // two beats of the lease
	linkMissed  = 4

	// A link is deaf when so many pings in a row were not answered.
	linkDeaf = 3
)

// A link is an address of a peer, with all that goes to it and comes from it.
type link struct {
	peer *peer
	far  netip.Addr

	heard   atomic.Int64 // newest genuine datagram; nanoseconds, 0: never
	rtt     atomic.Int64
	trouble atomic.Int32 // a trouble
	pings   pings
	missed  int // read loop only: datagrams that came over other links since

	sessions []*session       // peer.mu; oldest first
	streams  map[*stream]bool // peer.mu
}

// A trouble is what is wrong with a link although another link of the same peer
// is up. Then streams over it are closed, so that their owners dial another.
type trouble = int32

const (
	sound  trouble = iota
	silent         // nothing comes over it
	deaf           // the peer does not hear us
)

// ends are the two addresses of a connection.
func ends(c net.Conn) (near, far netip.Addr) {
	return addressOf(c.LocalAddr()), addressOf(c.RemoteAddr())
}

func addressOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return plain(tcp.AddrPort().Addr())
}

// plain is an address as links are known by.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// chosen are the sessions to send with, one for each address of ours that has
// any: the other end may know each as another link. Open ones go before ended
// ones, proven ones before others, the youngest of equals. An ended one may still
// be good, and costs nothing to try. peer.mu is held.
func (l *link) chosen() []*session {
	var best []*session
	for _, s := range l.sessions {
		rank := s.rank()
		if rank < 0 {
			continue
		}
		i := slices.IndexFunc(best, func(x *session) bool { return x.near == s.near })
		switch {
		case i < 0:
			best = append(best, s)
		case rank >= best[i].rank():
			best[i] = s
		}
	}
	return best
}

// best is the session that is most likely to reach the peer; nil: there is none.
func (l *link) best() *session {
	l.peer.mu.Lock()
	defer l.peer.mu.Unlock()
	if all := l.chosen(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// rank is negative for a session that cannot be sent with.
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

// stands tells whether there is a session whose connection stands. peer.mu is held.
func (l *link) stands() bool {
	return slices.ContainsFunc(l.sessions, func(s *session) bool { return s.closedAt.Load() == 0 })
}

// up tells whether datagrams go over the link, as far as is known at a time.
func (l *link) up(now time.Duration) bool {
	heard := time.Duration(l.heard.Load())
	return heard != 0 && now-heard < linkUp && l.trouble.Load() == sound
}

// hear notes a datagram that came over the link.
func (t *Transport) hear(l *link, now time.Duration) {
	l.heard.Store(int64(now))
	l.missed = 0
	if l.trouble.Load() == silent {
		t.recover(l, silent)
	}
}

// compare looks for links of the peer that have fallen silent: a copy of what
// has just come over l should have come over them. Only the read loop calls it.
func (t *Transport) compare(l *link) {
	ways := *l.peer.ways.Load()
	if len(ways) < 2 || l.trouble.Load() != sound {
		return
	}
	now := t.elapsed()
	for _, other := range ways {
		if other == l {
			continue
		}
		other.missed++
		heard := time.Duration(other.heard.Load())
		if other.missed >= linkMissed && heard != 0 && now-heard >= linkSilence {
			t.fail(other, silent)
		}
	}
}

// examine looks whether the peer hears what goes over the link.
func (t *Transport) examine(l *link) {
	if l.pings.unanswered() < linkDeaf {
		return
	}
	now := t.elapsed()
	if slices.ContainsFunc(*l.peer.ways.Load(), func(other *link) bool { return other != l && other.up(now) }) {
		t.fail(l, deaf)
	}
}

// fail notes what is wrong with a link and closes the streams over it. It does
// not wait for that.
func (t *Transport) fail(l *link, what trouble) {
	if !l.trouble.CompareAndSwap(sound, what) {
		return
	}
	t.tasks.start(func(context.Context) {
		n := l.closeStreams()
		t.Log.Warn("a link is down, another is up", "node", l.peer.id, "address", l.far.String(), "streams_closed", n)
		if t.Moved != nil {
			t.Moved(l.peer.id)
		}
	})
}

// recover notes that a link is sound again. Streams stay where they are.
func (t *Transport) recover(l *link, from trouble) {
	if l.trouble.CompareAndSwap(from, sound) {
		t.tasks.start(func(context.Context) {
			t.Log.Info("a link is up again", "node", l.peer.id, "address", l.far.String())
		})
	}
}

// A Link is one of the ways to a peer, as this node sees it.
type Link struct {
	Node      string
	Index     int    // of the address among the peer's
	Address   string // the peer's, host:port
	Up        bool
	RTT       time.Duration // zero: not measured
	Loss      float64       // of the pings of half a minute that were not answered; 0 to 1
	LastHeard time.Duration // ago; negative: never
}

// Links are the ways to a node, one for each of its addresses.
func (t *Transport) Links(id string) []Link {
	var links []Link
	ways := t.ways(id)
	for i, address := range t.Addresses(id) {
		l := Link{Node: id, Index: i, Address: address, LastHeard: -1}
		if way := to(ways, address); way != nil {
			l.look(way, t.elapsed())
		}
		links = append(links, l)
	}
	return links
}

// hears tells whether datagrams come from a node over any link.
func (t *Transport) hears(id string) bool {
	now := t.elapsed()
	return slices.ContainsFunc(t.ways(id), func(l *link) bool { return l.up(now) })
}

func (t *Transport) ways(id string) []*link {
	p := (*t.peers.Load())[id]
	if p == nil {
		return nil
	}
	return *p.ways.Load()
}

// to is the link to an address; nil when there is none.
func to(ways []*link, address string) *link {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(ways, func(l *link) bool { return l.far == plain(at.Addr()) })
	if i < 0 {
		return nil
	}
	return ways[i]
}

// look fills in what is known of a link.
func (l *Link) look(way *link, now time.Duration) {
	l.RTT = time.Duration(way.rtt.Load())
	l.Loss = way.pings.loss()
	l.Up = way.up(now)
	if heard := time.Duration(way.heard.Load()); heard != 0 {
		l.LastHeard = now - heard
	}
}
