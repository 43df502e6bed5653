package state

import (
	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// mostInSets bounds what one constraint may bind: pairs grow with its square.
const mostInSets = 200

// checkColocation checks a colocation and brings it into the form that is kept.
func (d *draft) checkColocation(c *pb.Colocation) error {
	c.Score = Saturate(c.Score)
	if len(c.Sets) == 0 {
		return d.checkPair(c.Resource, c.With, "placed with")
	}
	if c.Resource+c.With != "" {
		return refuse(Invalid, "colocation", "give one of them", "it has resources and sets")
	}
	if c.NodeAttribute != "" {
		return refuse(Invalid, "node-attribute", "write one colocation a pair", "a colocation of sets cannot have it")
	}
	for _, set := range c.Sets {
		if set.Any || set.Action != pb.OrderAction_ORDER_ACTION_START {
			return refuse(Invalid, "colocation set", "leave them out", "action and require-all are options of orders")
		}
	}
	return d.checkSets(c.Sets, "placed with")
}

// checkOrder checks an order.
func (d *draft) checkOrder(o *pb.Order) error {
	if _, known := pb.OrderKind_name[int32(o.Kind)]; !known {
		return refuse(Invalid, "order kind", "use mandatory, optional or serialize", "%v is no kind of order", o.Kind)
	}
	if len(o.Sets) > 0 && o.First+o.Then != "" {
		return refuse(Invalid, "order", "give one of them", "it has resources and sets")
	}
	if o.AnyInstance && CloneByID(d.State, o.First) == nil {
		return refuse(Invalid, "require-all", "leave it out, or write it in a set", "%q is no clone, of which one instance could be enough", o.First)
	}
	for _, set := range o.Sets {
		if action, _ := constraint.Promotes(set.Action); set.Any && action != pb.OrderAction_ORDER_ACTION_START {
			return refuse(Invalid, "require-all", "leave it out", "only of starts and promotions one can be enough")
		}
		if set.Role != pb.InstanceRole_INSTANCE_ROLE_ANY {
			return refuse(Invalid, "role", "write action=promote", "a set of an order has an action, and no role")
		}
	}
	if err := checkActions(o); err != nil {
		return err
	}
	if len(o.Sets) > 0 {
		return d.checkSets(o.Sets, "ordered after")
	}
	return d.checkPair(o.First, o.Then, "ordered after")
}

// checkActions refuses orders that no plan could keep free of circles: a start
// never waits for a start that waits for its own stop. What is stopped before
// something else starts says nothing of the other way round.
func checkActions(o *pb.Order) error {
	const start, stop = pb.OrderAction_ORDER_ACTION_START, pb.OrderAction_ORDER_ACTION_STOP
	for _, p := range constraint.Orders(o) {
		for _, a := range []pb.OrderAction{p.FirstAction, p.ThenAction} {
			if _, known := pb.OrderAction_name[int32(a)]; !known {
				return refuse(Invalid, "order action", "use start, stop, promote or demote", "%v is no action", a)
			}
		}
		first, _ := constraint.Promotes(p.FirstAction)
		then, _ := constraint.Promotes(p.ThenAction)
		switch {
		case first == start && then == stop:
			return refuse(Invalid, "order", "order the starts, or the stops", "a stop or demotion after a start or promotion is not available in this version")
		case first == then || o.Asymmetrical || o.Kind != pb.OrderKind_ORDER_KIND_MANDATORY:
		default:
			return refuse(Invalid, "order", "add symmetrical=false", "a start after a stop cannot be symmetrical")
		}
	}
	return nil
}

// checkSets refuses sets that bind nothing, or that bind a resource to itself.
func (d *draft) checkSets(sets []*pb.ResourceSet, relation string) error {
	var names []string
	for _, set := range sets {
		if len(set.Resources) == 0 {
			return refuse(Invalid, "set", "name its resources", "it is empty")
		}
		names = append(names, set.Resources...)
	}
	switch n := len(names); {
	case n < 2:
		return refuse(Invalid, "set", "name two resources or more", "%s alone binds nothing", names[0])
	case n > mostInSets:
		return refuse(Invalid, "set", "make two constraints of it", "its sets have more than %d resources", mostInSets)
	case len(sets) == 1 && sets[0].Parallel:
		return refuse(Invalid, "set", "add another set, or leave sequential=false out", "the only set, without a sequence, binds nothing")
	}
	for i, a := range names {
		for _, b := range names[:i] {
			if err := d.checkPair(a, b, relation); err != nil {
				return err
			}
		}
	}
	return nil
}
