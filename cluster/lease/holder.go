package lease

import (
	"context"
	"math"
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A holder is this node's own lease. Engine.mu guards it.
type holder struct {
	epoch    uint64        // under which this start beats; 0: none (rule 5)
	spent    uint64        // epochs up to this one are never beaten under again (rules 16 and 17)
	since    time.Duration // clock when the epoch was applied, or the lease was lost
	fresh    bool          // no beat was sent yet under this epoch
	length   time.Duration // of leases by beats from now on
	resized  uint64        // version of the length that was applied (rule 25)
	seq      uint64
	beats    []beat        // newest last; those that may still extend the lease
	deadline time.Duration // clock; 0: none since the epoch began
	alone    bool          // the deadline is one that this node gave itself
	guarded  time.Duration // what the guard was told last under this lease; 0: nothing yet
	held     bool          // as last told to Rights
	had      bool          // once under this epoch
	refused  map[string]bool
	counted  uint64 // electorate version that the deadline was counted in (rule 20)
	late     delays // of beats
	lapses   uint64
	notices  []notice // not yet told to Rights
}

// A beat waits for its acks.
type beat struct {
	seq    uint64
	sent   time.Duration
	length time.Duration // of the lease that it brings
	from   map[string]bool
}

// A notice is one call of Rights, in its order.
type notice struct {
	kind   noticeKind
	reason string // of dropped
	early  bool   // of lapsed: the guard would last longer than the lease did
}

type noticeKind int

const (
	lapsed noticeKind = iota
	regained
	dropped
	stepDown
)

// valid reports whether the lease is held at a time on the clock.
func (h *holder) valid(now time.Duration) bool {
	return h.epoch != 0 && now < h.end()
}

// end is when the lease ends. What the guard has silenced, the peer of a pair may have
// found free: a lease that this node keeps by itself is over with its guard, which may
// be written late.
func (h *holder) end() time.Duration {
	if h.alone && h.guarded > 0 {
		return min(h.deadline, h.guarded)
	}
	return h.deadline
}

// extend moves the deadline.
func (h *holder) extend(e *Engine, deadline time.Duration, alone bool) {
	h.deadline, h.alone = deadline, alone || e.applied.alone
	poke(e.guard)
}

// Held returns the epoch under which this node may serve at this moment, and
// when that ends unless it is extended.
func (e *Engine) Held() (epoch uint64, deadline time.Duration, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := &e.holder
	return h.epoch, h.deadline, h.valid(e.Clock.Now()) && !h.ending()
}

// ending reports whether Rights have yet to end what a lapse or the end of an
// epoch ends. Until they have, a lease that was won back counts as not held.
func (h *holder) ending() bool {
	return slices.ContainsFunc(h.notices, func(n notice) bool { return n.kind == lapsed || n.kind == dropped })
}

// follow takes over what was applied of this node. e.mu is held.
func (h *holder) follow(e *Engine, newElectorate bool, now time.Duration) {
	me := e.applied.nodes[e.Self]
	switch {
	case h.epoch != 0 && (!me.admitted || me.epoch != h.epoch): // rule 16
		e.endEpoch("this node was declared gone")
	case h.epoch == 0 && me.admitted && me.nonce == e.Nonce && me.epoch > h.spent: // rule 5
		*h = holder{
			epoch: me.epoch, spent: h.spent, since: now, fresh: true, length: me.length, resized: me.resized, refused: map[string]bool{},
			counted: e.applied.version, seq: h.seq, late: h.late, lapses: h.lapses, notices: h.notices,
		}
	case h.epoch != 0 && me.resized != h.resized: // rule 25
		h.length, h.resized = me.length, me.resized
	}
	if newElectorate && h.epoch != 0 { // rule 20
		h.recount(e)
	}
}

// endEpoch drops all rights for good. e.mu is held.
func (e *Engine) endEpoch(reason string) {
	h := &e.holder
	e.rest()
	h.spent = max(h.spent, h.epoch)
	h.epoch, h.deadline, h.guarded, h.held, h.beats = 0, 0, 0, false, nil
	e.notify(notice{kind: dropped, reason: reason})
}

// recount finds the lease by the acks that count in the electorate as applied
// now, which may be earlier than it was. Acks of beats that are no longer
// remembered count for nothing.
func (h *holder) recount(e *Engine) {
	h.deadline, h.alone = h.until(e, math.MaxInt64), e.applied.alone
	if now := e.Clock.Now(); !h.valid(now) {
		e.lapse(now)
	}
	h.counted = e.applied.version
}

// until is when the lease ends by the acks that count, with no beat bringing more
// than a length; 0 if none is.
func (h *holder) until(e *Engine, length time.Duration) (end time.Duration) {
	for _, b := range h.beats {
		if e.applied.majority(e.acks(b)) {
			end = max(end, e.counted(b)+min(b.length, length))
		}
	}
	return end
}

// acks is how many voters of the applied electorate acked a beat.
func (e *Engine) acks(b beat) int { return b.acks(e.applied.voters) }

func (b *beat) acks(voters []string) int {
	n := 0
	for _, id := range voters {
		if b.from[id] {
			n++
		}
	}
	return n
}

// Outlasts reports whether this node's lease, if it holds one, would go on for
// half its length in an electorate of these voters. From one voter to two it
// takes the new one's acks: where they are waited for, the change is not noticed.
func (e *Engine) Outlasts(voters []string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, now := &e.holder, e.Clock.Now()
	return !h.valid(now) || slices.ContainsFunc(h.beats, func(b beat) bool {
		return 2*b.acks(voters) > len(voters) && b.sent+h.length/2 > now
	})
}

// Renew ends this node's epoch if some of these voters refuse its beats: they have
// testified to it, no NodeGone followed, and they never ack it again (rule 18).
// What is served pauses; the next epoch they ack. It reports whether it did so.
func (e *Engine) Renew(voters []string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := &e.holder
	if h.epoch == 0 || !slices.ContainsFunc(voters, func(id string) bool { return h.refused[id] }) {
		return false
	}
	e.endEpoch("voters that testified to its silence never ack this epoch")
	return true
}

// holdLoop beats, and acts when the lease ends or begins.
func (e *Engine) holdLoop(ctx context.Context) error {
	next := e.Clock.Now()
	for {
		now := e.Clock.Now()
		if e.begins() {
			next = now
		}
		if now >= next {
			e.beat(next)
			next = max(next+e.Interval, now)
		}
		e.settle()
		if err := e.pause(ctx, next); err != nil {
			return nil
		}
	}
}

// begins reports, once, that an epoch has begun: its first beat waits for nothing.
func (e *Engine) begins() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh := e.holder.fresh
	e.holder.fresh = false
	return fresh
}

