package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// decide places all resources. It does so anew as long as failback policies
// hold back moves, because what is held draws its dependents and primaries.
func (g *graph) decide() {
	for {
		g.placeAll()
		if !g.holdBack() {
			break
		}
	}
	g.applyOrders()
	g.awaitFailbacks()
}

// placeAll places resources by priority, then by name. An order that depended
// on what runs would let a plan change its mind half-way.
func (g *graph) placeAll() {
	for _, n := range g.nodes {
		n.load = 0
	}
	queue := slices.Clone(g.resources)
	for _, r := range queue {
		r.settled, r.placed, r.wishes = false, -1, g.base(r)
		r.scores = r.wishes
	}
	slices.SortStableFunc(queue, func(a, b *resource) int { return cmp.Compare(b.priority, a.priority) })
	for _, r := range queue { // whatever others do
		if r.frozen() || r.unwanted != "" {
			g.settle(r)
		}
	}
	for _, r := range queue {
		g.place(r)
	}
}

// place chooses a node for one resource, after those it is to run with.
func (g *graph) place(r *resource) {
	if r.settled {
		return
	}
	for _, c := range r.with {
		g.place(c.primary)
		g.follow(r, c)
	}
	for _, c := range r.dependents {
		r.scores = g.draw(r.scores, c, float64(c.score)/infinity, []*resource{r})
	}
	g.settle(r)
}

func (g *graph) settle(r *resource) {
	r.placed, r.settled = g.choose(r), true
	if r.placed >= 0 {
		g.nodes[r.placed].load++
	}
}

// follow counts where the primary was placed. What is merely advisable never
// takes a resource its last node.
func (g *graph) follow(r *resource, c *colocation) {
	at := c.primary.placed
	if at < 0 && c.score < 0 {
		return
	}
	work := slices.Clone(r.scores)
	for i := range work {
		switch {
		case at < 0:
			work[i].add(-c.score, c.id, c.primary.Id+" runs nowhere")
		case i == at:
			work[i].add(c.score, c.id, c.primary.Id+" runs there")
		case c.mandatory():
			work[i].add(-infinity, c.id, c.primary.Id+" does not run there")
		}
	}
	if c.score >= infinity || c.score <= -infinity || anyAvailable(work) {
		r.scores = work
	}
}

// draw adds the preferences of a dependent, and of those that depend on it,
// to the scores of the resource it is to run with. If that left no node, the
// dependent's wishes do not count: it is the one that cannot run.
func (g *graph) draw(scores []tally, c *colocation, weight float64, seen []*resource) []tally {
	d := c.dependent
	if slices.Contains(seen, d) || d.unwanted != "" {
		return scores
	}
	work := slices.Clone(scores)
	for i := range work {
		score := d.wishes[i].score
		if work[i].score <= -infinity || weight < 0 && score < 0 {
			continue // nothing can help it, or: where another does not want to be is no better
		}
		if delta := scale(score, weight); delta != 0 {
			work[i].add(delta, c.id, d.Id+", which runs with it, "+drawText(d.wishes[i]))
		}
	}
	if !anyAvailable(work) {
		return scores
	}
	for _, next := range d.dependents {
		work = g.draw(work, next, weight*float64(next.score)/infinity, append(slices.Clip(seen), d))
	}
	return work
}

// drawText says what a dependent makes of a node.
func drawText(t tally) string {
	if t.score <= -infinity {
		return "may not run there: " + t.worst().Text
	}
	return "scores " + scoreText(t.score) + " there"
}

// choose returns the node of the highest score that is not negative. Equals
// are preferred for an operator's move, running it now, running what
// must go with it, few resources, and name.
func (g *graph) choose(r *resource) int {
	if r.frozen() {
		return r.current
	}
	if r.unwanted != "" {
		return -1
	}
	best := -1
	for i, t := range r.scores {
		if t.score >= 0 && g.nodes[i].bar == nil && (best < 0 || g.better(r, i, best)) {
			best = i
		}
	}
	r.lightest = false
	for i, t := range r.scores {
		if best >= 0 && t.score == r.scores[best].score && g.nodes[i].load > g.nodes[best].load {
			r.lightest = true
		}
	}
	return best
}

