package scheduler

import (
	"fmt"
	"slices"

	"quorate/cluster/scheduler/engine"
)

// decide places all resources. It does so anew as long as failback policies
// hold back moves, because what is held draws its dependents and primaries.
func (g *graph) decide() {
	scores := engine.Weigh(g.input())
	for _, r := range g.resources {
		r.own = scores.Of(r.weighedAs())
	}
	g.isolate()
	g.findMoves()
	g.place(scores)
	g.foresee()
	for _, r := range g.resources {
		g.complain(r)
	}
	g.awaitFailbacks()
}

func (g *graph) place(scores *engine.Scores) {
	for {
		g.take(scores.Place(g.wishes()))
		if held, also := g.holdBack(), g.holdPromotions(); !held && !also {
			break
		}
	}
	g.applyOrders()
}

// wishes are what counts for where resources go beside what the nodes are worth
// to them: isolation, stickiness, failback policies and moves.
func (g *graph) wishes() []engine.Wish {
	list := make([]engine.Wish, 0, len(g.resources))
	for _, r := range g.resources {
		if r.unwanted != "" {
			continue // it goes nowhere, and draws nobody
		}
		if r.isRole() {
			if r.held != nil {
				list = append(list, engine.Wish{Resource: r.weighedAs(), Node: r.seat, Score: infinity, Source: "failback", Text: r.failback.String() + " keeps it promoted there", Promoted: true})
			}
			continue
		}
		for i := range g.nodes {
			list = append(list, r.remarks(i)...)
		}
		if i := r.bides(); i >= 0 {
			if r.stickiness != 0 && r.moved < 0 && (!r.yields || r.stickiness < infinity) {
				list = append(list, engine.Wish{Resource: r.weighedAs(), Node: i, Score: int(r.stickiness), Source: "stickiness", Text: stays(r)})
			}
			if r.held != nil {
				list = append(list, engine.Wish{Resource: r.weighedAs(), Node: i, Score: infinity, Source: "failback", Text: r.held.text(r)})
			}
		}
		if d := r.guest(); d != nil {
			list = append(list, engine.Wish{Resource: r.weighedAs(), Node: r.seat, Score: forGuests, Source: "company", Text: d.Id + ", which must run with it, runs there"})
		}
		if r.moved >= 0 {
			list = append(list, engine.Wish{Resource: r.weighedAs(), Node: r.moved, Score: infinity, Source: "move", Text: g.moveText(r), Favoured: true})
		}
	}
	return list
}

// remarks are what speaks against a node beside its score.
func (r *resource) remarks(i int) []engine.Wish {
	switch fails := r.views[i].fails; {
	case !r.concerns(i):
	case r.cutOff[i]:
		return []engine.Wish{{Resource: r.weighedAs(), Node: i, Score: -infinity, Source: "quorum.ping", Text: "it reaches none of the ping targets"}}
	case fails > 0 && !r.givenUp(i) && r.threshold > 0:
		return []engine.Wish{{Resource: r.weighedAs(), Node: i, Source: "fail-count", Text: fmt.Sprintf("it failed there %d of %s times", fails, scoreText(r.threshold))}}
	}
	return nil
}

// take reads a placement.
func (g *graph) take(list []engine.Placed) {
	for _, r := range g.resources {
		r.placed, r.as = -1, nil
	}
	for i := range list {
		p := &list[i]
		if r := g.on(p.Resource, p.Node); r != nil {
			r.placed, r.as = p.Node, p
		}
	}
	g.takeInstances(list)
	g.takePromotions()
}

// applyOrders takes the places of resources whose mandatory predecessor has
// none, and of those that may run only beside them.
func (g *graph) applyOrders() {
	for again := true; again; {
		again = false
		for _, o := range g.orders {
			if o.mandatory() && o.then.placed >= 0 && !o.then.frozen() && !o.spares() && o.lacking() {
				o.then.placed, o.then.waitsFor = -1, o
				again = true
			}
		}
		for _, c := range g.colocations {
			if c.mandatory() && c.primary.placed < 0 && c.dependent.placed >= 0 && !c.dependent.frozen() && c.concerns(c.dependent.placed) {
				c.dependent.placed, c.dependent.forbidden = -1, c
				again = true
			}
		}
	}
}

// lacking reports whether nothing that the second of an order must follow, where
// it is placed, has a place.
func (o *order) lacking() bool {
	return !slices.ContainsFunc(o.before(o.then.placed), func(r *resource) bool { return r.placed >= 0 })
}

// spares reports whether the second of an order may go on running without the
// first: an asymmetrical order is about starting alone.
func (o *order) spares() bool { return o.asymmetrical && o.then.current == o.then.placed }
