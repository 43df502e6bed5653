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
		for _, members := range g.instancesOf(s, group.Id) {
			for i := 1; i < len(members); i++ {
				g.colocate(&colocation{id: group.Id, dependent: members[i], primary: members[i-1], score: infinity})
				g.order(&order{id: group.Id, firsts: members[i-1 : i], then: members[i]})
			}
		}
	}
	g.inOrder(s)
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
				colocations = append(colocations, g.unpackColocation(s, c.Id, k)...)
			}
		case *pb.Constraint_Order:
			g.unpackOrders(s, c.Id, k.Order)
		}
	}
	g.colocateAll(colocations)
}

// membersOf returns the resource of an id, or a group's members in start order; of
// a clone those of all its instances, one instance after the other.
func (g *graph) membersOf(s *pb.State, id string) []*resource {
	return slices.Concat(g.instancesOf(s, id)...)
}

// instancesOf returns the resource of an id, or a group's members in start order:
// of a clone, or what is in it, once for each node.
func (g *graph) instancesOf(s *pb.State, id string) [][]*resource {
	if c := g.cloneNamed(id); c != nil {
		id = c.Member
	}
	ids := []string{id}
	if i := slices.IndexFunc(s.Groups, func(group *pb.Group) bool { return group.Id == id }); i >= 0 {
		ids = s.Groups[i].Members
	}
	var instances [][]*resource
	for _, id := range ids {
		r := g.resource(id)
		if r == nil {
			continue
		}
		list := r.siblings
		if list == nil {
			list = []*resource{r}
		}
		if instances == nil {
			instances = make([][]*resource, len(list))
		}
		for i, r := range list {
			instances[i] = append(instances[i], r)
		}
	}
	return instances
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
// group needs all of it if that is mandatory, and its first member otherwise. Of
// clones it binds each instance: to all of what is not cloned, and of two clones
// those of one node.
//
// It returns nothing for what says nothing.
func (g *graph) unpackColocation(s *pb.State, id string, c *pb.Colocation) []*colocation {
	var list []*colocation
	for _, dependents := range g.inRole(s, c.Resource, c.Role) {
		for _, primaries := range g.inRole(s, c.With, c.WithRole) {
			dependent, primary := dependents[0], primaries[0]
			if c.Score >= infinity {
				primary = primaries[len(primaries)-1]
			}
			if primary != dependent && (dependent.clone == nil || primary.clone == nil || dependent.seat == primary.seat) {
				list = append(list, &colocation{id: id, dependent: dependent, primary: primary, score: c.Score, said: c, again: len(list) > 0})
			}
		}
	}
	return list
}

// colocateAll takes in what must run together first, so that what is merely
// advisable closes no circle: a resource is placed after its primaries.
func (g *graph) colocateAll(list []*colocation) {
	slices.SortStableFunc(list, func(a, b *colocation) int { return cmp.Compare(b.score/infinity, a.score/infinity) })
	for _, c := range list {
		if group := c.dependent.group; c.score < 0 && group != nil && group == c.primary.group {
			g.problems.add(worthKnowing, "", fmt.Sprintf("colocation %s is ignored: group %s keeps %s and %s together", c.id, group.Id, c.dependent.Id, c.primary.Id))
			continue
		}
		if c.score <= -infinity && c.primary.placedAfter(c.dependent) {
			c.dependent, c.primary = c.primary, c.dependent // apart is apart
			c.said = &pb.Colocation{Resource: c.said.With, Role: c.said.WithRole, With: c.said.Resource, WithRole: c.said.Role, Score: c.score, NodeAttribute: c.said.NodeAttribute, Influence: c.said.Influence}
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
// first member after others. What follows a clone waits for all its instances; for
// the one beside it alone if it is a clone with interleave=true, or must run with
// that clone anyway.
func (g *graph) unpackOrder(s *pb.State, id string, o *pb.Order) {
	var firsts []*resource
	for _, members := range g.inRole(s, o.First, roleOf(o.FirstAction)) {
		firsts = append(firsts, members[len(members)-1])
	}
	for _, thens := range g.inRole(s, o.Then, roleOf(o.ThenAction)) {
		then := thens[0]
		if len(firsts) == 0 || slices.Contains(firsts, then) {
			continue
		}
		g.order(&order{
			id: id, firsts: firsts, then: then, kind: o.Kind, asymmetrical: o.Asymmetrical, any: o.AnyInstance,
			beside: firsts[0].clone != nil && (then.clone != nil && then.clone.interleave || bound(s, o.Then, o.First)),
		})
	}
}

// bound reports whether one thing may run only beside another.
func bound(s *pb.State, dependent, primary string) bool {
	return slices.ContainsFunc(s.Constraints, func(c *pb.Constraint) bool {
		k := c.GetColocation()
		return k != nil && k.Resource == dependent && k.With == primary && k.Score >= infinity
	})
}

// order adds an order unless it contradicts those before it.
func (g *graph) order(o *order) {
	contradicts := func(first *resource) bool { return first.comesAfter(o.then) }
	if o.kind != pb.OrderKind_ORDER_KIND_SERIALIZE && slices.ContainsFunc(o.firsts, contradicts) {
		g.problems.add(worthKnowing, "", fmt.Sprintf("order %s is ignored: %s already starts after %s", o.id, o.name(), o.then.Id))
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
				before = append(before, o.firsts...)
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
