package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A pair has no majority without its peer, so that each half would fall silent
// with the other. This file lets one keep its lease by itself for a while, and
// bind itself before it goes on alone for good. What decides between the two is
// package pair; DESIGN.md there says why these rules are enough.

// Why a node of a pair may not do a thing by itself.
var (
	ErrNoPair = errors.New("the voters are not this node and its peer alone")
	ErrHeard  = errors.New("the peer is not silent")
	ErrLapsed = errors.New("the lease is over")
)

// A Peer is the other half of a pair, in this node's sight.
type Peer struct {
	Last    time.Duration // clock at its last datagram of any kind; zero: none since this start
	Silence time.Duration // since then or since this process listens, whichever is shorter (rule 12)
}

// Peer tells how long a node has been silent.
func (e *Engine) Peer(id string) Peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Peer{Last: e.voter.seen[id], Silence: e.quiet(id)}
}

// quiet is how long no datagram came from a node. A beat under an epoch that is
// over is no beat, and yet a sign of life. e.mu is held.
func (e *Engine) quiet(id string) time.Duration {
	now := e.tick()
	return now - max(e.voter.seen[id], e.voter.listening)
}

// Prolong keeps the lease of a node whose peer is silent to start + L, where
// start is when a check began that tells that this node is not the one cut off.
//
// It is refused once the lease is over: a frozen node finds it so however late
// it calls (lease protocol, section 3, b and d). It is refused, too, while the
// peer is heard, whose acks are worth more. Rule 12 does not matter here: what
// waits unread would only make the extension needless.
func (e *Engine) Prolong(peer string, start time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, now := &e.holder, e.Clock.Now()
	switch {
	case !e.applied.pair(e.Self, peer):
		return ErrNoPair
	case !h.valid(now):
		e.lapse(now)
		return ErrLapsed
	case h.ending():
		return ErrLapsed
	case now-e.voter.seen[peer] < h.length/2:
		return ErrHeard
	}
	if end := min(start, now) + h.length; end > h.deadline {
		h.extend(e, end, true)
	}
	e.vouch(start) // which the lease is recounted by once the peer is no voter
	return nil
}

// pair reports whether the voters are exactly these two.
func (a *applied) pair(self, peer string) bool {
	return self != peer && len(a.voters) == 2 && a.votes(self) && a.votes(peer)
}

// Bind testifies that the peer has been silent for its threshold, and since a
// time at which it was last seen: nothing came while this node asked around.
// From the check on, in one step, this node acks that epoch of the peer's never
// again (rule 13); it returns once that is on disk.
//
// A node that has applied nothing since it started goes by what it knew before:
// the testimony alone gives no right to anybody.
func (e *Engine) Bind(ctx context.Context, known *pb.State, peer string, last time.Duration) (epoch uint64, silence time.Duration, err error) {
	t, err := e.bind(known, peer, last)
	if err != nil {
		return 0, 0, err
	}
	select {
	case e.saves <- t:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	select {
	case err = <-t.stored:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("store the testimony: %w", err)
	}
	return t.epoch, t.silence, nil
}

func (e *Engine) bind(known *pb.State, peer string, last time.Duration) (testimony, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	as := e.applied
	if len(as.voters) == 0 {
		as = e.read(known, e.Clock.Now())
	}
	n, silence := as.nodes[peer], e.quiet(peer)
	switch {
	case !e.voter.ready || !as.pair(e.Self, peer):
		return testimony{}, ErrNoPair
	case e.voter.seen[peer] != last || silence < Threshold(n.length):
		return testimony{}, ErrHeard
	}
	about := as.about(peer)
	e.voter.marks[about] = max(e.voter.marks[about], n.epoch)
	return testimony{node: peer, about: about, epoch: n.epoch, silence: silence, stored: make(chan error, 1)}, nil
}

// Vouch tells that a check that began at start succeeded. A node that goes on
// alone where checks are configured holds its lease by them: its own ack, the
// only one it needs, would let it serve for ever behind a dead cable.
func (e *Engine) Vouch(start time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.vouch(start)
}

// vouch notes a check that succeeded. e.mu is held.
func (e *Engine) vouch(start time.Duration) {
	e.voter.vouched = max(e.voter.vouched, min(start, e.Clock.Now()))
}

// counted is the time that an acked beat counts from. e.mu is held.
func (e *Engine) counted(b beat) time.Duration {
	if e.applied.checked {
		return min(b.sent, e.voter.vouched)
	}
	return b.sent
}

// unvouched reports whether no check has succeeded for so long that no epoch
// could hold a lease. e.mu is held.
func (e *Engine) unvouched() bool {
	return e.applied.checked && e.Clock.Now() >= e.voter.vouched+e.Length
}
