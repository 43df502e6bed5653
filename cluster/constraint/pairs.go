package constraint

import pb "quorate/proto/quorate/v1"

// A Colocation binds two resources.
type Colocation struct {
	Dependent, Primary         string
	DependentRole, PrimaryRole pb.InstanceRole
}

// Colocations returns what a colocation binds: in a sequence each resource to the
// one before it or, if they are to be apart, to all before it; and each set to
// the one after it, sequences by the first of the one and the last of the other
// (what Pacemaker lists last it places first).
func Colocations(c *pb.Colocation) []Colocation {
	if len(c.GetSets()) == 0 {
		return []Colocation{{c.GetResource(), c.GetWith(), c.GetRole(), c.GetWithRole()}}
	}
	var pairs []Colocation
	for i, set := range c.GetSets() {
		for j, r := range sequence(set) {
			from := max(0, j-1)
			if c.GetScore() < 0 {
				from = 0
			}
			for _, with := range set.GetResources()[from:j] {
				pairs = append(pairs, Colocation{r, with, set.GetRole(), set.GetRole()})
			}
		}
		if i == 0 {
			continue
		}
		for _, dependent := range end(c.GetSets()[i-1], false) {
			for _, primary := range end(set, true) {
				pairs = append(pairs, Colocation{dependent, primary, c.GetSets()[i-1].GetRole(), set.GetRole()})
			}
		}
	}
	return pairs
}

// An Order puts an action of one resource before an action of another.
type Order struct {
	First, Then             string
	FirstAction, ThenAction pb.OrderAction
	Instead                 []string // of these and First one is enough
}

// Orders returns what an order puts in order: in a sequence each resource after
// the one before it, and each set after the one before it. What is to be
// serialized has no first and last: each goes with each.
func Orders(o *pb.Order) []Order {
	if len(o.GetSets()) == 0 {
		return []Order{{First: o.GetFirst(), Then: o.GetThen(), FirstAction: o.GetFirstAction(), ThenAction: o.GetThenAction()}}
	}
	var pairs []Order
	for i, set := range o.GetSets() {
		pairs = append(pairs, within(set, o.GetKind())...)
		if i == 0 {
			continue
		}
		pairs = append(pairs, between(o.GetSets()[i-1], set, o.GetKind())...)
	}
	return pairs
}

func between(before, set *pb.ResourceSet, kind pb.OrderKind) []Order {
	firsts, thens := before.GetResources(), set.GetResources()
	if kind == pb.OrderKind_ORDER_KIND_MANDATORY { // the others follow by their sequence
		firsts, thens = end(before, true), end(set, false)
	}
	var instead []string
	if before.GetAny() && kind == pb.OrderKind_ORDER_KIND_MANDATORY && len(firsts) > 0 {
		firsts, instead = before.GetResources()[:1], before.GetResources()[1:]
	}
	var pairs []Order
	for _, first := range firsts {
		for _, then := range thens {
			pairs = append(pairs, Order{first, then, before.GetAction(), set.GetAction(), instead})
		}
	}
	return pairs
}

func within(set *pb.ResourceSet, kind pb.OrderKind) []Order {
	var pairs []Order
	list := set.GetResources()
	for i, r := range list {
		before := list[max(0, i-1):i]
		switch {
		case kind == pb.OrderKind_ORDER_KIND_SERIALIZE:
			before = list[:i]
		case set.GetParallel():
			before = nil
		}
		for _, first := range before {
			pairs = append(pairs, Order{First: first, Then: r, FirstAction: set.GetAction(), ThenAction: set.GetAction()})
		}
	}
	return pairs
}

// sequence returns the resources of a set that are bound to each other.
func sequence(set *pb.ResourceSet) []string {
	if set.GetParallel() {
		return nil
	}
	return set.GetResources()
}

// end returns the resources by which a set meets another: all of them, or the
// last or first of a sequence.
func end(set *pb.ResourceSet, last bool) []string {
	list := set.GetResources()
	switch {
	case len(list) == 0 || set.GetParallel():
		return list
	case last:
		return list[len(list)-1:]
	}
	return list[:1]
}
