package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// takeRole checks an order to promote or demote: it must be for the right that is
// served under. Where there is none, because a stop took it and failed, or somebody else
// started what was found here, it may be demoted all the same: nothing else would be
// stopped in good order (S7).
func (u *unit) takeRole(e *Executor, r *pb.ExecuteRequest, agent resources.Agent) (job, string) {
	op := r.Operation
	promoter, ok := agent.(resources.Promoter)
	promotes := op.Kind == pb.OperationKind_OPERATION_KIND_PROMOTE
	switch {
	case !ok:
		return nil, "this kind of resource cannot be promoted"
	case promotes && (u.right != right{op.Epoch, op.Assignment} || !u.serving), u.right != (right{}) && u.right.assignment != op.Assignment:
		return nil, fmt.Sprintf("the order is for assignment %d, and %d is served", op.Assignment, u.right.assignment)
	}
	u.reported, u.lowered = false, false
	if promotes {
		return e.promote(u, r, promoter), ""
	}
	return e.demote(u, r, promoter), ""
}

func (e *Executor) promote(u *unit, r *pb.ExecuteRequest, agent resources.Promoter) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent.(resources.Agent), into, func(ctx context.Context) (pb.Outcome, error) {
			return e.raise(ctx, u, r.Resource, agent)
		})
		if into.Outcome == pb.Outcome_OUTCOME_REFUSED {
			e.mu.Lock()
			defer e.mu.Unlock()
			u.raised = r.GetInstancing().GetPromoted() // as before, to the leader
		}
	}
}

// raise promotes what is served. It is called in the resource's turn. Like a start
// it is interrupted when the right ends, and undone when that has ended meanwhile.
// What may be promoted counts as promoted from before the agent is asked.
func (e *Executor) raise(ctx context.Context, u *unit, r *pb.Resource, agent resources.Promoter) (pb.Outcome, error) {
	ctx, interrupt := context.WithCancel(resources.WithTold(ctx, u.toldNow(e)))
	defer interrupt()
	rt, halts, err := e.quiet(ctx, u)
	if err != nil {
		return failure(err), err
	}
	if !e.interruptible(u, rt, halts, interrupt) || !e.beginRaise(u, rt) {
		return pb.Outcome_OUTCOME_REFUSED, errors.New("the right ended before the promotion began")
	}
	if s, _ := agent.(resources.Agent).Monitor(ctx, r); s != resources.Promoted {
		err = agent.Promote(ctx, r)
	}
	e.mu.Lock()
	u.interrupt = nil
	valid := e.valid(u, rt) && u.halts == halts
	if valid && e.ctx != nil {
		e.watch(u, u.resource, agent.(resources.Agent), rt)
	}
	e.mu.Unlock()
	switch {
	case !valid:
		return e.undo(u, r, agent.(resources.Agent))
	case err != nil:
		return failure(err), err
	}
	return pb.Outcome_OUTCOME_DONE, nil
}

// beginRaise ends the monitors of the role before, if the right still holds.
func (e *Executor) beginRaise(u *unit, rt right) bool {
	e.mu.Lock()
	valid := e.valid(u, rt) && u.serving
	unwatch := u.unwatch
	if valid {
		u.promoted, u.raised, u.unwatch = true, true, nil
	}
	e.mu.Unlock()
	if valid && unwatch != nil {
		unwatch()
	}
	return valid
}

func (e *Executor) demote(u *unit, r *pb.ExecuteRequest, agent resources.Promoter) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent.(resources.Agent), into, func(ctx context.Context) (pb.Outcome, error) {
			what := e.unserveRole(u, r.Resource)
			err := agent.Demote(resources.WithTold(ctx, r.GetInstancing().GetTold()), what)
			e.mu.Lock()
			defer e.mu.Unlock()
			if err == nil {
				u.promoted, u.raised = false, false
			}
			if u.serving && e.ctx != nil && u.unwatch == nil {
				e.watch(u, what, agent.(resources.Agent), u.right)
			}
			if err != nil {
				return failure(err), err
			}
			return pb.Outcome_OUTCOME_DONE, nil
		})
	}
}

