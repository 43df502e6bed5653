package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	"quorate/cluster/scheduler/engine"
)

// weighedAs is the id by which the engine weighs a resource. Its instances in a
// clone are told apart by their nodes, so what speaks against one of them speaks
// against its node for the clone.
func (r *resource) weighedAs() string {
	switch {
	case r.isRole():
		return r.base.weighedAs()
	case r.clone != nil:
		return r.clone.Id
	}
	return r.Id
}

// leftAlone reports whether a resource stays where it is, whatever happens: of a
// clone all instances of it.
func (r *resource) leftAlone() bool {
	return r.frozen() && !slices.ContainsFunc(r.siblings, func(s *resource) bool { return !s.frozen() })
}

func (r *resource) whyFrozen() string { return cmp.Or(r.unmanaged, "its stop failed there") }

// forGuests is more than the 1 that keeps any instance where it is (Pacemaker
// Explained, "Clone Stickiness"), and less than people mean by a score.
const forGuests = 2

// guest returns what must run with an instance and does; nil: nothing does. Where
// fewer instances may run than do, those without a guest go: it would have to move.
func (r *resource) guest() *resource {
	for _, c := range r.dependents {
		if d := c.dependent; r.clone != nil && r.bides() >= 0 && c.mandatory() && d.clone == nil && d.bides() == r.seat {
			return d
		}
	}
	return nil
}

// engineClone is a clone with what is in it. Single instances that are left alone
// are none that the engine could place: their nodes are banned, and so many fewer
// may run.
func (g *graph) engineClone(c *clone) engine.Resource {
	lead := c.members[0]
	inner := engineResource(lead)
	if lead.group != nil {
		inner = g.engineGroup(lead.group)
	}
	most, urgent := c.max, int64(-infinity)
	kept := make(map[int]bool) // nodes on which an instance is left alone
	for _, r := range c.members {
		urgent = max(urgent, r.priority)
		for _, s := range r.siblings {
			if s.frozen() && !s.leftAlone() && s.current >= 0 && !kept[s.seat] {
				kept[s.seat] = true
				most--
			}
		}
	}
	meta := []string{"priority", scoreText(urgent), "critical", fmt.Sprint(lead.critical)}
	switch {
	case most <= 0:
		meta = append(meta, "target-role", "Stopped")
	case most < int64(len(g.nodes)):
		meta = append(meta, "clone-max", fmt.Sprint(most))
	}
	if c.promotable() {
		meta = append(meta, "promotable", "true", "promoted-max", scoreText(c.promotedRoom()))
		if lead.demoted != "" && most > 0 {
			meta = append(meta, "target-role", "Unpromoted")
		}
	}
	return engine.Resource{ID: c.Id, Kind: engine.Clone, Meta: values(meta...), Members: []engine.Resource{inner}}
}

// takeInstances gives the instances that have no place the scores of one that has
// none either or, if all have, of any, and leaves alone those that are to be left.
func (g *graph) takeInstances(list []engine.Placed) {
	for _, r := range g.resources {
		if r.clone == nil || r.isRole() {
			continue
		}
		if r.frozen() {
			r.placed = r.current
		}
		for i := range list {
			if p := &list[i]; p.Resource == r.Id && (r.as == nil || p.Node < 0 && r.as.Node != r.seat) {
				r.as = p
			}
		}
	}
}
