package executor

import (
	"context"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A unit is one resource on this node.
//
// All fields but turn are guarded by Executor.mu, and hangs by having the turn.
type unit struct {
	id    string
	turn  chan struct{}   // holds a token while nothing operates on the resource
	hangs <-chan struct{} // closed when a stop ends that was not waited for; nil: there is none
	right right           // zero: none
	// newest is the highest assignment that was applied or revoked here. A
	// start must be newer (rule 21).
	newest     uint64
	resource   *pb.Resource       // as it was started; kept until its stop is done
	promotable bool               // it may be promoted
	promoted   bool               // what runs is promoted, or may be
	raised     bool               // it is to be promoted under the right, as the leader knows: also when it resumes
	lowered    bool               // it is not raised any more, of which the leader may not know
	told       map[string]string  // see resources.Told
	serving    bool               // started, and not halted since
	reported   bool               // a failure was told to the leader, who has not answered by an order yet
	interrupt  context.CancelFunc // of the start under way
	unwatch    func()             // ends the watch and monitors of what is served, and waits for them
	watchdog   time.Duration      // see pb.Operation; written in the same step as the right
	halts      int                // how often it was halted; a start that overlaps one has not succeeded
	halted     <-chan struct{}    // closed when the newest halt is done; nil before the first
}

// A right is what a start order gives under a held lease of its epoch.
type right struct {
	epoch, assignment uint64
}

func newUnit(id string) *unit {
	u := &unit{id: id, turn: make(chan struct{}, 1)}
	u.turn <- struct{}{}
	return u
}

// A job runs one operation and fills in its result.
type job func(ctx context.Context, into *pb.Result)

// take checks an order against the node's epoch and the unit's rights and
// books what follows from it in the same step: a start's right, or the loss of
// it. It returns the job, or why the order is refused. e.mu is held.
func (u *unit) take(e *Executor, r *pb.ExecuteRequest) (job, string) {
	op := r.Operation
	agent, err := e.agents.Find(r.Resource.Agent)
	if err != nil {
		return nil, err.Error()
	}
	switch op.Kind {
	case pb.OperationKind_OPERATION_KIND_START:
		return u.takeStart(e, r, agent)
	case pb.OperationKind_OPERATION_KIND_STOP:
		return u.takeStop(e, r, agent)
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		if u.right.epoch != op.Epoch || !u.serving {
			return nil, "the resource is not served here"
		}
		return e.reload(u, r, agent), ""
	case pb.OperationKind_OPERATION_KIND_PROMOTE, pb.OperationKind_OPERATION_KIND_DEMOTE:
		return u.takeRole(e, r, agent)
	case pb.OperationKind_OPERATION_KIND_NOTIFY:
		return e.notify(u, r, agent), ""
	case pb.OperationKind_OPERATION_KIND_PROBE, pb.OperationKind_OPERATION_KIND_MONITOR:
		u.reported = false
		return e.probe(u, r, agent), ""
	default:
		return nil, fmt.Sprintf("operation %s is not known to this agent", op.Kind)
	}
}

// instance notes what an order says of the instance beside its resource.
func (u *unit) instance(r *pb.ExecuteRequest) {
	i := r.GetInstancing()
	u.promotable, u.told = i.GetPromotable(), i.GetTold()
	u.promoted = u.promoted || i.GetPromoted()
}

func (u *unit) takeStart(e *Executor, r *pb.ExecuteRequest, agent resources.Agent) (job, string) {
	op := r.Operation
	switch epoch, _, _ := e.lease.Held(); {
	case epoch != op.Epoch:
		return nil, fmt.Sprintf("the order is for epoch %d of this node, which is at %d", op.Epoch, epoch)
	case op.Assignment <= u.newest:
		return nil, fmt.Sprintf("assignment %d is not newer than %d", op.Assignment, u.newest)
	}
	u.instance(r)
	u.raised, u.lowered = false, false
	u.newest = op.Assignment
	u.right = right{epoch: op.Epoch, assignment: op.Assignment}
	u.watchdog = op.Watchdog.AsDuration()
	u.reported = false
	return e.start(u, r, agent), ""
}

// takeStop ends the right at once; a start under way, or waiting, is
// interrupted. A stop for another right than the present one is stale and would
// silence what the leader believes to be served.
func (u *unit) takeStop(e *Executor, r *pb.ExecuteRequest, agent resources.Agent) (job, string) {
	ordered := r.Operation.Assignment
	if u.right != (right{}) && u.right.assignment != ordered {
		return nil, fmt.Sprintf("the stop is for assignment %d, and %d is served", ordered, u.right.assignment)
	}
	u.instance(r)
	u.newest = max(u.newest, ordered)
	u.right = right{}
	u.reported = false
	if u.interrupt != nil {
		u.interrupt()
	}
	e.turn()
	return e.stop(u, r, agent), ""
}
