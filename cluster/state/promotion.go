package state

import (
	"cmp"
	"fmt"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// Instances of a promotable clone run unpromoted or promoted (Pacemaker Explained
// 3.0, "Promotable Clones"). Invariant: at most promoted-max nodes have an
// assignment that says promoted, and an instance is promoted under one alone, so
// that S1 holds for what only one may be at a time.

// Promotable reports whether instances of a resource may be promoted.
func Promotable(s *pb.State, resource string) bool { return promotable(CloneOf(s, resource)) }

func promotable(c *pb.Clone) bool {
	yes, err := ParseBool(cloneOption(c, "promotable"))
	return err == nil && yes
}

// PromotedMax returns on how many nodes a resource may be promoted at once.
func PromotedMax(s *pb.State, resource string) int {
	if !Promotable(s, resource) {
		return 0
	}
	n, err := ParseScore(cloneOption(CloneOf(s, resource), "promoted-max"))
	if err != nil || n < 0 {
		return 0 // not checked in: nothing more is promoted
	}
	return int(n)
}

// mayBePromoted reports whether an instance may be promoted now, on a node that
// has not gone since: also where nobody has looked yet.
func (d *draft) mayBePromoted(i *pb.Instance) bool {
	if i == nil || i.State == pb.InstanceState_INSTANCE_STATE_STOPPED {
		return false
	}
	return i.Promoted || i.State == pb.InstanceState_INSTANCE_STATE_UNKNOWN && Promotable(d.State, i.Resource)
}

// intendPromote gives a node the right to be promoted beside that to run. It is
// the last line of defence of S1 for that role.
func (d *draft) intendPromote(o *pb.Operation, n *pb.Node) error {
	a := d.ownedBy(o)
	switch i := InstanceOf(d.State, o.Resource, n.Id); {
	case !Promotable(d.State, o.Resource):
		return refuse(Precondition, "resource", "", "%s is in no promotable clone", o.Resource)
	case a == nil || a.Revoking:
		return refuse(Precondition, "assignment", "", "%s does not own %s", n.Name, o.Resource)
	case i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING:
		return refuse(Precondition, "resource", "", "%s is %s on %s", o.Resource, stateName(i.GetState()), n.Name)
	}
	switch others, most := d.promotedElsewhere(o.Resource, n.Id), PromotedMax(d.State, o.Resource); {
	case most == 0:
		return refuse(Precondition, "resource", "", "%s may be promoted on no node, as its promoted-max is 0", o.Resource)
	case len(others) >= most:
		return others[0]
	}
	o.Assignment = a.Number
	d.putAssignment(with(a, func(a *pb.Assignment) { a.Promoted = true }))
	return nil
}

// promotedElsewhere returns why a resource may be promoted, or be about to, on each
// other node than the given one.
func (d *draft) promotedElsewhere(resource, except string) []error {
	var list []error
	counted := map[string]bool{except: true}
	count := func(node string) {
		if !counted[node] {
			counted[node] = true
			list = append(list, refuse(Precondition, "resource", "demote it there first", "%s may be promoted on %s", resource, NodeName(d.State, node)))
		}
	}
	for _, a := range AssignmentsOf(d.State, resource) {
		if a.Promoted {
			count(a.Node)
		}
	}
	for _, i := range d.maybeActive(resource) {
		if d.mayBePromoted(i) {
			count(i.Node)
		}
	}
	return list
}

// endPromotion takes back the right to be promoted.
func (d *draft) endPromotion(o *pb.Operation) {
	if a := d.ownedBy(o); a.GetPromoted() {
		d.putAssignment(with(a, func(a *pb.Assignment) { a.Promoted = false }))
	}
}

// learnPromote: after a promotion that failed the instance may be promoted all the
// same.
func (d *draft) learnPromote(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	i.Promoted, i.Promotion = true, d.index
	if r.Outcome != pb.Outcome_OUTCOME_DONE {
		d.fail(i, o, r)
		d.setState(i, d.failedState(i))
	}
}

// learnDemote: what could not be demoted is to be stopped.
func (d *draft) learnDemote(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	if r.Outcome == pb.Outcome_OUTCOME_DONE {
		i.Promoted = false
		if i.OnFail == failDemote {
			i.OnFail = ""
		}
		d.endPromotion(o)
		return
	}
	d.fail(i, o, r)
	d.setState(i, pb.InstanceState_INSTANCE_STATE_FAILED)
}

// learnRole takes in that an instance runs, and in which role. A promotion under
// way will say so itself.
func (d *draft) learnRole(i *pb.Instance, o *pb.Operation, promoted bool) {
	i.Promoted = promoted && Promotable(d.State, i.Resource)
	if !i.Promoted {
		d.endPromotion(o)
	}
}

// checkRoles refuses constraints on the roles of what is not promotable.
func (d *draft) checkRoles() error {
	for _, c := range d.Constraints {
		for _, id := range constraint.Promotables(c) {
			if clone := CloneByID(d.State, id); clone == nil || !promotable(clone) {
				return refuse(Precondition, "constraint "+c.Id, "make a promotable clone of it, or delete the constraint", "it is about what is promoted, and %s is no promotable clone", id)
			}
		}
	}
	return nil
}

// checkPromotions refuses a change after which nobody would know any more that
// something is promoted.
func (d *draft) checkPromotions(before *pb.State) error {
	for _, i := range d.Instances {
		forgotten := Promotable(before, i.Resource) && !Promotable(d.State, i.Resource)
		if forgotten && i.Promoted && i.State != pb.InstanceState_INSTANCE_STATE_STOPPED {
			return refuse(Precondition, "clone", fmt.Sprintf("demote it first, with `resource meta %s target-role=Unpromoted --wait`", cmp.Or(CloneOf(d.State, i.Resource).GetId(), i.Resource+"-clone")),
				"%s is promoted on %s", i.Resource, NodeName(d.State, i.Node))
		}
	}
	return nil
}