// pause waits until something changed, the next beat is due, or the lease ends.
func (e *Engine) pause(ctx context.Context, next time.Duration) error {
	e.mu.Lock()
	now := e.Clock.Now()
	until := next
	if e.holder.held {
		until = min(until, e.holder.end())
	}
	e.mu.Unlock()
	timer := time.NewTimer(max(until-now, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.wake:
	case <-timer.C:
	}
	return nil
}

// beat sends one beat to every voter (rule 7): the clock is read first, so that
// nothing after it can make the lease longer. Members that may become voters
// get it too: their acks count once they are, and a change of voters then does
// not cost the lease.
func (e *Engine) beat(due time.Duration) {
	e.mu.Lock()
	h := &e.holder
	if h.epoch == 0 {
		e.mu.Unlock()
		return
	}
	now := e.Clock.Now()
	h.late.note(now, now-due)
	h.seq++
	b := beat{seq: h.seq, sent: now, length: h.length, from: map[string]bool{}}
	h.beats = append(h.beats, b)
	for len(h.beats) > 0 && h.beats[0].sent+h.beats[0].length < now {
		h.beats = h.beats[1:]
	}
	d := &pb.Beat{Node: e.Self, Epoch: h.epoch, Nonce: e.Nonce, Seq: b.seq}
	to := e.applied.beatTo
	e.mu.Unlock()

	for _, id := range to {
		if id != e.Self {
			_ = e.Network.Send(id, &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Beat{Beat: d}}) // lost is lost
		}
	}
	// Its own ack counts only while it votes, and nobody testifies against itself.
	e.receiveAck(e.Self, &pb.Ack{Node: d.Node, Epoch: d.Epoch, Nonce: d.Nonce, Seq: d.Seq, Voter: e.Self})
}

// receiveAck counts one voter's ack of one beat (rule 9).
func (e *Engine) receiveAck(from string, a *pb.Ack) {
	e.mu.Lock()
	h := &e.holder
	if from != a.Voter || h.epoch == 0 || a.Node != e.Self || a.Epoch != h.epoch || a.Nonce != e.Nonce {
		e.mu.Unlock()
		return
	}
	if a.Refused {
		e.countRefusal(from)
		e.mu.Unlock()
		return
	}
	delete(h.refused, from)
	if now := e.Clock.Now(); !h.valid(now) { // an ack that comes too late does not hide that it is
		e.lapse(now)
	}
	extended := false
	for i := range h.beats {
		b := &h.beats[i]
		if b.seq != a.Seq {
			continue
		}
		b.from[from] = true
		if end := e.counted(*b) + b.length; e.applied.majority(e.acks(*b)) && end > h.deadline {
			h.extend(e, end, false)
			extended = true
			e.wish.grant(b.length)
		}
	}
	if extended && !h.held {
		poke(e.wake)
	}
	e.mu.Unlock()
}

