package transport

import (
	"encoding/binary"
	"sync"
	"time"
)

// pings are the newest ones sent over a link, and which of them were answered.
type pings struct {
	mu       sync.Mutex
	newest   uint64 // the number of; 0: none
	answered uint64 // bit i: newest-i was
}

const pingWindow = 63 // pings that are counted: those of half a minute

// next returns the number of the next ping.
func (p *pings) next() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest++
	p.answered <<= 1
	return p.newest
}

// note marks a ping as answered.
func (p *pings) note(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := p.newest - number; age <= pingWindow { // a later number is no number of ours: its age is huge
		p.answered |= 1 << age
	}
}

// counted is how many pings are old enough to have been answered. p.mu is held.
func (p *pings) counted() int { return int(min(max(p.newest, 1)-1, pingWindow)) }

// unanswered is how many of the newest pings in a row were not answered; the very
// newest may be under way.
func (p *pings) unanswered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < p.counted() && p.answered>>1&(1<<n) == 0 {
		n++
	}
	return n
}

// loss is the share of pings that were not answered; the newest does not count.
func (p *pings) loss() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, lost := p.counted(), 0
	for i := range all {
		if p.answered>>1&(1<<i) == 0 {
			lost++
		}
	}
	return float64(lost) / float64(max(all, 1))
}

const pingSize = 16 // the sender's time, and the number

// ping asks the other end for a sign of life.
func (t *Transport) ping(s *session) {
	var payload [pingSize]byte
	binary.BigEndian.PutUint64(payload[:], uint64(t.elapsed()))
	binary.BigEndian.PutUint64(payload[8:], s.link.pings.next())
	_ = t.sendOver(s, kindPing, payload[:]) // lost like any datagram
}

// pingForOthers pings over the links whose keepers are about to make a new session,
// which may be in vain for as long as nothing reaches the peer. Else nobody would
// find such a link deaf while the peer is heard on it.
func (t *Transport) pingForOthers(p *peer) {
	ways := *p.ways.Load()
	for _, k := range p.unwatched() {
		if l := to(ways, k.address); l != nil {
			if s := l.best(); s != nil {
				t.ping(s)
				t.examine(l)
			}
		}
	}
}

// answered notes a ping that came back.
func (t *Transport) answered(l *link, now time.Duration, payload []byte) {
	if len(payload) != pingSize {
		return
	}
	l.pings.note(binary.BigEndian.Uint64(payload[8:]))
	if l.trouble.Load() == deaf {
		t.recover(l, deaf)
	}
	sample := int64(now) - int64(binary.BigEndian.Uint64(payload))
	if sample <= 0 {
		return
	}
	if old := l.rtt.Load(); old != 0 {
		sample = (7*old + sample) / 8
	}
	l.rtt.Store(sample)
}
