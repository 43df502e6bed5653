package executor

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// haltTimeout bounds the halt of a resource that a guard has silenced already.
const haltTimeout = 5 * time.Second

// haltTime is how long the halt of a resource may take. Others do not wait for its
// success: they count by the lease and the lapse of the resource.
func haltTime(r *pb.Resource) time.Duration {
	if lapse := r.GetTraits().GetLapse().AsDuration(); lapse > 0 {
		return lapse
	}
	return haltTimeout
}

// Lapsed halts all that is served: the lease is over. Rights stay, in case the
// same epoch's lease is regained. It returns when everything is silent or has had
// its time.
func (e *Executor) Lapsed() {
	e.haltAll("the lease has ended")
}

// Drop ends all rights for good and halts what is served.
func (e *Executor) Drop(reason string) {
	e.mu.Lock()
	for _, u := range e.units {
		u.right = right{}
	}
	e.turn()
	e.mu.Unlock()
	e.haltAll(reason)
}

// Regained starts again what this node still has a right to, in the order in
// which the rights were given.
func (e *Executor) Regained() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn()
	if e.ctx == nil {
		return
	}
	var again []*unit
	for _, u := range e.units {
		if u.right != (right{}) && u.resource != nil && !u.serving {
			again = append(again, u)
		}
	}
	slices.SortFunc(again, func(a, b *unit) int { return int(a.right.assignment) - int(b.right.assignment) })
	ctx := e.ctx
	e.running.Go(func() {
		for _, u := range again {
			e.resume(ctx, u)
		}
	})
}

// resume starts a halted resource under the right it still has.
func (e *Executor) resume(ctx context.Context, u *unit) {
	e.mu.Lock()
	r, rt, halts := u.resource, u.right, u.halts
	valid := r != nil && e.valid(u, rt) && !u.serving
	e.mu.Unlock()
	if !valid {
		return
	}
	agent, err := e.agents.Find(r.Agent)
	if err != nil {
		return
	}
	op := &pb.Operation{Kind: pb.OperationKind_OPERATION_KIND_START, Resource: r.Id, Epoch: rt.epoch, Assignment: rt.assignment}
	res := &pb.Result{Resource: r.Id, Node: e.node, Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Epoch: rt.epoch, Assignment: rt.assignment}
	e.perform(ctx, u, op, agent, res, func(ctx context.Context) (pb.Outcome, error) {
		return e.serveAgain(ctx, u, r, agent, res)
	})
	if e.lost(u, rt, halts, res) {
		e.running.Go(func() { e.report(ctx, u, rt, res) }) // the others do not wait for a leader
	}
}

// serveAgain starts a resource and, if it was promoted when it was halted, promotes
// it: the right to that has not ended either.
func (e *Executor) serveAgain(ctx context.Context, u *unit, r *pb.Resource, agent resources.Agent, into *pb.Result) (pb.Outcome, error) {
	o, err := e.serve(ctx, u, r, agent, into)
	promoter, ok := agent.(resources.Promoter)
	if o != pb.Outcome_OUTCOME_DONE || !e.raised(u) || !ok || into.Promoted {
		return o, err
	}
	return e.raise(ctx, u, r, promoter)
}

func (e *Executor) raised(u *unit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.raised
}

// lost reports whether a resource that should have been resumed is not served
// and nothing will bring it back. After another halt the next lease does.
func (e *Executor) lost(u *unit, rt right, halts int, res *pb.Result) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch res.Outcome {
	case pb.Outcome_OUTCOME_DONE:
		return false
	case pb.Outcome_OUTCOME_REFUSED: // which the leader would not take for a failure
		res.Outcome = pb.Outcome_OUTCOME_FAILED
		return u.halts == halts && e.valid(u, rt)
	default:
		return true
	}
}

// haltAll silences everything at once: all resources side by side, without
// waiting for the turn of an operation under way. A start that is interrupted
// here finds out when it returns, and halts again.
func (e *Executor) haltAll(reason string) {
	for _, done := range e.beginHalts(reason) {
		<-done
	}
}

func (e *Executor) beginHalts(reason string) []<-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	var begun []<-chan struct{}
	for _, u := range e.units {
		if u.interrupt != nil {
			u.interrupt()
		}
		if u.resource == nil {
			continue
		}
		e.logger.Warn("halting resource", "resource", u.id, "reason", reason)
		begun = append(begun, e.beginHalt(u))
	}
	return begun
}

// beginHalt halts one unit and ends its watch. e.mu is held.
func (e *Executor) beginHalt(u *unit) <-chan struct{} {
	done := make(chan struct{})
	r, unwatch := u.resource, u.unwatch
	u.serving, u.unwatch = false, nil
	u.halts++
	u.halted = done
	e.running.Go(func() {
		defer close(done)
		agent, err := e.agents.Find(r.Agent)
		if err == nil {
			err = e.halt(u, r, agent)
		}
		if err != nil {
			e.logger.Error("halt failed: the resource may still be active", "resource", r.Id, "err", err)
		}
		if unwatch != nil {
			unwatch()
		}
	})
	return done
}

// halt stops a resource without grace.
func (e *Executor) halt(u *unit, r *pb.Resource, agent resources.Agent) error {
	ctx, cancel := context.WithTimeout(resources.WithTold(context.Background(), u.toldNow(e)), haltTime(r))
	defer cancel()
	e.warden.Halting(r, haltTime(r))
	e.lower(ctx, u, r, agent)
	var err error
	if halter, ok := agent.(resources.Halter); ok {
		err = halter.Halt(ctx, r)
	} else {
		err = agent.Stop(ctx, r)
	}
	if err != nil {
		return errors.Join(errors.New("halt"), err)
	}
	e.warden.Release(r.Id)
	return nil
}
