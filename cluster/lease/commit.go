package lease

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// commitPause is how long to wait before a command that was not taken is
// proposed again, if nothing changes before.
const commitPause = 100 * time.Millisecond

// proposeTimeout bounds one proposal, so that a leader that dies with it does
// not keep this node out.
const proposeTimeout = time.Second

// commitLoop commits what this node must say of itself: that it begins an
// epoch (rules 5, 16 and 17), that it has recounted its lease in a new
// electorate (rule 20), and how long its leases last (rule 25).
func (e *Engine) commitLoop(ctx context.Context) error {
	for {
		again := time.Hour
		if e.blocked() {
			again = commitPause
		} else if c := e.due(); c != nil {
			again = commitPause
			e.commit(ctx, c)
		} else if e.tooLong() {
			again = commitPause
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-e.news:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// commit proposes a command once the guard is no longer than the lease that it
// speaks of (rules 20 and 25).
func (e *Engine) commit(ctx context.Context, c *pb.Command) {
	if c.GetConfirmElectorate() != nil || e.cutLease(c.GetSetLength()) {
		if err := e.cutGuard(); err != nil {
			e.Logger.Warn("not committed: the guard could not be cut to the lease", "err", err)
			return
		}
	}
	e.propose(ctx, c)
}

// cutGuard shortens the guard to the present lease, to nothing when there is none.
func (e *Engine) cutGuard() error {
	if _, _, held := e.Held(); held {
		return e.trimGuard()
	}
	err := e.Guard.Clear()
	e.silenced()
	return err
}

func (e *Engine) propose(ctx context.Context, c *pb.Command) {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	if err := e.Log.Propose(ctx, c); err != nil {
		e.Logger.Debug("command of the lease not committed yet", "err", err)
	}
}

// noteClear notes what became of clearing the guard before an epoch is asked for
// (rules 4, 16 and 17). If it failed it is tried again and again.
func (e *Engine) noteClear(err error) {
	e.mu.Lock()
	first := err != nil && !e.unclear
	e.unclear = err != nil
	e.mu.Unlock()
	if first {
		e.Logger.Error("guard not cleared: this node asks for no epoch", "err", err)
	}
}

// blocked reports whether it is too early to ask for an epoch: the guard is still
// not clear, this node rests, or it could hold no lease for want of a check.
func (e *Engine) blocked() bool {
	e.mu.Lock()
	idle, unclear := e.holder.epoch == 0, e.unclear
	e.mu.Unlock()
	if idle && unclear {
		e.noteClear(e.Guard.Clear())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return idle && (e.unclear || e.Clock.Now() < e.rested || e.unvouched())
}

// due is the command that is due now, or nil.
func (e *Engine) due() *pb.Command {
	kept := e.Guard.Kept() // it may wait for the guard's lock, in which the lease is asked for
	e.mu.Lock()
	defer e.mu.Unlock()
	me, known := e.applied.nodes[e.Self]
	h := &e.holder
	switch {
	case !known || len(h.notices) > 0: // what ended must be silent before anything begins
		return nil
	case h.epoch == 0:
		return &pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
			Node: e.Self, FromEpoch: me.epoch, Nonce: e.Nonce, BootId: e.BootID, Version: e.Version,
			Lease: durationpb.New(e.Length),
		}}}
	case me.epoch == h.epoch && h.length < e.wished():
		return e.resize()
	case kept && !h.held: // to cut the guard to no lease would silence what is to be taken over
		return nil
	case me.epoch == h.epoch && me.confirmed != e.applied.version && h.counted == e.applied.version:
		return &pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
			Node: e.Self, Epoch: h.epoch, Version: e.applied.version,
		}}}
	case me.epoch == h.epoch && me.length > e.wished() && !kept && e.spares():
		return e.resize()
	}
	return nil
}
