package engine

import (
	"cmp"
	"slices"
	"strings"
)

// addPromotionScores lets nodes where an instance may be promoted be liked by it.
func (c *cluster) addPromotionScores(clone *resource) {
	if clone.promotionAdded {
		return
	}
	clone.promotionAdded = true
	for _, r := range clone.children {
		for i, n := range c.nodes {
			if !r.allowed[i].present || !n.available() {
				continue
			}
			score, _ := c.promotionScore(r, n)
			if score > 0 {
				r.allowed[i].score = add(r.allowed[i].score, score)
				r.note(n, score, "promotion-score")
			}
			r.priority = max(r.priority, score)
		}
	}
}

// promotionScore returns the score that the agent of an instance has set for a
// node; of a group, the sum of its members'. Set says whether there is one.
func (c *cluster) promotionScore(r *resource, n *node) (score int, set bool) {
	if len(r.children) > 0 {
		for _, child := range r.children {
			s, ok := c.promotionScore(child, n)
			score += s
			set = set || ok
		}
		return score, set
	}
	if !c.promotionApplies(r, n) {
		return 0, false
	}
	value := c.promotionAttribute(n, either(r.historyID, r.id))
	if base := r.baseID(); value == "" && !r.unique && base != r.id {
		value = c.promotionAttribute(n, base)
	}
	if value == "" {
		return 0, false
	}
	score, _ = c.parseScore(value, 0)
	return score, true
}

func (c *cluster) promotionAttribute(n *node, id string) string { return n.attrs["master-"+id] }

// baseID returns an instance's id without its number.
func (r *resource) baseID() string {
	if i := strings.LastIndexByte(r.id, ':'); i > 0 && numberPrefix(r.id[i+1:]) == r.id[i+1:] {
		return r.id[:i]
	}
	return r.id
}

// promotionApplies reports whether the score that is set on a node is that of
// this instance: the one that runs there, or, where none does, any whose state
// there is known.
func (c *cluster) promotionApplies(r *resource, n *node) bool {
	w := r.allowed[n.index]
	allowed := w.present && w.score >= 0
	if !r.unique {
		active := activeInstance(r.top(), r.ID, n)
		if active == r || active == nil && knownOn(r.top(), r.ID, n) {
			return allowed
		}
	}
	if len(r.active) == 0 && !slices.Contains(r.probed, true) {
		return allowed
	}
	return allowed && (r.probed[n.index] || slices.Contains(r.active, n))
}

// activeInstance returns the instance of a primitive that runs on a node.
func activeInstance(clone *resource, id string, n *node) *resource {
	for _, instance := range clone.children {
		var found *resource
		instance.each(func(r *resource) {
			if found == nil && r.kind == Primitive && r.ID == id && slices.Contains(r.active, n) {
				found = r
			}
		})
		if found != nil {
			return found
		}
	}
	return nil
}

func knownOn(clone *resource, id string, n *node) bool {
	return clone.anySet(func(r *resource) bool { return r.kind == Primitive && r.ID == id && r.probed[n.index] })
}

// promoteInstances says which instances are promoted: those with the best
// promotion scores, locations and colocations, at most promoted-max.
func (c *cluster) promoteInstances(clone *resource) {
	for i := range clone.allowed {
		clone.allowed[i].count = 0
	}
	for _, r := range clone.children {
		c.setPromotionPriority(clone, r)
	}
	c.sortForPromotion(clone)
	promoted := 0
	for _, r := range clone.children {
		if c.promoteOne(clone, r, promoted) {
			promoted++
		}
	}
}

