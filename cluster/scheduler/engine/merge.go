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

// An effect says what a colocation changes of its dependent.
type effect int

const (
	affectsNothing effect = iota
	affectsLocation
	affectsRole
)

// effectOf returns what a colocation changes. In a preview it is asked before
// the resources are placed.
func effectOf(dependent, primary *resource, co *colocation, preview bool) effect {
	switch {
	case !preview && primary.unassigned:
		return affectsNothing
	case co.dependentRole >= roleUnpromoted && dependent.parent != nil && dependent.parent.promotable && !dependent.unassigned:
		return affectsRole
	case !preview && !dependent.unassigned:
		return affectsNothing
	case co.dependentRole != roleUnknown && co.dependentRole != dependent.nextRole:
		return affectsNothing
	case co.primaryRole != roleUnknown && co.primaryRole != primary.nextRole:
		return affectsNothing
	}
	return affectsLocation
}

// applyColocation counts where a primary was placed for its dependent: in its
// scores, or in its priority for being promoted. It returns what it added to
// the priority.
func (c *cluster) applyColocation(dependent, primary *resource, co *colocation, forDependent bool) int {
	if forDependent && dependent.kind == Group {
		return c.colocateGroup(dependent, primary, co)
	}
	switch primary.kind {
	case Group:
		return c.colocateWithGroup(dependent, primary, co)
	case Clone:
		return c.colocateWithClone(dependent, primary, co)
	}
	switch effectOf(dependent, primary, co, false) {
	case affectsRole:
		return c.applyToPriority(dependent, primary, co)
	case affectsLocation:
		c.applyToScores(dependent, primary, co)
	}
	return 0
}

// applyToScores: what is merely advisable never takes a resource its last node.
func (c *cluster) applyToScores(dependent, primary *resource, co *colocation) {
	at := primary.assignedNode
	if at == nil && co.score < 0 {
		return
	}
	work := slices.Clone(dependent.allowed)
	for i := range work {
		w := &work[i]
		switch {
		case !w.present:
		case at == nil:
			w.score = add(-co.score, w.score)
		case sameAttribute(c.nodes[i], at, co.attribute):
			if co.score < infinity {
				w.score = add(co.score, w.score)
			}
		case co.score >= infinity:
			w.score = -infinity
		}
	}
	if co.mandatory() || c.anyAvailable(work) {
		dependent.allowed = work
		c.noteColocation(dependent, primary, co)
	}
}

// applyToPriority lets a colocation with a promoted role count for who of the
// instances is promoted.
func (c *cluster) applyToPriority(dependent, primary *resource, co *colocation) int {
	there, here := primary.assignedNode, dependent.assignedNode
	if here == nil || there != nil && co.primaryRole != roleUnknown && co.primaryRole != primary.nextRole {
		return 0
	}
	delta := co.score
	switch {
	case there == nil || !sameAttribute(here, there, co.attribute):
		if co.score != infinity || co.dependentRole != rolePromoted {
			return 0
		}
		delta = -delta
	case co.dependentRole == roleUnpromoted:
		delta = -delta
	}
	dependent.priority = add(delta, dependent.priority)
	return delta
}

// colocateGroup: a group goes where its first member goes.
func (c *cluster) colocateGroup(group, primary *resource, co *colocation) int {
	delta := 0
	switch {
	case group.colocated:
		delta = c.applyColocation(group.children[0], primary, co, true)
	case co.score >= infinity:
		return 0
	default:
		for _, member := range group.children {
			delta = add(delta, c.applyColocation(member, primary, co, false))
		}
	}
	if delta != 0 {
		group.priority = add(delta, group.priority)
	}
	return delta
}

// colocateWithGroup: what must run with a group needs all of it, so it goes
// where the last member is; otherwise the first one counts.
func (c *cluster) colocateWithGroup(dependent, group *resource, co *colocation) int {
	switch {
	case group.unassigned:
		return 0
	case group.colocated && co.score >= infinity:
		return c.applyColocation(dependent, group.last(), co, false)
	case group.colocated:
		return c.applyColocation(dependent, group.children[0], co, false)
	case co.score >= infinity:
		return 0
	}
	delta := 0
	for _, member := range group.children {
		delta = add(delta, c.applyColocation(dependent, member, co, false))
	}
	return delta
}

