package engine

import "slices"

// An effect says what a colocation changes of its dependent.
type effect int

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
	switch {
	case forDependent && dependent.kind == Group:
		return c.colocateGroup(dependent, primary, co)
	case primary.kind == Group:
		return c.colocateWithGroup(dependent, primary, co)
	case primary.kind == Clone:
		return c.colocateWithClone(dependent, primary, co)
	}
	switch effectOf(dependent, primary, co, false) {
	case affectsRole:
		return c.applyToPriority(dependent, primary, co)
	case affectsLocation:
		c.applyToScores(dependent, primary, co)
	case affectsNothing:
	}
	return 0
}

// applyToScores: what is merely advisable never takes a resource its last node.
func (c *cluster) applyToScores(dependent, primary *resource, co *colocation) {
	at := primary.assignedNode
	if at == nil && co.score < 0 {
		return
	}
	work := copyTable(&c.scratch.work, dependent.allowed)
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
		copy(dependent.allowed, work)
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
	if canInterleave(co) && !c.keepsAllApart(co) {
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
			dependent.noteVia(c.nodes[i], false, -infinity, co)
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
					dependent.noteVia(c.nodes[i], false, co.score, co)
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
