package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// defaultTimeout bounds an operation of which neither its order nor its agent
// names a timeout (Pacemaker Explained, "Operation Defaults").
const defaultTimeout = 20 * time.Second

// timeoutOf returns how long an operation may take: what its order says, else
// what its agent says of such operations.
func timeoutOf(op *pb.Operation, agent resources.Agent) time.Duration {
	if d := op.Timeout.AsDuration(); d > 0 {
		return d
	}
	name := operationNames[op.Kind]
	for _, o := range agent.Metadata().GetOperations() {
		if o.Name == name && o.Timeout.AsDuration() > 0 {
			return o.Timeout.AsDuration()
		}
	}
	return defaultTimeout
}

// operationNames are the names that agents have for what is ordered.
var operationNames = map[pb.OperationKind]string{
	pb.OperationKind_OPERATION_KIND_START: "start", pb.OperationKind_OPERATION_KIND_STOP: "stop",
	pb.OperationKind_OPERATION_KIND_MONITOR: "monitor", pb.OperationKind_OPERATION_KIND_PROBE: "monitor",
	pb.OperationKind_OPERATION_KIND_RELOAD:  "reload-agent",
	pb.OperationKind_OPERATION_KIND_PROMOTE: "promote", pb.OperationKind_OPERATION_KIND_DEMOTE: "demote",
	pb.OperationKind_OPERATION_KIND_NOTIFY: "notify",
}

// occupy waits for the resource's turn and returns how to give it back.
func (u *unit) occupy(ctx context.Context) (release func(), err error) {
	select {
	case <-u.turn:
		return func() { u.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the operation before this one: %w", ctx.Err())
	}
}

// perform runs f in the resource's turn, within the operation's timeout, and
// writes down how long it took and how it ended.
func (e *Executor) perform(ctx context.Context, u *unit, op *pb.Operation, agent resources.Agent, into *pb.Result, f func(context.Context) (pb.Outcome, error)) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(op, agent))
	defer cancel()
	release, err := u.occupy(ctx)
	if err != nil {
		into.Outcome, into.Error = failure(err), err.Error()
		return
	}
	defer func() { e.giveBack(u, release) }()
	began := time.Now()
	outcome, err := f(ctx)
	into.Duration = duration(time.Since(began))
	into.Outcome = outcome
	if err != nil {
		explain(into, err)
	}
}

// explain puts an error, and what kind of fault it is, into a result.
func explain(into *pb.Result, err error) {
	into.Error = strings.TrimSuffix(oneLine(err.Error()), ": "+context.DeadlineExceeded.Error()) // which the outcome says
	var f *resources.Fault
	if errors.As(err, &f) {
		into.Cause, into.Obstacle, into.Ban = f.Kind, f.Obstacle, f.Ban
		into.Error = oneLine(f.Text)
	}
}

func (e *Executor) start(u *unit, r *pb.ExecuteRequest, agent resources.Agent) job {
	return func(ctx context.Context, into *pb.Result) {
		rt := right{r.Operation.Epoch, r.Operation.Assignment}
		e.perform(ctx, u, r.Operation, agent, into, func(ctx context.Context) (pb.Outcome, error) {
			if err := e.begin(ctx, u, r.Resource, rt); err != nil {
				return pb.Outcome_OUTCOME_REFUSED, err
			}
			return e.serve(ctx, u, r.Resource, agent, into)
		})
		if into.Outcome == pb.Outcome_OUTCOME_REFUSED {
			e.forfeit(u, rt)
		}
	}
}

// begin notes what is started, once the lease that its right needs is held: a
// node that was just admitted may still be waiting for its first acks.
func (e *Executor) begin(ctx context.Context, u *unit, r *pb.Resource, rt right) error {
	for {
		e.mu.Lock()
		valid, live, turned := e.valid(u, rt), u.right == rt, e.turned
		if valid {
			u.resource = r
		}
		e.mu.Unlock()
		switch {
		case valid:
			return nil
		case !live:
			return errors.New("the right ended before the start began")
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return fmt.Errorf("this node holds no lease: %w", ctx.Err())
		}
	}
}