// unserveRole ends the monitors of a role and returns the resource as it was started.
func (e *Executor) unserveRole(u *unit, ordered *pb.Resource) *pb.Resource {
	e.mu.Lock()
	unwatch, started := u.unwatch, u.resource
	u.unwatch = nil
	e.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	if started == nil {
		return ordered
	}
	return started
}

// lower demotes what is about to be stopped, as far as that succeeds in a part of
// the time that is left: the stop says whether it runs no more.
func (e *Executor) lower(ctx context.Context, u *unit, r *pb.Resource, agent resources.Agent) {
	promoter, ok := agent.(resources.Promoter)
	e.mu.Lock()
	promoted := u.promoted
	e.mu.Unlock()
	if !ok || !promoted {
		return
	}
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if err := promoter.Demote(ctx, r); err != nil {
		e.logger.Warn("not demoted before its stop", "resource", r.Id, "err", err)
	}
}

// adopt finds out whether what is to start runs already, of what may be promoted: a
// script need not take a start of that for done.
func adopt(ctx context.Context, r *pb.Resource, agent resources.Agent, promotable bool) (runs, promoted bool) {
	if !promotable {
		return false, false
	}
	s, err := agent.Monitor(ctx, r)
	return err == nil && s.Runs(), err == nil && s == resources.Promoted
}

// inRole turns what a recurring monitor found into its outcome: what may be promoted
// and runs in another role than it should has failed.
func (e *Executor) inRole(u *unit, s resources.State, err error, into *pb.Result) (pb.Outcome, error) {
	e.mu.Lock()
	promotable, promoted := u.promotable, u.raised
	e.mu.Unlock()
	if !promotable || !s.Runs() || (s == resources.Promoted) == promoted {
		into.Promoted = promotable && s.IsPromoted()
		return outcome(s, err)
	}
	into.Promoted = !promoted
	if promoted {
		return pb.Outcome_OUTCOME_OTHER_ROLE, errNotPromoted
	}
	return pb.Outcome_OUTCOME_OTHER_ROLE, errors.New("it is promoted, and should not be")
}

// errNotPromoted is what is reported of what runs in the lesser role by itself.
var errNotPromoted = errors.New("it runs, and is not promoted any more")

// acceptRole takes a role that was reported for the present one, as the leader does. The
// leader may have nothing to order for that: the next failure is news again. Where it is
// not certain that the leader knows, the unit counts as not promoted (S1), and
// [Executor.tellLowered] goes on telling.
func (e *Executor) acceptRole(u *unit, rt right, promoted, told bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.right != rt {
		return
	}
	u.lowered = u.raised && !told
	u.promoted, u.raised = promoted, promoted && told
	if told {
		u.reported = false
	}
}

// tellLowered tells of a promotion that was lost, and of which the leader may not know,
// from when the unit is served again.
func (e *Executor) tellLowered(ctx context.Context, u *unit, r *pb.Resource, rt right) {
	res := &pb.Result{
		Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: r.Id, Node: e.node, Epoch: rt.epoch, Assignment: rt.assignment,
		Revision: r.Revision, Outcome: pb.Outcome_OUTCOME_OTHER_ROLE, Error: errNotPromoted.Error(),
	}
	if e.report(ctx, u, rt, res) {
		e.acceptRole(u, rt, false, true)
	}
}

// promotable reports whether the instance may be promoted.
func (e *Executor) promotable(u *unit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.promotable
}

// toldNow is what the agent was told of the clone when the unit was started.
func (u *unit) toldNow(e *Executor) map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.told
}

// notify tells an instance of what happens to others. It needs no right, and its
// end means nothing.
func (e *Executor) notify(u *unit, r *pb.ExecuteRequest, agent resources.Agent) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent, into, func(ctx context.Context) (pb.Outcome, error) {
			notifier, ok := agent.(resources.Notifier)
			if !ok {
				return pb.Outcome_OUTCOME_DONE, nil
			}
			if err := notifier.Notify(resources.WithTold(ctx, r.GetInstancing().GetTold()), r.Resource); err != nil {
				return failure(err), err
			}
			return pb.Outcome_OUTCOME_DONE, nil
		})
	}
}
