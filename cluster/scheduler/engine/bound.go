package engine

// Where resources must run together in a long chain, each would be asked for the
// wishes of all that follow it, time and again. The sums of what a resource and
// its dependents add to a primary are kept instead, as long as no table of
// theirs changes. They give what merging one by one would give, or say that
// they cannot.

// A tally is what a resource and all that must run with it add to the scores of
// a primary, by node.
type tally struct {
	total     []int
	low, high []int  // the least and the greatest of the sums on the way, at most and at least 0
	banned    []bool // one of them bans the node
}

// addBound adds the wishes of a dependent that must run with the primary. It
// returns false if that has to be done one by one.
func (c *cluster) addBound(co *colocation, primary *resource) bool {
	if c.oneByOne || co.score < infinity || primary.kind != Primitive {
		return false
	}
	t, ok := c.tallyOf(co.dependent, co, 1)
	if !ok || !c.fitsAll(primary.allowed, t) {
		return false
	}
	for i := range primary.allowed {
		w := &primary.allowed[i]
		switch {
		case !w.present, w.score <= -infinity:
		case t.banned[i], w.score+t.low[i] <= -infinity:
			w.score = -infinity
		case w.score+t.high[i] >= infinity:
			w.score = infinity
		default:
			w.score += t.total[i]
		}
	}
	return true
}

// fitsAll reports whether a table has a node left at every step of a tally, and
// no score that would first grow and then fall beyond all bounds.
func (c *cluster) fitsAll(scores table, t *tally) bool {
	left := false
	for i, w := range scores {
		if !w.present || w.score <= -infinity || t.banned[i] {
			continue
		}
		if w.score+t.low[i] <= -infinity && w.score+t.high[i] >= infinity {
			return false
		}
		left = left || w.score+t.low[i] >= 0 && c.nodes[i].available()
	}
	return left
}

// tallyOf sums up a resource and its dependents for one factor. It refuses what
// is no primitive at the top, and circles.
func (c *cluster) tallyOf(source *resource, via *colocation, factor float32) (*tally, bool) {
	if source.kind != Primitive || source.parent != nil || source.updating {
		return nil, false
	}
	if factor == 1 && source.bound != nil && via.attribute == "#uname" {
		return source.bound, true
	}
	source.updating = true
	defer func() { source.updating = false }()
	t := c.ownTally(source, via, factor)
	for _, co := range source.withThis {
		next := factor * float32(co.score) / float32(infinity)
		if next == 0 || !co.influences(co.primary) {
			continue
		}
		more, ok := c.tallyOf(co.dependent, co, next)
		if !ok {
			return nil, false
		}
		t.add(more)
	}
	if factor == 1 && via.attribute == "#uname" {
		source.bound = t
	}
	return t, true
}

func (c *cluster) ownTally(source *resource, via *colocation, factor float32) *tally {
	n := len(c.nodes)
	sums := make([]int, 3*n)
	t := &tally{total: sums[:n], low: sums[n : 2*n], high: sums[2*n:], banned: make([]bool, n)}
	for i := range n {
		score := c.bestMatching(source.allowed, via.attribute, i)
		if factor < 0 && score < 0 && !fearsAlone(via, score) {
			continue
		}
		delta := c.scale(score, factor)
		t.banned[i] = delta <= -infinity
		if delta >= infinity {
			delta = 2 * infinity // whatever the score is, it becomes INFINITY
		}
		t.total[i], t.low[i], t.high[i] = delta, min(0, delta), max(0, delta)
	}
	return t
}

// add appends what comes after.
func (t *tally) add(more *tally) {
	for i := range t.total {
		t.low[i] = min(t.low[i], t.total[i]+more.low[i])
		t.high[i] = max(t.high[i], t.total[i]+more.high[i])
		t.total[i] += more.total[i]
		t.banned[i] = t.banned[i] || more.banned[i]
	}
}

// forget drops the tallies that a resource's table is part of: it has changed.
func (r *resource) forget() {
	r.bound = nil
	for _, co := range r.thisWith {
		if co.primary.bound != nil {
			co.primary.forget()
		}
	}
}
