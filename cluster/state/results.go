package state

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// Infinity is the score and the fail count that nothing exceeds.
const Infinity = 1_000_000

// recordResult learns what became of an operation. A result counts only for the
// operation under way that it names, or, when nobody ordered it, for the right
// that the node has now: anything else is stale and changes nothing.
func (d *draft) recordResult(r *pb.Result) error {
	if err := checkResult(r); err != nil {
		return err
	}
	if r.Operation == 0 {
		return d.recordUnordered(r)
	}
	o := OperationByID(d.State, r.Operation)
	if o == nil || o.Kind != r.Kind || o.Resource != r.Resource || o.Node != r.Node || o.Epoch != r.Epoch {
		return refuse(Stale, "operation", "", "no %s of %s is under way on %s under id %d", kindName(r.GetKind()), r.Resource, NodeName(d.State, r.Node), r.Operation)
	}
	d.dropOperation(o.Id)
	d.learn(o, r)
	return nil
}

// checkResult refuses what no operation can end in.
func checkResult(r *pb.Result) error {
	outcome := r.GetOutcome()
	looks := r.GetKind() == pb.OperationKind_OPERATION_KIND_PROBE || r.GetKind() == pb.OperationKind_OPERATION_KIND_MONITOR
	switch {
	case outcome <= pb.Outcome_OUTCOME_UNSPECIFIED, outcome > pb.Outcome_OUTCOME_REFUSED && outcome != pb.Outcome_OUTCOME_OTHER_ROLE:
		return refuse(Invalid, "outcome", "", "%v is no outcome", outcome)
	case (outcome == pb.Outcome_OUTCOME_NOT_RUNNING || outcome == pb.Outcome_OUTCOME_OTHER_ROLE) && !looks:
		return refuse(Invalid, "outcome", "", "a %s cannot end in %v", kindName(r.Kind), outcome)
	case r.Obstacle && (r.Cause == "" || !looks && r.Kind != pb.OperationKind_OPERATION_KIND_START):
		return refuse(Invalid, "obstacle", "", "a %s cannot meet one of kind %q", kindName(r.Kind), r.Cause)
	case r.Ban != pb.Ban_BAN_UNSPECIFIED && (outcome == pb.Outcome_OUTCOME_DONE || outcome == pb.Outcome_OUTCOME_REFUSED || r.Obstacle):
		return refuse(Invalid, "ban", "", "a %s that did not fail pronounces none", kindName(r.Kind))
	default:
		return nil
	}
}

// recordUnordered learns what a recurring monitor or a watch found.
func (d *draft) recordUnordered(r *pb.Result) error {
	o := &pb.Operation{Kind: r.Kind, Resource: r.Resource, Node: r.Node, Epoch: r.Epoch, Assignment: r.Assignment}
	a := d.ownedBy(o)
	switch {
	case r.Kind != pb.OperationKind_OPERATION_KIND_MONITOR:
		return refuse(Invalid, "operation", "", "a %s that nobody ordered is not believed", kindName(r.Kind))
	case a == nil || a.Number != r.Assignment || a.Epoch != r.Epoch || a.Revoking:
		return refuse(Stale, "assignment", "", "%s does not own %s under epoch %d and assignment %d", NodeName(d.State, r.Node), r.Resource, r.Epoch, r.Assignment)
	case OperationOn(d.State, r.Resource, r.Node) != nil:
		return refuse(Stale, "operation", "", "an operation of %s is under way there", r.Resource)
	}
	d.learn(o, r)
	return nil
}

