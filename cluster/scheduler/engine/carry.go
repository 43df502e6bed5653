package engine

// carry applies each flag of a relation.
func (c *cluster) carry(r *relation, first, then *action, firstFlags, thenFlags actionFlags) change {
	var changed change
	n := then.node
	if r.is(firstImpliesSameNodeThen) {
		r.flags = r.flags&^firstImpliesSameNodeThen | firstImpliesThen
		n = first.node
	}
	pair := func(on *resource, flags, filter actionFlags, by relationFlags) {
		changed |= c.updateOrdered(on, first, then, n, flags, filter, by)
	}
	if r.is(firstImpliesThen) {
		if then.r != nil {
			pair(then.r, firstFlags&optional, optional, firstImpliesThen)
		} else if firstFlags&optional == 0 && then.is(optional) {
			then.clear(optional)
			changed |= changedThen
		}
	}
	if r.is(intermediateStop) && then.r != nil {
		pair(then.r, firstFlags, optional|runnable, intermediateStop)
	}
	if r.is(thenImpliesFirst) {
		if first.r != nil {
			pair(first.r, firstFlags, optional, thenImpliesFirst)
		} else if firstFlags&optional == 0 && first.is(runnable) {
			first.clear(runnable)
			changed |= changedFirst
		}
	}
	if then.r != nil {
		if r.is(promotedThenImpliesFirst) {
			pair(then.r, firstFlags&optional, optional, promotedThenImpliesFirst)
		}
		if r.is(minRunnable) {
			pair(then.r, firstFlags, runnable, minRunnable)
		}
		if r.is(unrunnableFirstBlocks) {
			pair(then.r, firstFlags, runnable, unrunnableFirstBlocks)
		}
		if r.is(unmigratableThenBlocks) {
			pair(then.r, firstFlags, optional, unmigratableThenBlocks)
		}
		if r.is(firstElseThen) {
			pair(then.r, firstFlags, optional, firstElseThen)
		}
		if r.is(ordered) {
			pair(then.r, firstFlags, runnable, ordered)
		}
		if r.is(asymmetric) {
			pair(then.r, firstFlags, runnable, asymmetric)
		}
	} else {
		changed |= carryToMarker(r, then, firstFlags)
	}
	if first.is(runnable) && r.is(firstImpliesThenListed) && firstFlags&optional == 0 {
		then.set(alwaysListed)
	}
	if r.is(thenImpliesFirstListed) && thenFlags&optional == 0 {
		first.set(alwaysListed)
	}
	if r.flags&(firstImpliesThen|thenImpliesFirst|intermediateStop) != 0 && first.r != nil && !first.r.managed && first.r.blocked &&
		!first.is(runnable) && first.task == taskStop && then.is(runnable) {
		then.clear(runnable)
		changed |= changedThen
	}
	return changed
}

// carryToMarker: a marker runs if enough before it does.
func carryToMarker(r *relation, then *action, firstFlags actionFlags) change {
	var changed change
	if r.is(minRunnable) && firstFlags&runnable != 0 {
		then.count++
		if then.count >= then.minimum && !then.is(runnable) {
			then.set(runnable)
			changed |= changedThen
		}
	}
	if r.is(unrunnableFirstBlocks) && firstFlags&runnable == 0 && then.is(runnable) {
		then.clear(runnable)
		changed |= changedThen
	}
	return changed
}

// updateOrdered applies one flag for the resource that it is about: for a group
// or clone also to the actions inside.
func (c *cluster) updateOrdered(on *resource, first, then *action, n *node, flags, filter actionFlags, by relationFlags) change {
	switch on.kind {
	case Group:
		changed := c.updatePrimitive(first, then, flags, filter, by)
		if then.r == nil {
			return changed
		}
		for _, member := range then.r.children {
			if inner := member.newest(then.task, n); inner != nil {
				changed |= c.updateOrdered(member, first, inner, n, flags, filter, by)
			}
		}
		return changed
	case Clone:
		return c.updateInstances(first, then, n, flags, filter, by)
	default:
		return c.updatePrimitive(first, then, flags, filter, by)
	}
}

func (c *cluster) updateInstances(first, then *action, n *node, flags, filter actionFlags, by relationFlags) change {
	if then.r == nil {
		return 0
	}
	if interleaves(first, then) {
		return c.updateInterleaved(first, then, n, filter, by)
	}
	changed := c.updatePrimitive(first, then, flags, filter, by)
	for _, instance := range then.r.children {
		inner := instance.newest(then.task, n)
		if inner == nil || c.summary(inner, n)&runnable == 0 {
			continue
		}
		did := c.updateOrdered(instance, first, inner, n, flags, filter, by)
		changed |= did
		if did&changedThen == 0 {
			continue
		}
		for i := len(inner.after) - 1; i >= 0; i-- {
			c.update(inner.after[i].action)
		}
	}
	return changed
}

