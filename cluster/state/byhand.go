package state

import (
	"errors"
	"fmt"

	pb "quorate/proto/quorate/v1"
)

// A person may have a node's agent start, stop, promote or demote a resource outside of
// the plan, to see what it says (`resource debug-start`). Invariant: from before such a
// start, or promotion, until the resource is given back, the node counts as one
// that may run it, or has it promoted, so that S1 and S4 hold for what people start as
// for what is ordered. There is no assignment, so no time frees it: also when the node
// is gone it takes a person to say that it is over.

var byHandActions = map[pb.OperationKind]bool{
	pb.OperationKind_OPERATION_KIND_START: true, pb.OperationKind_OPERATION_KIND_STOP: true,
	pb.OperationKind_OPERATION_KIND_PROMOTE: true, pb.OperationKind_OPERATION_KIND_DEMOTE: true,
}

// runByHand takes in what a person is about to do, or has done.
func (d *draft) runByHand(h *pb.RunByHand) error {
	n, r := NodeByID(d.State, h.Node), ResourceByID(d.State, h.Resource)
	switch {
	case r == nil:
		return d.noSuchResource("resource", h.Resource)
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", h.Node)
	case !byHandActions[h.Action]:
		return refuse(Invalid, "action", "use start, stop, promote or demote", "%v is nothing that is done by hand", h.Action)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != h.Epoch:
		return refuse(Stale, "epoch", "try again", "%s is not admitted at epoch %d", n.Name, h.Epoch)
	}
	i := with(d.instanceAt(r, n), func(*pb.Instance) {})
	if h.Ended {
		d.ranByHand(i, h)
		d.putInstance(i)
		return nil
	}
	if !h.Force {
		if err := d.mayByHand(h.Action, r, n); err != nil {
			return err
		}
	}
	switch h.Action { //nolint:exhaustive // a stop and a demotion are noted when they are done
	case pb.OperationKind_OPERATION_KIND_START:
		i.ByHand = true
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		i.ByHand, i.Promoted, i.Promotion = true, true, d.index
		d.rightToPromoted(r.Id, n.Id, true)
	}
	d.putInstance(i)
	d.record(&pb.Event{
		Kind: "by-hand", Resource: r.Id, Node: n.Name, Actor: d.actor, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("a %s of %s on %s was asked for by hand", kindName(h.Action), r.Id, n.Name),
	})
	return nil
}

// ranByHand takes in that it was tried: what became of it, a probe tells.
func (d *draft) ranByHand(i *pb.Instance, h *pb.RunByHand) {
	switch {
	case h.Failed:
	case h.Action == pb.OperationKind_OPERATION_KIND_STOP:
		i.ByHand, i.Promoted = false, false
	case h.Action == pb.OperationKind_OPERATION_KIND_DEMOTE:
		i.Promoted = false
		d.rightToPromoted(i.Resource, i.Node, false)
		i.ByHand = i.ByHand && AssignmentAt(d.State, i.Resource, i.Node) == nil
	}
	if AssignmentAt(d.State, i.Resource, i.Node) == nil {
		d.setState(i, pb.InstanceState_INSTANCE_STATE_UNKNOWN)
	}
}

// instanceAt is what is known of a resource on a node; of what was never there, that it
// is not known.
func (d *draft) instanceAt(r *pb.Resource, n *pb.Node) *pb.Instance {
	if i := InstanceOf(d.State, r.Id, n.Id); i != nil {
		return i
	}
	return &pb.Instance{Resource: r.Id, Node: n.Id, Epoch: n.Epoch, Since: d.at}
}

// rightToPromoted gives or takes the right to be promoted, if there is one to run.
func (d *draft) rightToPromoted(resource, node string, promoted bool) {
	if a := AssignmentAt(d.State, resource, node); a != nil && !a.Orphaned {
		d.putAssignment(with(a, func(a *pb.Assignment) { a.Promoted = promoted }))
	}
}

// atYourRisk is the way out of a refusal.
const atYourRisk = "or use --force if you know better"

