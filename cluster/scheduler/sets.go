package scheduler

import (
	"slices"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// colocationsIn takes the sets of a colocation apart.
func colocationsIn(c *pb.Colocation) []*pb.Colocation {
	if len(c.Sets) == 0 {
		return []*pb.Colocation{c}
	}
	var list []*pb.Colocation
	for _, p := range constraint.Colocations(c) {
		list = append(list, &pb.Colocation{Resource: p.Dependent, Role: p.DependentRole, With: p.Primary, WithRole: p.PrimaryRole, Score: c.Score, Influence: c.Influence})
	}
	return list
}

// unpackOrders takes the sets of an order apart, and tells orders of starts, which
// stops follow backwards, from those of stops.
func (g *graph) unpackOrders(s *pb.State, id string, o *pb.Order) {
	for _, p := range constraint.Orders(o) {
		single := &pb.Order{
			First: p.First, Then: p.Then, FirstAction: p.FirstAction, ThenAction: p.ThenAction,
			Kind: o.Kind, Asymmetrical: o.Asymmetrical, AnyInstance: o.AnyInstance,
		}
		first, _ := constraint.Promotes(p.FirstAction)
		then, _ := constraint.Promotes(p.ThenAction)
		switch {
		case len(p.Instead) > 0:
			g.unpackAny(s, id, p, o.Asymmetrical)
		case first == pb.OrderAction_ORDER_ACTION_START || o.Kind == pb.OrderKind_ORDER_KIND_SERIALIZE:
			g.unpackOrder(s, id, single)
		case then == pb.OrderAction_ORDER_ACTION_STOP && !o.Asymmetrical:
			single.First, single.Then = single.Then, single.First
			single.FirstAction, single.ThenAction = single.ThenAction, single.FirstAction
			g.unpackOrder(s, id, single)
		default:
			g.unpackStops(s, single, then)
		}
	}
}

// unpackAny orders what may start once one of several has.
func (g *graph) unpackAny(s *pb.State, id string, p constraint.Order, asymmetrical bool) {
	var firsts []*resource
	for _, first := range append([]string{p.First}, p.Instead...) {
		for _, members := range g.inRole(s, first, roleOf(p.FirstAction)) {
			firsts = append(firsts, members[len(members)-1])
		}
	}
	for _, thens := range g.inRole(s, p.Then, roleOf(p.ThenAction)) {
		if len(firsts) > 0 && !slices.Contains(firsts, thens[0]) {
			g.order(&order{id: id, firsts: firsts, then: thens[0], any: true, asymmetrical: asymmetrical})
		}
	}
}

// A stopOrder lets a resource stop, or start, only after another has stopped, if
// that is about to. It is never what keeps a resource from running.
type stopOrder struct {
	first, then *resource
	kind        pb.OperationKind // of then: stop or start
}

// unpackStops orders what follows the stop of a group by its first member, which
// stops last; a group itself begins to stop with its last member. Of clones it
// orders all instances.
func (g *graph) unpackStops(s *pb.State, o *pb.Order, action pb.OrderAction) {
	for _, firsts := range g.inRole(s, o.First, roleOf(o.FirstAction)) {
		for _, thens := range g.inRole(s, o.Then, roleOf(o.ThenAction)) {
			after := &stopOrder{first: firsts[0], then: thens[0], kind: start}
			if action == pb.OrderAction_ORDER_ACTION_STOP {
				after.then, after.kind = thens[len(thens)-1], stop
			}
			if after.first != after.then {
				g.stopOrders = append(g.stopOrders, after)
			}
		}
	}
}

// link lets the second's tasks wait for the first's stops.
func (o *stopOrder) link(jobs map[*resource]*job) {
	first, then := jobs[o.first], jobs[o.then]
	for _, t := range then.of(o.kind) {
		t.on(first.of(stop)...)
		t.onFlights(first, stop)
	}
}

// oneNode reports whether two nodes are one for a colocation.
func (g *graph) oneNode(c *colocation, a, b int) bool {
	if a == b || c.said.GetNodeAttribute() == "" {
		return a == b
	}
	value, set := g.nodes[a].Attributes[c.said.NodeAttribute]
	other, also := g.nodes[b].Attributes[c.said.NodeAttribute]
	return set && also && value == other
}