// learn updates the instance, and who owns the resource, by a result.
func (d *draft) learn(o *pb.Operation, r *pb.Result) {
	if r.Outcome == pb.Outcome_OUTCOME_REFUSED { // nothing was done
		switch o.Kind {
		case pb.OperationKind_OPERATION_KIND_START:
			d.endOwnership(o)
		case pb.OperationKind_OPERATION_KIND_PROMOTE:
			if !InstanceOf(d.State, o.Resource, o.Node).GetPromoted() {
				d.endPromotion(o)
			}
		default:
		}
		return
	}
	if r.Obstacle {
		d.meetObstacle(r)
		if o.Kind == pb.OperationKind_OPERATION_KIND_START { // it was not begun
			d.endOwnership(o)
			return
		}
	}
	i := &pb.Instance{Resource: o.Resource, Node: o.Node}
	if known := InstanceOf(d.State, o.Resource, o.Node); known != nil {
		i = proto.CloneOf(known)
	}
	i.Epoch = o.Epoch
	d.ban(i, r)
	switch o.Kind {
	case pb.OperationKind_OPERATION_KIND_START:
		d.learnStart(i, o, r)
	case pb.OperationKind_OPERATION_KIND_STOP:
		d.learnStop(i, o, r)
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		d.learnReload(i, o, r)
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		d.learnPromote(i, o, r)
	case pb.OperationKind_OPERATION_KIND_DEMOTE:
		d.learnDemote(i, o, r)
	default:
		d.learnLook(i, o, r)
	}
	d.putInstance(i)
}

// learnStart: after a start that failed the resource may be active all the
// same, so its node stays the owner until a stop is done.
func (d *draft) learnStart(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	if r.Outcome == pb.Outcome_OUTCOME_DONE {
		d.runs(i, r)
		d.learnRole(i, o, r.Promoted)
		return
	}
	d.fail(i, o, r)
	d.setState(i, pb.InstanceState_INSTANCE_STATE_FAILED)
	if Property(d.State, "start-failure-is-fatal") == "true" {
		i.FailCount = Infinity
	}
}

// learnStop: a stop that failed is not ignored (S5). It blocks the resource and
// keeps its owner, until its node is fenced or a person has looked.
func (d *draft) learnStop(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	if r.Outcome == pb.Outcome_OUTCOME_DONE {
		d.stopped(i)
		d.endOwnership(o)
		return
	}
	d.fail(i, o, r)
	d.setState(i, pb.InstanceState_INSTANCE_STATE_BLOCKED)
	i.FailCount = Infinity
	d.escalate(i)
}

func (d *draft) learnReload(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	if r.Outcome == pb.Outcome_OUTCOME_DONE {
		d.runs(i, r)
		return
	}
	d.fail(i, o, r)
	d.setState(i, pb.InstanceState_INSTANCE_STATE_FAILED)
}

// learnLook takes in what a probe or a monitor found. What its owner no longer
// runs has failed: the right must be revoked by a stop before anything else.
func (d *draft) learnLook(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	owned := d.ownedBy(o) != nil
	probe := o.Kind == pb.OperationKind_OPERATION_KIND_PROBE
	i.Promoted = i.Promoted || r.Promoted && Promotable(d.State, i.Resource)
	switch {
	case r.Outcome == pb.Outcome_OUTCOME_DONE:
		d.found(i, r, owned)
		d.learnRole(i, o, r.Promoted)
	case r.Outcome == pb.Outcome_OUTCOME_OTHER_ROLE:
		d.fail(i, o, r)
		d.learnRole(i, o, r.Promoted)
	case r.Outcome == pb.Outcome_OUTCOME_NOT_RUNNING && !owned:
		d.stopped(i)
		i.Revision, i.Restart = 0, 0 // it did not run since the node's epoch began
	case r.Outcome == pb.Outcome_OUTCOME_NOT_RUNNING && probe: // known to have failed before
		d.setState(i, pb.InstanceState_INSTANCE_STATE_FAILED)
	case i.State == pb.InstanceState_INSTANCE_STATE_FAILED || i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED:
		i.LastError = failure(r) // the same failure seen again
	case r.Obstacle: // told already, and counted by nobody
		i.LastError = failure(r)
		d.setState(i, pb.InstanceState_INSTANCE_STATE_FAILED)
	default:
		d.fail(i, o, r)
		d.setState(i, d.failedState(i))
	}
}

// runs notes that the resource was started or reloaded by us.
func (d *draft) runs(i *pb.Instance, r *pb.Result) {
	d.setState(i, pb.InstanceState_INSTANCE_STATE_RUNNING)
	i.Revision, i.Restart = r.Revision, r.Restart
	i.Ban, i.BanRevision = pb.Ban_BAN_UNSPECIFIED, 0
	if i.OnFail == failBlock || i.OnFail == failFence { // of what failed before
		i.OnFail = ""
	}
	if r.Detail != "" {
		i.Detail = r.Detail
	}
}