// colocateWithClone: what must run with a clone goes where any instance is; if
// the dependent is a clone too and interleaved, each instance has its own.
func (c *cluster) colocateWithClone(dependent, clone *resource, co *colocation) int {
	if clone.unassigned {
		return 0
	}
	if clone.promotable && co.primaryRole != roleUnknown {
		if dependent.unassigned {
			c.colocateWithRole(dependent, clone, co)
			return 0
		}
		if co.dependentRole == rolePromoted {
			return c.promoteWithRole(dependent, clone, co)
		}
	}
	if canInterleave(co) {
		if instance := c.compatible(dependent, clone, roleUnknown, false); instance != nil {
			return c.applyColocation(dependent, instance, co, true)
		}
		if co.score >= infinity {
			c.assign(dependent, nil, true, true)
		}
		return 0
	}
	if co.score >= infinity {
		var nodes []nodeScore
		for _, instance := range clone.children {
			if at := instance.onlyPlace(placeAssigned); at != nil && !instance.anySet(isBlocked) {
				nodes = append(nodes, nodeScore{at, 0})
			}
		}
		c.intersect(dependent, nodes, co)
		return 0
	}
	delta := 0
	for _, instance := range clone.children {
		delta = add(delta, c.applyColocation(dependent, instance, co, false))
	}
	return delta
}

func isBlocked(r *resource) bool { return r.blocked }

// canInterleave reports whether the instances of two clones are colocated one by
// one.
func canInterleave(co *colocation) bool {
	return co.dependent.kind == Clone && isTrue(co.dependent.meta["interleave"]) && co.dependent.maxPerNode() == co.primary.maxPerNode()
}

func (r *resource) maxPerNode() int {
	if r.kind == Clone {
		return r.cloneNodeMax
	}
	return 1
}

// intersect bans a dependent from all nodes but some, whose scores it gets.
func (c *cluster) intersect(dependent *resource, nodes []nodeScore, co *colocation) {
	for i := range dependent.allowed {
		w := &dependent.allowed[i]
		if !w.present {
			continue
		}
		k := slices.IndexFunc(nodes, func(s nodeScore) bool { return s.node.index == i })
		if k < 0 {
			w.score = -infinity
			dependent.note(c.nodes[i], -infinity, co.id)
			continue
		}
		w.score = add(w.score, nodes[k].score)
	}
}

// colocateWithRole counts where a promotable clone has the role that a
// colocation names.
func (c *cluster) colocateWithRole(dependent, clone *resource, co *colocation) {
	var nodes []nodeScore
	for _, instance := range clone.children {
		at := instance.onlyPlace(placeAssigned)
		if at == nil || instance.state(false) != co.primaryRole {
			continue
		}
		if co.score < infinity {
			for i := range dependent.allowed {
				if w := &dependent.allowed[i]; w.present && sameAttribute(c.nodes[i], at, co.attribute) {
					w.score = add(w.score, co.score)
					dependent.note(c.nodes[i], co.score, co.id)
				}
			}
		}
		nodes = append([]nodeScore{{at, instance.assignedWeight(at)}}, nodes...)
	}
	if co.score >= infinity && (co.dependentRole != rolePromoted || co.primaryRole != rolePromoted) {
		c.intersect(dependent, nodes, co)
	}
}

// assignedWeight returns the score with which an instance, or the first of its
// members, was assigned to a node.
func (r *resource) assignedWeight(at *node) int {
	if r.kind == Primitive {
		return r.assignedScore
	}
	for _, child := range r.children {
		if child.assignedNode == at {
			return child.assignedScore
		}
	}
	return 0
}

// promoteWithRole lets an instance be promoted where the other clone's instance
// has the role.
func (c *cluster) promoteWithRole(dependent, clone *resource, co *colocation) int {
	if c.compatible(dependent, clone, co.primaryRole, false, co.attribute) != nil {
		dependent.priority = add(dependent.priority, co.score)
		return co.score
	}
	if co.score >= infinity {
		dependent.priority = -infinity
		return -infinity
	}
	return 0
}

// compatible returns the instance of a clone that belongs to a resource: on its
// node (or on one with the same attribute), or where it would go first.
func (c *cluster) compatible(r, clone *resource, want role, now bool, attribute ...string) *resource {
	which := placeAssigned
	if now {
		which = placeNow
	}
	if at := r.onlyPlace(which); at != nil {
		return c.instanceOn(clone, at, want, now, attribute...)
	}
	for _, n := range c.ranked(r.allowed, nil) {
		if instance := c.instanceOn(clone, n, want, now, attribute...); instance != nil {
			return instance
		}
	}
	return nil
}

func (c *cluster) instanceOn(clone *resource, at *node, want role, now bool, attribute ...string) *resource {
	which := placeAssigned
	if now {
		which = placeNow
	}
	for _, instance := range clone.children {
		if want != roleUnknown && want != instance.state(now) || instance.anySet(isBlocked) {
			continue
		}
		n := instance.onlyPlace(which)
		if n == nil {
			continue
		}
		if len(attribute) > 0 && sameAttribute(n, at, attribute[0]) || len(attribute) == 0 && n == at {
			return instance
		}
	}
	return nil
}
