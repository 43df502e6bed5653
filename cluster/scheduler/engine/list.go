package engine

// isListed reports whether an action is part of the plan.
func (c *cluster) isListed(a *action) bool {
	switch {
	case !a.is(runnable), a.is(optional) && !a.is(alwaysListed):
		return false
	case a.r != nil && !a.r.managed && a.task != taskMonitor && a.interval == 0:
		return false
	case a.is(pseudo), a.task == taskFence, a.task == taskShutdown:
		return true
	case a.node == nil:
		return false
	}
	return a.is(onDC) || a.node.online && !a.node.unclean
}

// waits reports whether an action of the plan waits for another by a relation.
func (c *cluster) waits(a *action, r *relation) bool {
	first := r.action
	stops := first.r != nil && first.key == taskStop && first.interval == 0
	switch {
	case r.flags == 0:
		return false
	case !first.is(runnable) && (r.flags&^(thenImpliesFirstListed|firstImpliesThenListed|ordered) == 0 || r.flags&(minRunnable|unmigratableThenBlocks) != 0):
		return false
	case r.is(ifFirstUnmigratable) && first.is(migratable), r.flags == ordered && first.is(migratable) && stops:
		return false
	case r.flags == ifOnSameNodeOrTarget:
		at := a.node
		if a.r != nil && a.task == taskMigrateTo {
			return first.node == a.r.assignedNode
		}
		return first.node == at && first.required()
	case r.flags == ifRequiredOnSameNode:
		return (first.node == nil || a.node == nil || first.node == a.node) && first.required()
	case first.r != nil && first.r != a.r && first.r.failed && !first.r.managed && stops && a.r.isClone():
		return false
	}
	return first.required() || first.is(alwaysListed) || first.is(listed) || c.isListed(first)
}

// list returns the actions of the plan, each after those that it waits for, and
// otherwise in the order of the resources.
func (c *cluster) list() []*action {
	for _, a := range c.actions {
		if a.r.isClone() {
			c.summary(a, nil)
		}
	}
	c.addNotifications()
	var all []*action
	for _, a := range c.actions {
		if c.isListed(a) {
			a.set(listed)
			all = append(all, a)
		}
	}
	out := make([]*action, 0, len(all))
	var visit func(a *action)
	visit = func(a *action) {
		if a.visited {
			return
		}
		a.visited = true
		for _, r := range a.before {
			if r.action.is(listed) && c.waits(a, r) {
				visit(r.action)
			}
		}
		a.index = int32(len(out))
		out = append(out, a)
	}
	for _, a := range all {
		visit(a)
	}
	return out
}
