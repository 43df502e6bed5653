package engine

import "slices"

// blockDependents: what must run with a resource that cannot start cannot start
// either.
func (c *cluster) blockDependents(a *action) {
	if a.is(runnable) || a.task != taskStart && a.task != taskPromote || a.r == nil {
		return
	}
	top := a.r.top()
	for _, child := range top.children {
		inner := child.newest(a.task, nil)
		if inner == nil || inner.is(runnable) {
			return
		}
	}
	for _, co := range top.dependents() {
		if co.score < infinity || a.task == taskPromote && co.primaryRole != rolePromoted {
			continue
		}
		t := taskStart
		if co.dependentRole == rolePromoted {
			t = taskPromote
		}
		c.block(co.dependent, t, a.r)
	}
}

func (c *cluster) block(r *resource, t task, because *resource) {
	for i := len(r.actions) - 1; i >= 0; i-- {
		a := r.actions[i]
		if !a.is(runnable) || a.task != t {
			continue
		}
		a.clear(runnable)
		a.because("colocation with " + because.id)
		c.blockDependents(a)
		c.update(a)
	}
	for _, child := range r.children {
		c.block(child, t, because)
	}
}

// dropLoops takes back orders about nodes' load that would let a migration wait
// for itself.
func (c *cluster) dropLoops() {
	for i := len(c.actions) - 1; i >= 0; i-- {
		a := c.actions[i]
		if a.task != taskMigrateTo || a.r == nil {
			continue
		}
		for _, r := range slices.Backward(a.before) {
			if r.flags == ifOnSameNodeOrTarget && c.loops(a, a, r) {
				r.flags = 0
			}
		}
	}
}

// loops reports whether an action waits for another by way of a relation.
func (c *cluster) loops(start, a *action, r *relation) bool {
	if r.action.visited || !c.waits(a, r) {
		return false
	}
	if r.action == start {
		return true
	}
	r.action.visited = true
	defer func() { r.action.visited = false }()
	return slices.ContainsFunc(r.action.before, func(next *relation) bool { return c.loops(start, r.action, next) })
}