// countRefusal stops this node when a majority refuses (rules 10 and H12). e.mu is held.
func (e *Engine) countRefusal(from string) {
	h := &e.holder
	h.refused[from] = true
	n := 0
	for _, id := range e.applied.voters {
		if h.refused[id] {
			n++
		}
	}
	if e.applied.majority(n) {
		e.lapse(e.Clock.Now())
	}
}

// guardLoop moves the guard's deadline with the lease's. It is a loop of its
// own so that the kernel never keeps the beats waiting.
func (e *Engine) guardLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.guard:
		}
		if err := e.trimGuard(); err != nil {
			e.Logger.Warn("guard not extended: what is served must start again", "err", err)
		}
	}
}

// trimGuard makes the guard end with the lease as it is now. When that fails,
// or comes too late (rule 24), the guard has silenced everything, so that the
// lease counts as lapsed.
func (e *Engine) trimGuard() error {
	_, deadline, held := e.Held()
	if !held {
		return nil // it ends by itself, at an earlier deadline
	}
	if err := e.Guard.Extend(deadline); err != nil {
		e.silenced()
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h, now := &e.holder, e.Clock.Now()
	switch {
	case !h.valid(now): // it ended meanwhile, and does not come back by this
		e.lapse(now)
	case h.deadline >= deadline: // it is not another one
		h.guarded = max(h.guarded, deadline)
	}
	return nil
}

// silenced lets the lease lapse because the guard was taken away under it.
func (e *Engine) silenced() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lapse(e.Clock.Now())
}

// settle tells Rights what the clock says (rule 10), and resigns an epoch that
// cannot be held (rule 17).
func (e *Engine) settle() {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, now := &e.holder, e.tick()
	if h.epoch == 0 {
		return
	}
	switch held := h.valid(now); {
	case held && !h.held:
		h.held, h.had = true, true
		e.notify(notice{kind: regained})
	case !held && h.held:
		e.lapse(now)
	}
	if !h.held && now-h.since > h.length {
		e.endEpoch("this node could not hold its lease")
		if e.terms > 0 && e.StepDown != nil {
			e.notify(notice{kind: stepDown})
		}
	}
}

// rest lets this node be silent for a while after an epoch under which it never
// held a lease: the next may fare the same, and a silent node can be found gone.
// Else one that reaches the log but no voter would begin epochs without end.
// e.mu is held.
func (e *Engine) rest() {
	if e.holder.had {
		e.pauses = 0
	} else {
		e.pauses = min(max(2*e.pauses, e.Length), 8*e.Length)
	}
	e.rested = e.Clock.Now() + e.pauses
}

// lapse ends the lease now, not its epoch: a beat may win it back. Rights are
// told in any case, even if that beat is acked at once: all that this node
// served may be silent already. e.mu is held.
func (e *Engine) lapse(now time.Duration) {
	h := &e.holder
	early := h.deadline > now
	h.deadline, h.guarded = 0, 0
	if !h.held {
		return
	}
	h.held, h.since = false, now
	h.lapses++
	e.notify(notice{kind: lapsed, early: early})
}

// notify queues a call of Rights. e.mu is held.
func (e *Engine) notify(n notice) {
	e.holder.notices = append(e.holder.notices, n)
	poke(e.tells)
}

// noticeLoop calls Rights. A notice leaves the queue only when its call has
// returned: until then no new epoch is asked for.
func (e *Engine) noticeLoop(ctx context.Context) error {
	for {
		for n, ok := e.firstNotice(); ok; n, ok = e.firstNotice() {
			e.tell(n)
			e.mu.Lock()
			e.holder.notices = e.holder.notices[1:]
			e.mu.Unlock()
			poke(e.news)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.tells:
		}
	}
}

func (e *Engine) firstNotice() (notice, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.holder.notices) == 0 {
		return notice{}, false
	}
	return e.holder.notices[0], true
}

func (e *Engine) tell(n notice) {
	switch n.kind {
	case lapsed:
		if n.early { // at once, however long each single stop takes
			if err := e.Guard.Clear(); err != nil {
				e.Logger.Warn("guard not cleared before it ends by itself", "err", err)
			}
		}
		e.Rights.Lapsed()
	case regained:
		e.Rights.Regained()
	case stepDown:
		e.StepDown()
	case dropped:
		e.Rights.Drop(n.reason)
		e.noteClear(e.Guard.Clear())
	}
}