// interleaves reports whether two clones are ordered instance by instance.
func interleaves(first, then *action) bool {
	if first.r == nil || first.r == then.r || first.r.kind != Clone || then.r.kind != Clone {
		return false
	}
	decides := then.r
	if then.key == taskStop || then.key == taskDemote {
		decides = first.r
	}
	return isTrue(decides.meta["interleave"])
}

func (c *cluster) updateInterleaved(first, then *action, n *node, filter actionFlags, by relationFlags) change {
	var changed change
	t := innerTask(first)
	now := first.key == taskStopped || first.key == taskDemoted
	for _, instance := range then.r.children {
		own := c.compatible(instance, first.r, roleUnknown, now)
		if own == nil {
			if !now && by&(unrunnableFirstBlocks|firstImpliesThen) != 0 && c.assign(instance, nil, true, true) {
				changed |= changedThen
			}
			continue
		}
		a, b := own.newest(t, n), instance.newest(then.task, n)
		if a == nil || b == nil {
			continue
		}
		if relate(a, b, by) {
			changed |= changedFirst | changedThen
		}
		changed |= c.updateOrdered(instance, a, b, n, c.summary(a, n), filter, by)
	}
	return changed
}

// updatePrimitive applies one flag to two actions.
func (c *cluster) updatePrimitive(first, then *action, flags, filter actionFlags, by relationFlags) change {
	thenBefore, firstBefore := then.flags, first.flags
	switch by {
	case asymmetric:
		carryAsymmetric(first, then)
	case thenImpliesFirst:
		if then.required() {
			if filter&optional != 0 && flags&optional == 0 {
				clearBecause(first, optional, then)
			}
			if flags&migratable != 0 && !then.is(migratable) {
				clearBecause(first, migratable, then)
			}
		}
	case promotedThenImpliesFirst:
		if then.r.role == rolePromoted && then.required() {
			clearBecause(first, optional, then)
			if !then.is(migratable) {
				clearBecause(first, migratable, then)
			}
		}
	case unmigratableThenBlocks:
		if !then.is(migratable | runnable) {
			clearBecause(first, runnable, then)
		}
		if then.required() {
			clearBecause(first, optional, then)
		}
	case firstElseThen:
		if !first.is(runnable) {
			clearBecause(then, migratable, first)
			then.clear(pseudo)
		}
	case unrunnableFirstBlocks:
		if then.is(runnable) && flags&runnable == 0 {
			clearBecause(then, runnable, first)
			clearBecause(then, migratable, first)
		}
	case firstImpliesThen:
		if flags&optional == 0 && !first.is(migratable) {
			clearBecause(then, optional, first)
		}
	case intermediateStop:
		carryRestart(first, then)
	default: // the order alone
	}
	var changed change
	if then.flags != thenBefore {
		changed |= changedThen
		if then.r != nil && then.r.parent != nil {
			c.update(then)
		}
	}
	if first.flags != firstBefore {
		changed |= changedFirst
	}
	return changed
}

// clearBecause takes a flag from an action and notes why.
func clearBecause(a *action, f actionFlags, cause *action) {
	if !a.is(f) {
		return
	}
	a.clear(f)
	if a.r == cause.r {
		return
	}
	if a.reason == "" && a.cause == nil {
		a.cause, a.causeFlag = cause, f
	}
}

// carryAsymmetric: in an order of one direction, what cannot run keeps the other
// from beginning, not from going on.
func carryAsymmetric(first, then *action) {
	if then.r == nil || first.is(runnable) {
		return
	}
	if then.is(optional) {
		now := then.r.state(true)
		if now == roleStopped && then.task == taskStop {
			return
		}
		if now >= roleStarted && then.task == taskStart && len(then.r.active) == 1 && then.r.active[0] == then.node {
			return
		}
	}
	clearBecause(then, optional, first)
	clearBecause(then, runnable, first)
}

// carryRestart: what is to start anew, or cannot start, stops first; and starts
// only if it could stop.
func carryRestart(first, then *action) {
	restart := then.required()
	stop := !then.is(runnable) && then.r.managed && first.r == then.r
	if !restart && !stop {
		return
	}
	if first.is(runnable) || then.required() {
		clearBecause(first, optional, then)
	}
	if !then.is(migratable) {
		clearBecause(first, migratable, then)
	}
	if first.required() && !first.is(runnable) {
		clearBecause(then, runnable, first)
	}
}