// mayByHand refuses what could bring about two owners, or what the cluster would undo.
func (d *draft) mayByHand(action pb.OperationKind, r *pb.Resource, n *pb.Node) error {
	if o := OperationOn(d.State, r.Id, n.Id); o != nil {
		return refuse(Precondition, "resource", "wait for its end", "a %s of %s on %s is under way", kindName(o.Kind), r.Id, n.Name)
	}
	switch action { //nolint:exhaustive // the rest is no matter of others
	case pb.OperationKind_OPERATION_KIND_START:
		return d.mayStartByHand(r, n)
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		return d.mayPromoteByHand(r, n)
	}
	a := AssignmentAt(d.State, r.Id, n.Id)
	demotes := action == pb.OperationKind_OPERATION_KIND_DEMOTE
	if demotes && !Promotable(d.State, r.Id) {
		return refuse(Invalid, "resource", "", "%s is in no promotable clone", r.Id)
	}
	if a == nil || demotes && !a.Promoted || InstanceOf(d.State, r.Id, n.Id).GetByHand() || d.leftAlone(r, n) {
		return nil
	}
	return refuse(Precondition, "resource", fmt.Sprintf("use `resource disable %s`, or `resource unmanage %s` first, %s", r.Id, r.Id, atYourRisk),
		"the cluster runs %s on %s, and would undo the %s", r.Id, n.Name, kindName(action))
}

func (d *draft) mayStartByHand(r *pb.Resource, n *pb.Node) error {
	switch {
	case n.Role == pb.Role_ROLE_WITNESS:
		return refuse(Precondition, "node", "", "%s is a witness, which hosts nothing", n.Name)
	case r.Deleting:
		return refuse(Precondition, "resource", "", "%s is being deleted", r.Id)
	case AssignmentAt(d.State, r.Id, n.Id) != nil:
		return refuse(Precondition, "resource", fmt.Sprintf("stop it with `resource disable %s --wait`, %s", r.Id, atYourRisk), "the cluster runs %s on %s already", r.Id, n.Name)
	}
	why := append(d.elsewhere(r.Id, n.Id), d.unknownElsewhere(r.Id, n.Id)...)
	if most := Copies(d.State, r.Id); len(why) > 0 && len(why) >= most {
		return refuse(Precondition, "resource", fmt.Sprintf("stop it with `resource disable %s --wait`, %s", r.Id, atYourRisk), "%s may run on two nodes then: %s", r.Id, problemOf(why[0]))
	}
	return nil
}

// unknownElsewhere returns the other nodes on which nobody has looked for a resource yet.
func (d *draft) unknownElsewhere(resource, except string) []error {
	var list []error
	for _, n := range d.Nodes {
		if n.Id == except || n.Role == pb.Role_ROLE_WITNESS || n.Admission != pb.Admission_ADMISSION_ADMITTED || AssignmentAt(d.State, resource, n.Id) != nil {
			continue
		}
		if InstanceOf(d.State, resource, n.Id) == nil {
			list = append(list, refuse(Precondition, "resource", "", "nobody knows yet whether %s runs on %s", resource, n.Name))
		}
	}
	return list
}

func (d *draft) mayPromoteByHand(r *pb.Resource, n *pb.Node) error {
	i := InstanceOf(d.State, r.Id, n.Id)
	switch {
	case !Promotable(d.State, r.Id):
		return refuse(Invalid, "resource", "", "%s is in no promotable clone", r.Id)
	case i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING:
		return refuse(Precondition, "resource", fmt.Sprintf("start it with `resource debug-start %s`", r.Id), "%s is %s on %s", r.Id, instanceName(i), n.Name)
	}
	why, clone := d.promotedElsewhere(r.Id, n.Id), CloneOf(d.State, r.Id)
	if most := PromotedMax(d.State, r.Id); len(why) > 0 && len(why) >= most {
		return refuse(Precondition, "resource", fmt.Sprintf("demote it with `resource meta %s target-role=Unpromoted --wait`, %s", clone.GetId(), atYourRisk),
			"%s may be promoted on two nodes then: %s", r.Id, problemOf(why[0]))
	}
	return nil
}

// problemOf is what a refusal says is wrong.
func problemOf(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Problem
	}
	return err.Error()
}

// leftAlone reports whether the cluster leaves a resource on a node as it is.
func (d *draft) leftAlone(r *pb.Resource, n *pb.Node) bool {
	is := func(value string) bool { yes, err := ParseBool(value); return err == nil && yes }
	return n.Maintenance || is(Property(d.State, "maintenance-mode")) || is(Meta(d.State, r.Id, "maintenance")) || !is(Meta(d.State, r.Id, "is-managed"))
}