func (c *cluster) setPromotionPriority(clone, r *resource) {
	if r.state(true) == roleStarted {
		r.each(func(r *resource) {
			if r.role == roleStarted {
				r.role = roleUnpromoted
			}
		})
	}
	at := r.onlyPlace(placeAssigned)
	if at == nil {
		return
	}
	next := r.state(false)
	switch next {
	case roleStarted, roleUnknown:
		score, set := c.promotionScore(r, at)
		if !set {
			score = -1
		}
		r.priority = score
	case roleUnpromoted, roleStopped:
		r.priority = -infinity
	case rolePromoted: // by its configuration, whatever its score
	}
	r.addPromotedLocations(r.locations, at)
	r.addPromotedLocations(clone.locations, at)
	for _, co := range r.colocatedWith() {
		c.applyColocation(r, co.primary, co, true)
	}
	r.promotionPriority = r.priority
	if next == rolePromoted {
		r.promotionPriority = infinity
	}
}

func (r *resource) addPromotedLocations(list []*location, at *node) {
	for _, l := range list {
		if l.role != rolePromoted {
			continue
		}
		if i := slices.IndexFunc(l.nodes, func(s nodeScore) bool { return s.node == at }); i >= 0 {
			r.priority = add(r.priority, l.nodes[i].score)
			r.note(at, l.nodes[i].score, l.id)
		}
	}
}

// sortForPromotion orders instances by their priorities and the wishes of what
// is to run with a promoted one.
func (c *cluster) sortForPromotion(clone *resource) {
	if clone.promotionSorted {
		return
	}
	clone.promotionSorted, clone.updating = true, true
	for _, r := range clone.children {
		if at := r.onlyPlace(placeAssigned); at != nil && r.promotionPriority >= 0 {
			w := &clone.allowed[at.index]
			w.score = add(r.promotionPriority, w.score)
		}
	}
	for _, co := range clone.dependents() {
		if co.primaryRole == rolePromoted && co.influences(co.primary) {
			c.mergeScores(co.dependent, clone.allowed, merge{via: co, factor: co.factor(), nested: true, positive: true})
		}
	}
	for _, r := range clone.children {
		at := r.onlyPlace(placeAssigned)
		switch {
		case !r.managed && r.nextRole == rolePromoted:
			r.promotionPriority = infinity
		case at == nil:
			r.promotionPriority = -infinity
		case r.promotionPriority >= 0:
			r.promotionPriority = clone.allowed[at.index].score
		}
	}
	slices.SortStableFunc(clone.children, func(a, b *resource) int {
		if o := cmp.Or(cmp.Compare(b.promotionPriority, a.promotionPriority), cmp.Compare(b.state(true), a.state(true))); o != 0 {
			return o
		}
		return c.compareInstances(a, b)
	})
	clone.updating = false
}

// promoteOne gives an instance its role, and reports whether it is promoted.
func (c *cluster) promoteOne(clone, r *resource, promoted int) bool {
	var at *node
	if r.promotionPriority >= 0 && (promoted < clone.promotedMax || !clone.managed) {
		at = c.promotableOn(clone, r)
	}
	if at == nil || r.role < rolePromoted && !c.quorate && c.noQuorum == noQuorumFreeze {
		r.each(setUnpromoted)
		return false
	}
	clone.allowed[at.index].count++
	r.each(func(r *resource) {
		if r.nextRole == roleUnknown {
			r.nextRole = rolePromoted
		}
	})
	return true
}

func setUnpromoted(r *resource) {
	r.nextRole = roleUnpromoted
	if len(r.places(placeAssigned)) == 0 {
		r.nextRole = roleStopped
	}
}

// promotableOn returns the node on which an instance may be promoted; nil: none.
func (c *cluster) promotableOn(clone, r *resource) *node {
	for _, child := range r.children {
		if c.promotableOn(clone, child) == nil {
			return nil
		}
	}
	at := r.onlyPlace(placeAssigned)
	switch {
	case at == nil:
		return nil
	case !r.managed && r.state(true) != rolePromoted:
		return nil
	case r.managed && (r.priority < 0 || !at.available()):
		return nil
	}
	w := clone.allowed[at.index]
	if !w.present || int(w.count) >= clone.promotedNodeMax && r.managed {
		return nil
	}
	return at
}