// turn tells those who wait for the lease that it has begun or ended. e.mu is held.
func (e *Executor) turn() {
	close(e.turned)
	e.turned = make(chan struct{})
}

// valid reports whether rt is the unit's right and the lease that it needs is
// held at this moment. e.mu is held.
func (e *Executor) valid(u *unit, rt right) bool {
	epoch, _, held := e.lease.Held()
	return held && u.right == rt && rt.epoch == epoch
}

// forfeit ends a right whose start was refused. The leader will give the
// resource to another, so that nothing may resume it here (S1).
func (e *Executor) forfeit(u *unit, rt right) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.right == rt {
		u.right, u.resource = right{}, nil
	}
}

// serve starts the resource and, unless the right ended meanwhile, watches it
// from then on. It is called in the resource's turn. The agent's context ends
// with the right: before this node can hold another lease (S1).
func (e *Executor) serve(ctx context.Context, u *unit, r *pb.Resource, agent resources.Agent, into *pb.Result) (pb.Outcome, error) {
	ctx, interrupt := context.WithCancel(ctx)
	defer interrupt()
	rt, halts, err := e.quiet(ctx, u)
	if err != nil {
		return failure(err), err
	}
	if !e.interruptible(u, rt, halts, interrupt) {
		return pb.Outcome_OUTCOME_REFUSED, errors.New("the right ended before the start began")
	}
	ctx = resources.WithTold(ctx, u.toldNow(e))
	ctx, done, taken := e.cleared(ctx, r)
	defer done()
	runs, promoted := false, false
	if taken == nil {
		err = e.warden.Hold(ctx, r, agent, e.watchdog(u))
	}
	if taken == nil && err == nil {
		if runs, promoted = adopt(ctx, r, agent, e.promotable(u)); !runs {
			err = agent.Start(ctx, r)
		}
	}

	e.mu.Lock()
	u.interrupt = nil
	u.promoted, u.raised = promoted, u.raised || promoted
	valid := e.valid(u, rt) && u.halts == halts
	u.serving = valid && err == nil && taken == nil
	if u.serving {
		u.reported = false // what a lapse kept from being told is over
	}
	if u.serving && e.ctx != nil {
		e.watch(u, r, agent, rt)
	}
	e.mu.Unlock()

	switch {
	case !valid, errors.Is(err, resources.ErrNoLease): // the lease or the right ended while the agent worked (rule 24)
		return e.undo(u, r, agent)
	case taken != nil:
		return pb.Outcome_OUTCOME_REFUSED, taken
	case err != nil:
		return failure(err), err
	}
	into.Promoted = promoted
	if d, ok := agent.(resources.Detailer); ok {
		into.Detail = d.Detail(r)
	}
	return pb.Outcome_OUTCOME_DONE, nil
}

// watchdog is what the newest start of a unit needs, see pb.Operation.
func (e *Executor) watchdog(u *unit) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.watchdog
}

// cleared finds out who else has what is to start here, if anybody.
func (e *Executor) cleared(ctx context.Context, r *pb.Resource) (start context.Context, done context.CancelFunc, taken error) {
	if e.clear == nil {
		return ctx, func() {}, nil
	}
	return e.clear(ctx, r)
}

// interruptible makes the end of the right interrupt what the agent is about to
// do, unless the right has ended already.
func (e *Executor) interruptible(u *unit, rt right, halts int, interrupt context.CancelFunc) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.halts != halts || !e.valid(u, rt) {
		return false
	}
	u.interrupt = interrupt
	return true
}

// undo halts what was started without a right to it. That is no failure of the
// resource, unless the halt fails.
func (e *Executor) undo(u *unit, r *pb.Resource, agent resources.Agent) (pb.Outcome, error) {
	ended := errors.New("the right to serve ended during the start")
	if err := e.halt(u, r, agent); err != nil {
		return pb.Outcome_OUTCOME_FAILED, errors.Join(ended, err)
	}
	return pb.Outcome_OUTCOME_REFUSED, ended
}

