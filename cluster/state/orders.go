package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// A moment is a point in a start: of a resource there is one; a group begins
// before its first member and is up after its last.
type moment struct {
	id       string
	up       bool // of a group
	promoted bool // its promotion, which comes after
}

// checkOrders refuses orders that go round in a circle, also through groups:
// such resources could never start, or never stop.
func (d *draft) checkOrders(field string) error {
	for _, action := range []pb.OrderAction{pb.OrderAction_ORDER_ACTION_START, pb.OrderAction_ORDER_ACTION_STOP} {
		next := d.orderOf(action)
		done := make(map[moment]bool)
		from := slices.SortedFunc(maps.Keys(next), func(a, b moment) int { return cmp.Compare(a.id, b.id) })
		for _, m := range from {
			if circle := findCircle(next, done, []moment{m}); circle != nil {
				return refuse(Invalid, field, "take one of these orders out", "the order goes in a circle: %s", strings.Join(names(circle), " then "))
			}
		}
	}
	return nil
}

// orderOf returns for each moment those that come after it: of starts as they
// are, of stops backwards.
func (d *draft) orderOf(action pb.OrderAction) map[moment][]moment {
	next := make(map[moment][]moment)
	add := func(first, then moment) { next[first] = append(next[first], then) }
	groups := make(map[string]bool, len(d.Groups))
	for _, g := range d.Groups {
		groups[g.Id] = true
		last := moment{id: g.Id}
		for _, id := range g.Members {
			add(last, moment{id: id})
			last = moment{id: id}
		}
		add(last, moment{id: g.Id, up: true})
	}
	for _, c := range d.Clones {
		add(moment{id: c.Id}, moment{id: c.Id, promoted: true})
	}
	for _, c := range d.Constraints {
		for _, p := range ordersOf(c.GetOrder(), action) {
			for _, first := range append([]string{p.First}, p.Instead...) {
				_, promoted := constraint.Promotes(p.FirstAction)
				_, then := constraint.Promotes(p.ThenAction)
				add(moment{id: first, up: groups[first] && !promoted, promoted: promoted}, moment{id: p.Then, promoted: then})
			}
		}
	}
	return next
}

// ordersOf returns what an order says of starts, or backwards of stops: it says
// of one what it says of the other, if it is symmetrical.
func ordersOf(o *pb.Order, action pb.OrderAction) []constraint.Order {
	if o == nil || o.Kind == pb.OrderKind_ORDER_KIND_SERIALIZE {
		return nil
	}
	var list []constraint.Order
	for _, p := range constraint.Orders(o) {
		first, _ := constraint.Promotes(p.FirstAction)
		then, _ := constraint.Promotes(p.ThenAction)
		switch {
		case first != then || first != action && o.Asymmetrical:
			continue
		case first == pb.OrderAction_ORDER_ACTION_STOP:
			p.First, p.Then = p.Then, p.First
			p.FirstAction, p.ThenAction = p.ThenAction, p.FirstAction
		}
		list = append(list, p)
	}
	return list
}

// findCircle follows what comes after the end of a path, and returns the part of
// it that closes on itself, its first moment again at the end.
func findCircle(next map[moment][]moment, done map[moment]bool, path []moment) []moment {
	at := path[len(path)-1]
	if done[at] {
		return nil
	}
	if i := slices.Index(path, at); i < len(path)-1 {
		return path[i:]
	}
	for _, m := range next[at] {
		if circle := findCircle(next, done, append(path, m)); circle != nil {
			return circle
		}
	}
	done[at] = true
	return nil
}

// names leaves out what is said twice in a row: the begin and end of a group.
func names(path []moment) []string {
	out := make([]string, 0, len(path))
	for _, m := range path {
		out = append(out, m.id)
	}
	return slices.Compact(out)
}
