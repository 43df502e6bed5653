package engine

import (
	"slices"
	"strings"
)

// spoiled marks a score that merging made negative where only positive ones
// count; in the end such a node is as good as one with a score of 1.
const spoiled = -100 * infinity

// A merge is how the scores of one resource are added to those of another, and
// through it those of what is colocated with it in turn.
type merge struct {
	via      *colocation
	factor   float32
	thisWith bool // follow what the source is to run with, not what is to run with it
	positive bool // never let a merge forbid a node
	nested   bool // a source without a node left adds nothing
}

// A scratch has the tables that merging needs, so that it makes none.
type scratch struct {
	work   table // the scores that are added to
	before table // what they were at first
	undo   table // what they were before one source
}

// copyTable returns a copy of a table, in the memory of another.
func copyTable(into *table, t table) table {
	*into = append((*into)[:0], t...)
	return *into
}

// mergeScores adds the scores of a source to a table ("Colocation": a
// dependent's preferences count for the primary). The table may be that of a
// resource, which merging reads as it was.
func (c *cluster) mergeScores(source *resource, scores table, m merge) {
	work := copyTable(&c.scratch.work, scores)
	c.mergeInto(work, source, m)
	copy(scores, work)
}

// mergedScores returns the scores of a resource with those of what it is to run
// with.
func (c *cluster) mergedScores(r *resource) table {
	source := r
	if r.kind == Group {
		source = r.last()
	}
	scores := slices.Clone(source.allowed)
	r.updating, source.updating = true, true
	if c.anyAvailable(scores) {
		c.mergeFurther(scores, source, merge{factor: 1, thisWith: true})
	}
	r.updating, source.updating = false, false
	return scores
}

// mergeInto adds the scores of a source to a table of nobody's.
func (c *cluster) mergeInto(work table, source *resource, m merge) {
	if source.updating {
		return
	}
	source.updating = true
	defer func() { source.updating = false }()
	if source.kind == Group {
		c.mergeInto(work, source.children[0], m)
		return
	}
	undo := copyTable(&c.scratch.undo, work)
	c.addMatching(work, source, m)
	switch {
	case c.anyAvailable(work):
		c.mergeFurther(work, source, m)
	case m.nested:
		copy(work, undo)
		return
	}
	if m.positive {
		for i := range work {
			if work[i].score == spoiled {
				work[i].score = 1
			}
		}
	}
}

// mergeFurther follows the colocations of a source.
func (c *cluster) mergeFurther(work table, source *resource, m merge) {
	list := source.dependents()
	if m.thisWith {
		list = source.colocatedWith()
	}
	for _, co := range list {
		next := m
		next.via, next.nested, next.factor = co, true, m.factor*float32(co.score)/float32(infinity)
		if next.factor == 0 {
			continue // too far away to count
		}
		other := co.primary
		if !m.thisWith {
			if !co.influences(co.primary) {
				continue
			}
			other = co.dependent
		}
		c.mergeInto(work, other, next)
	}
}

// addMatching adds to each node the best score that the source has on a node of
// the same attribute.
func (c *cluster) addMatching(work table, source *resource, m merge) {
	scores := scoresFor(source, m.via)
	for i := range work {
		w := &work[i]
		if !w.present {
			continue
		}
		score := c.bestMatching(scores, m.via.attribute, i)
		if m.factor < 0 && score < 0 && !fearsAlone(m.via, score) {
			continue
		}
		if w.score == spoiled {
			continue
		}
		sum := add(c.scale(score, m.factor), w.score)
		switch {
		case m.positive && sum < 0 && w.score > 0:
			w.score = spoiled
		case m.positive && sum < 0 && w.score == 0:
		default:
			w.score = sum
		}
	}
}

// fearsAlone reports whether a dependent that dislikes a node, and must stay away
// from its primary, may draw the primary there: only if it has one node left,
// and the primary is not stuck.
func fearsAlone(co *colocation, score int) bool {
	return co.primary.stickiness < -score && co.influences(co.primary) && allowedOnOne(co.dependent)
}

func allowedOnOne(r *resource) bool {
	n := 0
	for _, w := range r.allowed {
		if w.present && w.score >= 0 {
			n++
		}
	}
	return n == 1
}

// scoresFor returns the scores of a source that count. An explicitly colocated
// member of a group has the group's locations too, which otherwise only the
// first one has.
func scoresFor(source *resource, via *colocation) table {
	if via == nil || source != via.dependent || !via.explicit || !source.parent.isGroup() || source == source.parent.children[0] {
		return source.allowed
	}
	scores := slices.Clone(source.allowed)
	for _, l := range source.parent.locations {
		if l.role == roleUnknown || l.role == source.nextRole {
			l.addTo(scores, false)
		}
	}
	return scores
}

// bestMatching returns the best score of the nodes that share an attribute's
// value with one.
func (c *cluster) bestMatching(scores table, attribute string, i int) int {
	best := -infinity
	if attribute == "#uname" {
		if w := scores[i]; w.present && w.score > best && c.nodes[i].available() {
			best = w.score
		}
		return best
	}
	value, has := c.nodes[i].attrs[attribute]
	for k, w := range scores {
		if !w.present || w.score <= best || !c.nodes[k].available() {
			continue
		}
		if other, ok := c.nodes[k].attrs[attribute]; ok == has && strings.EqualFold(value, other) {
			best = w.score
		}
	}
	return best
}

// sameAttribute reports whether two nodes count as one for a colocation.
func sameAttribute(a, b *node, attribute string) bool {
	if attribute == "#uname" {
		return a == b
	}
	x, okX := a.attrs[attribute]
	y, okY := b.attrs[attribute]
	return okX == okY && strings.EqualFold(x, y)
}

// available reports whether a node may run anything at all.
func (n *node) available() bool {
	return n != nil && n.online && !n.shutdown && !n.unclean && !n.standby && !n.maintenance
}

// usable reports whether a node may run the resource of a table.
func (c *cluster) usable(t table, n *node) bool {
	return n.available() && t[n.index].present && t[n.index].score >= 0
}

func (c *cluster) anyAvailable(t table) bool {
	for i, w := range t {
		if w.present && w.score >= 0 && c.nodes[i].available() {
			return true
		}
	}
	return false
}

// addDependentScores lets the wishes of a dependent count for its primary.
func (c *cluster) addDependentScores(co *colocation, primary *resource) {
	if !co.influences(co.primary) {
		return
	}
	before := copyTable(&c.scratch.before, primary.allowed)
	if !c.addBound(co, primary) {
		c.mergeScores(co.dependent, primary.allowed, merge{
			via: co, factor: co.factor(), nested: true, positive: primary.kind == Clone,
		})
	}
	primary.forget()
	c.noteMerge(primary, before, co)
}

const (
	affectsNothing effect = iota
	affectsLocation
	affectsRole
)
