// Package constraint says which resources a constraint names, what its resource
// sets mean for two resources at a time (Pacemaker Explained 3.0, "Resource
// Sets"), and how rules are written.
//
// It is pure. What a constraint does to placements is cluster/scheduler's to
// know; which ones may be configured, cluster/state's.
package constraint

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// Names returns the ids that a constraint names, in its order.
func Names(c *pb.Constraint) []string {
	l, t, o := c.GetLocation(), c.GetColocation(), c.GetOrder()
	var names []string
	for _, set := range slices.Concat(t.GetSets(), o.GetSets()) {
		names = append(names, set.GetResources()...)
	}
	for _, name := range []string{l.GetResource(), t.GetResource(), t.GetWith(), o.GetFirst(), o.GetThen()} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Renamed returns the constraint with another name in place of one of its names.
func Renamed(c *pb.Constraint, from, to string) *pb.Constraint {
	if !slices.Contains(Names(c), from) {
		return c
	}
	c = proto.CloneOf(c)
	rename := func(name *string) {
		if *name == from {
			*name = to
		}
	}
	for _, set := range sets(c) {
		for i := range set.Resources {
			rename(&set.Resources[i])
		}
	}
	if l := c.GetLocation(); l != nil {
		rename(&l.Resource)
	}
	if t := c.GetColocation(); t != nil {
		rename(&t.Resource)
		rename(&t.With)
	}
	if o := c.GetOrder(); o != nil {
		rename(&o.First)
		rename(&o.Then)
	}
	return c
}

// Without returns the constraint without one of its names: out of its sets, if
// two names are left; nil: there is nothing left to constrain.
func Without(c *pb.Constraint, name string) *pb.Constraint {
	names := Names(c)
	switch sets := sets(c); {
	case !slices.Contains(names, name):
		return c
	case sets == nil || len(names) < 3:
		return nil
	default:
		return withSets(c, lacking(sets, name))
	}
}

func sets(c *pb.Constraint) []*pb.ResourceSet {
	return slices.Concat(c.GetColocation().GetSets(), c.GetOrder().GetSets())
}

// lacking returns sets without one resource, and without a set that it leaves
// empty.
func lacking(sets []*pb.ResourceSet, name string) []*pb.ResourceSet {
	var kept []*pb.ResourceSet
	for _, set := range sets {
		resources := slices.DeleteFunc(slices.Clone(set.GetResources()), func(r string) bool { return r == name })
		if len(resources) > 0 {
			kept = append(kept, &pb.ResourceSet{Resources: resources, Parallel: set.GetParallel(), Any: set.GetAny(), Action: set.GetAction(), Role: set.GetRole()})
		}
	}
	return kept
}

// withSets returns a copy of a constraint with other sets.
func withSets(c *pb.Constraint, sets []*pb.ResourceSet) *pb.Constraint {
	c = proto.CloneOf(c)
	if t := c.GetColocation(); t != nil {
		t.Sets = sets
	}
	if o := c.GetOrder(); o != nil {
		o.Sets = sets
	}
	return c
}

// SetsText writes sets for people, as (a b) (c).
func SetsText(sets []*pb.ResourceSet) string {
	texts := make([]string, len(sets))
	for i, s := range sets {
		texts[i] = "(" + strings.Join(append(slices.Clone(s.GetResources()), SetOptions(s)...), " ") + ")"
	}
	return strings.Join(texts, " ")
}

// SetOptions writes what a set says beside its resources.
func SetOptions(s *pb.ResourceSet) []string {
	var words []string
	if s.GetAction() != pb.OrderAction_ORDER_ACTION_START {
		words = append(words, "action="+ActionWord(s.GetAction()))
	}
	if s.GetRole() != pb.InstanceRole_INSTANCE_ROLE_ANY {
		words = append(words, "role="+RoleWord(s.GetRole()))
	}
	if s.GetParallel() {
		words = append(words, "sequential=false")
	}
	if s.GetAny() {
		words = append(words, "require-all=false")
	}
	return words
}

// RoleWord writes a role; empty: any.
func RoleWord(r pb.InstanceRole) string {
	switch r {
	case pb.InstanceRole_INSTANCE_ROLE_PROMOTED:
		return "Promoted"
	case pb.InstanceRole_INSTANCE_ROLE_UNPROMOTED:
		return "Unpromoted"
	default:
		return ""
	}
}

// Promotes reports whether an action is one on the role of an instance, and what
// it does to that: start or stop it.
func Promotes(a pb.OrderAction) (pb.OrderAction, bool) {
	switch a {
	case pb.OrderAction_ORDER_ACTION_PROMOTE:
		return pb.OrderAction_ORDER_ACTION_START, true
	case pb.OrderAction_ORDER_ACTION_DEMOTE:
		return pb.OrderAction_ORDER_ACTION_STOP, true
	default:
		return a, false
	}
}

// Promotables returns the ids whose roles a constraint is about.
func Promotables(c *pb.Constraint) []string {
	var ids []string
	add := func(role bool, names ...string) {
		if role {
			ids = append(ids, names...)
		}
	}
	l, t, o := c.GetLocation(), c.GetColocation(), c.GetOrder()
	add(l.GetRole() != pb.InstanceRole_INSTANCE_ROLE_ANY, l.GetResource())
	add(t.GetRole() != pb.InstanceRole_INSTANCE_ROLE_ANY, t.GetResource())
	add(t.GetWithRole() != pb.InstanceRole_INSTANCE_ROLE_ANY, t.GetWith())
	_, first := Promotes(o.GetFirstAction())
	_, then := Promotes(o.GetThenAction())
	add(first, o.GetFirst())
	add(then, o.GetThen())
	for _, set := range slices.Concat(t.GetSets(), o.GetSets()) {
		_, promotes := Promotes(set.GetAction())
		add(promotes || set.GetRole() != pb.InstanceRole_INSTANCE_ROLE_ANY, set.GetResources()...)
	}
	return ids
}

// ActionWord writes an action.
func ActionWord(a pb.OrderAction) string { return word(a.String(), "ORDER_ACTION_") }
