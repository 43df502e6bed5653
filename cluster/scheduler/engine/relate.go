package engine

import "slices"

// applyOrderings makes relations between the actions there are, and carries what
// is required and what cannot run along them until nothing changes.
func (c *cluster) applyOrderings() {
	for i := 0; i < len(c.orderings); i++ {
		o := &c.orderings[i]
		switch {
		case o.first != nil:
			c.relateFirst(o)
		case o.then != nil:
			relateThen(o.firstAction, o.then, o)
		default:
			relate(o.firstAction, o.thenAction, o.flags)
		}
	}
	for i := len(c.actions) - 1; i >= 0; i-- {
		c.blockDependents(c.actions[i])
	}
	c.orderProbes()
	for i := len(c.actions) - 1; i >= 0; i-- {
		c.update(c.actions[i])
	}
	c.dropLoops()
}

// relateFirst relates the first actions of an ordering to those that come then.
// If there is none, it is made, so that the ordering can tell of it.
func (c *cluster) relateFirst(o *ordering) {
	firsts := []*action{o.firstAction}
	if o.firstAction == nil {
		firsts = o.first.actionsOf(o.firstTask, nil)
	}
	if len(firsts) == 0 && o.first != o.then {
		now := o.first.state(true)
		if now == roleStopped && o.firstTask == taskStop || now == roleUnpromoted && o.firstTask == taskDemote {
			return
		}
		firsts = []*action{c.newAction(o.first, o.firstTask, 0, nil, true)}
	}
	then := o.then
	if then == nil {
		if o.thenAction == nil {
			return
		}
		then = o.thenAction.r
	}
	for _, first := range firsts {
		if then == nil {
			relate(first, o.thenAction, o.flags)
		} else {
			relateThen(first, then, o)
		}
	}
}

// relateThen relates one first action; nil if there is none, which keeps what it
// implies from running.
func relateThen(first *action, then *resource, o *ordering) {
	thens := []*action{o.thenAction}
	if o.thenAction == nil {
		thens = then.actionsOf(o.thenTask, nil)
	}
	flags := o.flags
	if first != nil && first.r == then && first.is(migrationAbort) {
		flags &^= firstImpliesThen
	}
	for _, a := range thens {
		switch {
		case first != nil:
			relate(first, a, flags)
		case flags&firstImpliesThen != 0:
			a.clear(runnable)
		}
	}
}

// A change says which side of a relation changed.
type change int

const (
	changedFirst change = 1 << iota
	changedThen
)

// update carries along all relations before an action what they mean, and goes
// on with whatever changes by that.
func (c *cluster) update(then *action) {
	var changed change
	before := then.flags
	if then.minimum > 0 {
		then.count = 0
		then.clear(runnable)
	}
	for i := len(then.before) - 1; i >= 0; i-- {
		changed = c.updatePair(then.before[i], then, changed&^changedFirst)
		if changed&changedFirst == 0 {
			continue
		}
		first := c.standIn(then.before[i].action, then)
		for k := len(first.after) - 1; k >= 0; k-- {
			c.update(first.after[k].action)
		}
		c.update(first)
	}
	if then.minimum > 0 {
		changed &^= changedThen
		if before != then.flags {
			changed |= changedThen
		}
	}
	if changed&changedThen == 0 {
		return
	}
	if before&runnable != 0 && !then.is(runnable) {
		c.blockDependents(then)
	}
	c.update(then)
	for i := len(then.after) - 1; i >= 0; i-- {
		c.update(then.after[i].action)
	}
}

// updatePair carries one relation.
func (c *cluster) updatePair(r *relation, then *action, changed change) change {
	first := r.action
	firstNode, thenNode := groupNode(first), groupNode(then)
	if r.is(ifOnSameNode) && firstNode != nil && thenNode != nil && firstNode != thenNode {
		r.flags = 0
		return changed
	}
	if first.r != nil && r.is(thenCancelsFirst) && then.required() {
		first.set(optional)
		if first.task == taskReload {
			first.r.reload = false
		}
	}
	stand := c.standIn(first, then)
	if stand == first {
		return changed | c.carry(r, first, then, c.flagsFor(first, thenNode), c.flagsFor(then, firstNode))
	}
	if relate(stand, then, r.flags) {
		r.flags = 0
		changed |= changedThen
	}
	return changed
}

// groupNode returns the node of an action; a group's start happens where the
// group was placed.
func groupNode(a *action) *node {
	if a.r.isGroup() && a.task == taskStart {
		if n := a.r.onlyPlace(placeAssigned); n != nil {
			return n
		}
	}
	return a.node
}

// standIn returns the action that another waits for in place of one: not for
// the begin of a group's or clone's task but for its end.
func (c *cluster) standIn(first, then *action) *action {
	if first.r == nil || then.r == nil || first.r == then.r || then.r.insideOf(first.r) || first.r.kind == Primitive || first.interval > 0 {
		return first
	}
	if end := first.r.newestKeyed(first.key.completed()); end != nil {
		return end
	}
	return first
}

// flagsFor returns an action's flags for a relation: those of a clone on one node
// are required by that node's instance, but run if any instance does.
func (c *cluster) flagsFor(a *action, n *node) actionFlags {
	if a.r == nil {
		return a.flags
	}
	flags := c.summary(a, nil)
	if n == nil || a.r.kind != Clone {
		return flags
	}
	return c.summary(a, n) | flags&runnable
}

// summary returns an action's flags; those of a group or clone follow from the
// actions inside it, and what they require of it is noted.
func (c *cluster) summary(a *action, n *node) actionFlags {
	switch a.r.kind {
	case Group:
		return c.groupSummary(a, n)
	case Clone:
		return c.cloneSummary(a, n)
	}
	return a.flags
}

func (c *cluster) groupSummary(a *action, n *node) actionFlags {
	flags := optional | runnable | pseudo
	for _, member := range a.r.children {
		t := a.task.begun()
		inner := member.newest(t, n)
		if inner == nil {
			if t != taskStop && t != taskDemote {
				flags &^= runnable
			}
			continue
		}
		f := c.summary(inner, n)
		if f&optional == 0 {
			flags &^= optional
			a.clear(optional)
		}
		if t != a.task && f&runnable == 0 && flags&runnable != 0 {
			flags &^= runnable
			a.clear(runnable)
		}
	}
	return flags
}

func (c *cluster) cloneSummary(a *action, n *node) actionFlags {
	flags, any := optional|runnable|pseudo, false
	t := innerTask(a)
	for _, instance := range a.r.children {
		at := n
		if instance.kind != Primitive {
			at = nil
		}
		inner := instance.newest(t, at)
		if inner == nil {
			continue
		}
		f := c.summary(inner, n)
		if f&optional == 0 {
			flags &^= optional
			a.clear(optional)
		}
		any = any || f&runnable != 0
	}
	if !any {
		flags &^= runnable
		if n == nil {
			a.clear(runnable)
		}
	}
	return flags
}

// innerTask returns the task of instances that a clone's task or mark stands for.
func innerTask(a *action) task {
	if a.r.children[0].kind == Primitive {
		return a.task.begun()
	}
	return a.task
}

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
	}
	return c.updatePrimitive(first, then, flags, filter, by)
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