// better reports whether node i is better than node j, which precedes it by name.
func (g *graph) better(r *resource, i, j int) bool {
	if a, b := r.scores[i].score, r.scores[j].score; a != b {
		return a > b
	}
	for _, favourite := range []int{r.moved, r.stay(), r.company()} {
		if i == favourite || j == favourite {
			return i == favourite
		}
	}
	return g.nodes[i].load < g.nodes[j].load
}

// company returns the node of a resource that must run with r; -1: there is none.
func (r *resource) company() int {
	for _, c := range r.dependents {
		if c.mandatory() && c.dependent.stay() >= 0 {
			return c.dependent.stay()
		}
	}
	return -1
}

// applyOrders takes the places of resources whose mandatory predecessor has
// none, and of those that may run only beside them.
func (g *graph) applyOrders() {
	for again := true; again; {
		again = false
		for _, o := range g.orders {
			if o.mandatory() && o.first.placed < 0 && o.then.placed >= 0 && !o.then.frozen() && !o.spares() {
				o.then.placed, o.then.waitsFor = -1, o
				again = true
			}
		}
		for _, c := range g.colocations {
			if c.mandatory() && c.primary.placed < 0 && c.dependent.placed >= 0 && !c.dependent.frozen() {
				c.dependent.placed, c.dependent.forbidden = -1, c
				again = true
			}
		}
	}
	for _, r := range g.resources {
		g.complain(r)
	}
}

// spares reports whether the second of an order may go on running without the
// first: an asymmetrical order is about starting alone.
func (o *order) spares() bool { return o.asymmetrical && o.then.current == o.then.placed }

// complain notes what a person must know about a placement.
func (g *graph) complain(r *resource) {
	switch {
	case r.blocked >= 0:
		at := g.nodes[r.blocked].Name
		cause := ""
		if e := r.views[r.blocked].LastError; e != "" {
			cause = ": " + e
		}
		g.problems.add(stuck, r.Id, fmt.Sprintf("%s is blocked: its stop on %s failed%s, so it may still be active there; stop it by hand, then run `quorate resource cleanup %s`", r.Id, at, cause, r.Id))
	case r.unmanaged != "" && r.Deleting:
		g.problems.add(waiting, r.Id, fmt.Sprintf("%s is to be deleted, but is left alone: %s", r.Id, r.unmanaged))
	case r.unmanaged != "":
		g.complainFailed(r)
	case r.placed < 0 && r.unwanted == "":
		g.problems.add(nowhere, r.Id, g.whyNowhere(r))
	}
	if r.placed >= 0 && !r.frozen() {
		g.complainGivenUp(r)
		g.complainObstacles(r)
	}
}

func (g *graph) complainFailed(r *resource) {
	for i, n := range g.nodes {
		if r.views[i].state == pb.InstanceState_INSTANCE_STATE_FAILED {
			g.problems.add(stuck, r.Id, fmt.Sprintf("%s failed on %s, but is left alone: %s", r.Id, n.Name, r.unmanaged))
		}
	}
}

// complainGivenUp tells of the nodes a resource may not run on for its failures.
func (g *graph) complainGivenUp(r *resource) {
	for i, n := range g.nodes {
		if v := r.views[i]; n.bar == nil && v.fails > 0 && r.threshold > 0 && v.fails >= r.threshold {
			until := fmt.Sprintf("`quorate resource cleanup %s` gives it another chance", r.Id)
			if r.expiry > 0 {
				until += ", or time at " + g.clock(v.LastFailure.AsTime().Add(r.expiry))
			}
			g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s may not run on %s: %s; %s", r.Id, n.Name, r.failures(i), until))
		}
	}
}
