package lease

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// A wish is how long this node's leases shall last (rule 25). Engine.mu guards it.
type wish struct {
	length  time.Duration
	reason  string
	granted chan struct{} // closed when a longer lease is held
}

// grant notes that a lease of some length is held.
func (w *wish) grant(length time.Duration) {
	if w.reason == "" || length < w.length {
		return
	}
	select {
	case <-w.granted:
	default:
		close(w.granted)
	}
}

// Bridge makes this node's leases last longer, so that what it serves goes on
// while its agent is away (rule 25). It returns once such a lease is held and the
// guard ends with it, or with ctx. No start of the agent takes it back before it
// has taken over what the guard admits. It may be called once.
func (e *Engine) Bridge(ctx context.Context, length time.Duration, reason string) error {
	e.mu.Lock()
	e.wish.length, e.wish.reason = max(length, e.Length), reason
	granted := e.wish.granted
	e.mu.Unlock()
	poke(e.news)
	select {
	case <-granted:
	case <-ctx.Done():
		return fmt.Errorf("hold a lease of %v: %w", length, ctx.Err())
	}
	return e.trimGuard()
}

// wished is how long leases shall last: as this node wishes, or as long as those
// of a voter that restarts and is missed meanwhile. e.mu is held.
func (e *Engine) wished() time.Duration {
	return max(e.wish.length, e.applied.bridged(e.Self))
}

// bridged is for how long a node has to do without the acks of voters that
// restart; 0: the others are a majority.
func (a *applied) bridged(self string) (length time.Duration) {
	there := 0
	for _, id := range a.voters {
		switch m := a.nodes[id]; {
		case !m.admitted:
		case !m.restarts || id == self:
			there++
		default:
			length = max(length, m.length)
		}
	}
	if a.majority(there) {
		return 0
	}
	return length
}

// resize is the command that makes the length what is wished. e.mu is held.
func (e *Engine) resize() *pb.Command {
	l := &pb.SetLength{
		Node: e.Self, Epoch: e.holder.epoch, FromVersion: e.holder.resized, Length: durationpb.New(e.wished()),
		Reason: e.wish.reason, Restarting: e.wish.reason != "",
	}
	switch {
	case l.Restarting:
	case e.wished() > e.wish.length:
		l.Reason = "a voter that restarts its agent is missed"
	default:
		l.Reason = "its agent is at work"
	}
	return &pb.Command{Body: &pb.Command_SetLength{SetLength: l}}
}

// tooLong reports whether the leases are to become shorter as soon as they may.
func (e *Engine) tooLong() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.holder.epoch != 0 && e.applied.nodes[e.Self].length > e.wished()
}

// spares reports whether the lease goes on for a good while when it is counted
// by the length that is wished. e.mu is held.
func (e *Engine) spares() bool {
	h := &e.holder
	return h.held && h.until(e, e.wished())-e.Clock.Now() > e.wished()/2
}

// cutLease makes the lease end as early as a shorter length has it, before that is
// committed: from then on a shorter silence makes this node gone. From here on
// only another version of the length can make leases longer, so that the command
// may come to pass at any time. It reports whether there is a guard to be cut.
func (e *Engine) cutLease(l *pb.SetLength) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, length := &e.holder, l.GetLength().AsDuration()
	if l == nil || length > h.length || h.epoch != l.Epoch || h.resized != l.FromVersion {
		return false // a longer one is counted by once it is applied; a stale one will be refused
	}
	h.length = length
	for i := range h.beats {
		h.beats[i].length = min(h.beats[i].length, length)
	}
	h.recount(e)
	return true
}
