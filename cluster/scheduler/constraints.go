package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// unpackGroups binds each member to the one before it: beside it, and after it.
func (g *graph) unpackGroups(s *pb.State) {
	groups := slices.SortedFunc(slices.Values(s.Groups), func(a, b *pb.Group) int { return strings.Compare(a.Id, b.Id) })
	for _, group := range groups {
		members := g.membersOf(s, group.Id)
		for i := 1; i < len(members); i++ {
			g.colocate(&colocation{id: group.Id, dependent: members[i], primary: members[i-1], score: infinity})
			g.order(&order{id: group.Id, first: members[i-1], then: members[i]})
		}
	}
}

func (g *graph) unpackConstraints(s *pb.State) {
	constraints := slices.SortedFunc(slices.Values(s.Constraints), func(a, b *pb.Constraint) int { return strings.Compare(a.Id, b.Id) })
	var colocations []*colocation
	for _, c := range constraints {
		switch k := c.Kind.(type) {
		case *pb.Constraint_Location:
			g.unpackLocation(s, c, k.Location)
		case *pb.Constraint_Colocation:
			for _, k := range colocationsIn(k.Colocation) {
				if c := g.unpackColocation(s, c.Id, k); c != nil {
					colocations = append(colocations, c)
				}
			}
		case *pb.Constraint_Order:
			g.unpackOrders(s, c.Id, k.Order)
		}
	}
	g.colocateAll(colocations)
}

// membersOf returns the resource of an id, or a group's members in start order.
func (g *graph) membersOf(s *pb.State, id string) []*resource {
	ids := []string{id}
	if i := slices.IndexFunc(s.Groups, func(group *pb.Group) bool { return group.Id == id }); i >= 0 {
		ids = s.Groups[i].Members
	}
	var members []*resource
	for _, id := range ids {
		if r := g.resource(id); r != nil {
			members = append(members, r)
		}
	}
	return members
}

// unpackLocation takes in a location, unless it is of a resource that is to run
// nowhere: that has no wishes.
func (g *graph) unpackLocation(s *pb.State, c *pb.Constraint, l *pb.Location) {
	if slices.ContainsFunc(g.membersOf(s, l.Resource), func(r *resource) bool { return r.unwanted == "" }) {
		g.locations = append(g.locations, c)
		g.wakeFor(l.Rule)
	}
}

// unpackColocation binds a group by its first member. What is to run with a
// group needs all of it if that is mandatory, and its first member otherwise.
//
// It returns nil for what says nothing.
func (g *graph) unpackColocation(s *pb.State, id string, c *pb.Colocation) *colocation {
	dependents, primaries := g.membersOf(s, c.Resource), g.membersOf(s, c.With)
	if len(dependents) == 0 || len(primaries) == 0 {
		return nil
	}
	primary := primaries[0]
	if c.Score >= infinity {
		primary = primaries[len(primaries)-1]
	}
	if primary == dependents[0] {
		return nil
	}
	return &colocation{id: id, dependent: dependents[0], primary: primary, score: c.Score, said: c}
}

// colocateAll takes in what must run together first, so that what is merely
// advisable closes no circle: a resource is placed after its primaries.
func (g *graph) colocateAll(list []*colocation) {
	slices.SortStableFunc(list, func(a, b *colocation) int { return cmp.Compare(b.score/infinity, a.score/infinity) })
	for _, c := range list {
		if c.score <= -infinity && c.primary.placedAfter(c.dependent) {
			c.dependent, c.primary = c.primary, c.dependent // apart is apart
			c.said = &pb.Colocation{Resource: c.said.With, With: c.said.Resource, Score: c.score, NodeAttribute: c.said.NodeAttribute, Influence: c.said.Influence}
		}
		switch {
		case !c.primary.placedAfter(c.dependent):
			g.colocate(c)
		case c.mandatory(): // all of a circle run, or none
			g.colocations = append(g.colocations, c)
		default:
			g.problems.add(worthKnowing, "", fmt.Sprintf("colocation %s is ignored: the place of %s follows that of %s already", c.id, c.primary.Id, c.dependent.Id))
		}
	}
}

func (g *graph) colocate(c *colocation) {
	g.colocations = append(g.colocations, c)
	c.dependent.with = append(c.dependent.with, c)
	c.primary.dependents = append(c.primary.dependents, c)
}

// unpackOrder orders a group by its last member before others, and by its
// first member after others.
func (g *graph) unpackOrder(s *pb.State, id string, o *pb.Order) {
	firsts, thens := g.membersOf(s, o.First), g.membersOf(s, o.Then)
	if len(firsts) == 0 || len(thens) == 0 || firsts[len(firsts)-1] == thens[0] {
		return
	}
	g.order(&order{id: id, first: firsts[len(firsts)-1], then: thens[0], kind: o.Kind, asymmetrical: o.Asymmetrical})
}

// order adds an order unless it contradicts those before it.
func (g *graph) order(o *order) {
	if o.kind != pb.OrderKind_ORDER_KIND_SERIALIZE && o.first.comesAfter(o.then) {
		g.problems.add(worthKnowing, "", fmt.Sprintf("order %s is ignored: %s already starts after %s", o.id, o.first.Id, o.then.Id))
		return
	}
	g.orders = append(g.orders, o)
	o.then.after = append(o.then.after, o)
}

// comesAfter reports whether r is, or starts after, another.
func (r *resource) comesAfter(other *resource) bool {
	return reaches(r, other, func(r *resource) (before []*resource) {
		for _, o := range r.after {
			if o.kind != pb.OrderKind_ORDER_KIND_SERIALIZE {
				before = append(before, o.first)
			}
		}
		return before
	})
}

// placedAfter reports whether r is, or is placed after, another.
func (r *resource) placedAfter(other *resource) bool {
	return reaches(r, other, func(r *resource) (before []*resource) {
		for _, c := range r.with {
			before = append(before, c.primary)
		}
		return before
	})
}

// reaches reports whether a way leads from one resource to another.
func reaches(from, to *resource, next func(*resource) []*resource) bool {
	seen := map[*resource]bool{from: true}
	for queue := []*resource{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			return true
		}
		for _, r := range next(queue[0]) {
			if !seen[r] {
				seen[r] = true
				queue = append(queue, r)
			}
		}
	}
	return false
}