// found notes that the resource was seen running. With which parameters is
// known only of what its owner started. A failed stop stays blocked (S5).
func (d *draft) found(i *pb.Instance, r *pb.Result, owned bool) {
	if i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED {
		return
	}
	d.setState(i, pb.InstanceState_INSTANCE_STATE_RUNNING)
	if !owned {
		i.Revision, i.Restart = 0, 0
	}
	if r.Detail != "" {
		i.Detail = r.Detail
	}
}

// stopped notes that the resource does not run. With which parameters it ran
// is kept: so the scheduler knows, between a stop and the next start, where the
// resource was at home.
func (d *draft) stopped(i *pb.Instance) {
	d.setState(i, pb.InstanceState_INSTANCE_STATE_STOPPED)
	i.Detail = ""
}

// endOwnership ends the right that the operation gave or revoked. A newer one stays.
func (d *draft) endOwnership(o *pb.Operation) {
	if a := d.ownedBy(o); a != nil && a.Number == o.Assignment {
		d.dropAssignment(a.Number)
	}
}

// fail counts a failure and tells of it.
func (d *draft) fail(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	d.failTo(i, o, r)
	i.FailCount = min(d.failCount(i)+1, Infinity)
	i.LastFailure, i.LastError = d.at, failure(r)
	severity := pb.Severity_SEVERITY_WARNING
	if o.Kind == pb.OperationKind_OPERATION_KIND_STOP {
		severity = pb.Severity_SEVERITY_ERROR
	}
	kind := "operation-failed"
	if r.Cause != "" {
		kind = r.Cause
	}
	d.record(&pb.Event{
		Kind: kind, Severity: severity, Resource: o.Resource, Node: NodeName(d.State, o.Node), Operation: o.Kind,
		Text: fmt.Sprintf("%s of %s on %s failed: %s", kindName(o.Kind), o.Resource, NodeName(d.State, o.Node), i.LastError),
	})
}

// ban notes that another try would end as this one did, until the parameters are
// others, and tells of it once.
func (d *draft) ban(i *pb.Instance, r *pb.Result) {
	if r.Ban == pb.Ban_BAN_UNSPECIFIED {
		return
	}
	known := i.Ban == r.Ban && i.BanRevision == r.Revision
	i.Ban, i.BanRevision = r.Ban, r.Revision
	i.LastFailure, i.LastError = d.at, failure(r)
	if known {
		return
	}
	where := "on " + NodeName(d.State, i.Node)
	if r.Ban == pb.Ban_BAN_CLUSTER {
		where = "anywhere"
	}
	d.record(&pb.Event{
		Kind: "banned", Severity: pb.Severity_SEVERITY_ERROR, Resource: i.Resource, Node: NodeName(d.State, i.Node),
		Text: fmt.Sprintf("%s may not run %s until its parameters are changed or its failures forgotten: %s", i.Resource, where, i.LastError),
	})
}

// failure says in one line what went wrong.
func failure(r *pb.Result) string {
	if said := oneLine(r.Error); said != "" {
		return said
	}
	switch r.Outcome {
	case pb.Outcome_OUTCOME_TIMED_OUT:
		return fmt.Sprintf("no end after %v", r.Duration.AsDuration().Round(time.Millisecond))
	case pb.Outcome_OUTCOME_NOT_RUNNING:
		return "it is not running"
	default:
		return "the agent gave no reason"
	}
}

// failCount is the count at the proposer's time.
func (d *draft) failCount(i *pb.Instance) uint32 {
	if d.at == nil {
		return i.FailCount
	}
	return FailCount(d.State, i, d.at.AsTime())
}

// FailCount returns how often a resource failed on a node, as far as its
// failure-timeout has not forgiven it. 1000000 is INFINITY.
func FailCount(s *pb.State, i *pb.Instance, now time.Time) uint32 {
	if i.GetFailCount() == 0 || i.LastFailure == nil {
		return i.GetFailCount()
	}
	timeout, err := ParseDuration(Meta(s, i.Resource, "failure-timeout"))
	if err == nil && timeout > 0 && !now.Before(i.LastFailure.AsTime().Add(timeout)) {
		return 0
	}
	return i.FailCount
}
