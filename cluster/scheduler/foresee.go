package scheduler

import "quorate/cluster/scheduler/engine"

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
// at once: each is placed as if all others were where they belong already, until
// that changes nothing. If it always does, the first word counts.
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
	var moving []int
	for i, r := range g.resources {
		if r.placed >= 0 && r.placed != r.stay() {
			moving = append(moving, i)
		}
		r.then = &before[i]
	}
	if len(moving) == 0 {
		return true
	}
	g.placeAnew()
	after := g.verdicts()
	if len(moving)*len(g.resources) <= work {
		for _, i := range moving {
			r := g.resources[i]
			r.then = nil
			g.placeAnew()
			after[i] = r.verdict
			r.then = &before[i]
		}
	}
	rest = true
	for i, r := range g.resources {
		rest = rest && after[i].placed == before[i].placed
		r.verdict = after[i]
	}
	return rest
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
