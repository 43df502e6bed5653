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

// mergeScores adds the scores of a source to a table, which may be nil for a new
// one, and returns the table ("Colocation": a dependent's preferences count for
// the primary).
func (c *cluster) mergeScores(source *resource, scores table, m merge) table {
	if source.updating {
		return scores
	}
	source.updating = true
	defer func() { source.updating = false }()
	if source.kind == Group {
		member := source.children[0]
		if scores == nil {
			member = source.last()
		}
		return c.mergeScores(member, scores, m)
	}
	work := slices.Clone(scores)
	if scores == nil {
		work = slices.Clone(source.allowed)
	} else {
		c.addMatching(work, source, m)
	}
	switch {
	case c.anyAvailable(work):
		work = c.mergeFurther(source, work, m)
	case m.nested:
		return scores
	}
	if m.positive {
		for i := range work {
			if work[i].score == spoiled {
				work[i].score = 1
			}
		}
	}
	return work
}

// mergeFurther follows the colocations of a source.
func (c *cluster) mergeFurther(source *resource, work table, m merge) table {
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
		work = c.mergeScores(other, work, next)
	}
	return work
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
		sum := add(scale(score, m.factor), w.score)
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
	before := slices.Clone(primary.allowed)
	if !c.addBound(co, primary) {
		primary.allowed = c.mergeScores(co.dependent, primary.allowed, merge{
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