// quiet waits for a halt under way, so that it cannot silence what is started
// after it, and returns the right and the number of halts to compare with later.
func (e *Executor) quiet(ctx context.Context, u *unit) (right, int, error) {
	e.mu.Lock()
	rt, halts, halted := u.right, u.halts, u.halted
	e.mu.Unlock()
	if halted == nil {
		return rt, halts, nil
	}
	select {
	case <-halted:
		return rt, halts, nil
	case <-ctx.Done():
		return rt, halts, fmt.Errorf("wait for the halt before this start: %w", ctx.Err())
	}
}

func (e *Executor) stop(u *unit, r *pb.ExecuteRequest, agent resources.Agent) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent, into, func(ctx context.Context) (pb.Outcome, error) {
			what := e.unserve(u, r.Resource)
			ctx = resources.WithTold(ctx, r.GetInstancing().GetTold())
			if err := e.end(ctx, u, what, agent); err != nil {
				if !blocks(what) {
					e.warden.Stuck(what.Id)
				}
				return failure(err), err
			}
			e.warden.Release(what.Id)
			e.mu.Lock()
			u.resource, u.promoted, u.raised, u.lowered = nil, false, false, false
			e.mu.Unlock()
			return pb.Outcome_OUTCOME_DONE, nil
		})
	}
}

// blocks reports whether a failed stop is to block the resource, and not to end its node.
func blocks(r *pb.Resource) bool {
	for _, o := range r.GetOperations() {
		if policy := o.Options["on-fail"]; o.Name == "stop" && (policy == "block" || policy == "standby") {
			return true
		}
	}
	return false
}

// unserve ends the watch and returns the resource as it was started: a stop
// must find what runs, not what the parameters say by now.
func (e *Executor) unserve(u *unit, ordered *pb.Resource) *pb.Resource {
	e.mu.Lock()
	u.serving = false
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

func (e *Executor) reload(u *unit, r *pb.ExecuteRequest, agent resources.Agent) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent, into, func(ctx context.Context) (pb.Outcome, error) {
			reloader, ok := agent.(resources.Reloader)
			if !ok {
				return pb.Outcome_OUTCOME_FAILED, errors.New("this kind of resource cannot reload")
			}
			if err := reloader.Reload(resources.WithTold(ctx, r.GetInstancing().GetTold()), r.Resource); err != nil {
				return failure(err), err
			}
			e.mu.Lock()
			u.resource = r.Resource
			e.mu.Unlock()
			return pb.Outcome_OUTCOME_DONE, nil
		})
	}
}

func (e *Executor) probe(u *unit, r *pb.ExecuteRequest, agent resources.Agent) job {
	return func(ctx context.Context, into *pb.Result) {
		e.perform(ctx, u, r.Operation, agent, into, func(ctx context.Context) (pb.Outcome, error) {
			s, err := agent.Monitor(resources.WithTold(ctx, r.GetInstancing().GetTold()), r.Resource)
			into.Promoted = s.IsPromoted()
			found, err := outcome(s, err)
			if found == pb.Outcome_OUTCOME_NOT_RUNNING {
				e.unheld(u)
			}
			return found, err
		})
	}
}

// unheld tells the warden that what an earlier start of this agent ran runs no more.
func (e *Executor) unheld(u *unit) {
	e.mu.Lock()
	ours := u.right != (right{}) || u.resource != nil
	e.mu.Unlock()
	if !ours {
		e.warden.Release(u.id)
	}
}

// outcome turns what a monitor found into the outcome of the operation.
func outcome(s resources.State, err error) (pb.Outcome, error) {
	switch s {
	case resources.Running, resources.Promoted:
		return pb.Outcome_OUTCOME_DONE, nil
	case resources.Stopped:
		return pb.Outcome_OUTCOME_NOT_RUNNING, err
	default:
		if err == nil {
			err = fmt.Errorf("the resource is %s", s)
		}
		return failure(err), err
	}
}

func failure(err error) pb.Outcome {
	if errors.Is(err, context.DeadlineExceeded) {
		return pb.Outcome_OUTCOME_TIMED_OUT
	}
	return pb.Outcome_OUTCOME_FAILED
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
