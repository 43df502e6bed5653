package scheduler

import (
	"slices"

	"quorate/cluster/scheduler/engine"
)

// A verdict is where a resource belongs, and why.
type verdict struct {
	placed    int            // node it belongs on; -1: nowhere
	as        *engine.Placed // with its scores
	waitsFor  *order         // the one that lets it run nowhere
	forbidden *colocation    // likewise
}

// rounds is how many plans ahead are looked at. Moves are looked at one by one as
// long as that takes the placing of no more than work resources a round: a leader
// plans after every result.
const (
	rounds = 4
	work   = 200
)

// foresee finds out where everything comes to rest. What moves takes along what it
// is worth to others, by its stickiness for instance, so that a plan that is done
// may call for another one, and half-way to somewhere else. It is better to go there
// at once: each, with what must run with it, is placed as if all others were where they
// belong already, until that changes nothing. If it always does, the first word counts.
func (g *graph) foresee() {
	first := g.verdicts()
	last, rest := first, false
	for range rounds {
		if rest = g.follow(last); rest {
			break
		}
		last = g.verdicts()
	}
	for i, r := range g.resources {
		r.then = nil
		if !rest || r.placed == first[i].placed {
			r.verdict = first[i]
		}
	}
}

// follow places each resource as if the others were where they were placed. It
// returns whether that changes nothing.
func (g *graph) follow(before []verdict) (rest bool) {
	var moving []*resource
	for i, r := range g.resources {
		if r.placed >= 0 && r.placed != r.stay() {
			moving = append(moving, r)
		}
		r.then = &before[i]
	}
	if len(moving) == 0 {
		return true
	}
	g.placeAnew()
	after := g.verdicts()
	if len(moving)*len(g.resources) <= work {
		for _, bundle := range g.bundles(moving) {
			g.followOne(bundle, before, after)
		}
	}
	rest = true
	for i, r := range g.resources {
		rest = rest && after[i].placed == before[i].placed
		r.verdict = after[i]
	}
	return rest
}

// followOne places what moves together as if all others had moved.
func (g *graph) followOne(bundle []*resource, before, after []verdict) {
	for _, r := range bundle {
		r.then = nil
	}
	g.placeAnew()
	for i, r := range g.resources {
		if slices.Contains(bundle, r) {
			after[i], r.then = r.verdict, &before[i]
		}
	}
}

// bundles puts together what moves together, because it must run together: each
// alone would be held by the others where they are thought to be.
func (g *graph) bundles(moving []*resource) [][]*resource {
	var list [][]*resource
	for _, r := range moving {
		if slices.ContainsFunc(list, func(b []*resource) bool { return slices.Contains(b, r) }) {
			continue
		}
		bundle := []*resource{r}
		for k := 0; k < len(bundle); k++ {
			for _, other := range g.boundTo(bundle[k]) {
				if slices.Contains(moving, other) && !slices.Contains(bundle, other) {
					bundle = append(bundle, other)
				}
			}
		}
		list = append(list, bundle)
	}
	return list
}

// boundTo returns what must run with a resource, or it with that.
func (g *graph) boundTo(r *resource) []*resource {
	var list []*resource
	for _, c := range g.colocations {
		switch {
		case !c.mandatory():
		case c.dependent == r:
			list = append(list, c.primary)
		case c.primary == r:
			list = append(list, c.dependent)
		}
	}
	return list
}

func (g *graph) placeAnew() {
	for _, r := range g.resources {
		r.waitsFor, r.forbidden = nil, nil
	}
	g.place(engine.Weigh(g.input()))
}

func (g *graph) verdicts() []verdict {
	list := make([]verdict, len(g.resources))
	for i, r := range g.resources {
		list[i] = r.verdict
	}
	return list
}
