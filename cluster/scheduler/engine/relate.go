package engine

// applyOrderings makes relations between the actions there are, and carries what
// is required and what cannot run along them until nothing changes.
func (c *cluster) applyOrderings() {
	for i := range c.orderings {
		if i == c.probesAt {
			c.relateProbes()
		}
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
	if c.probesAt >= len(c.orderings) {
		c.relateProbes()
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
	flags := o.flags
	if first != nil && first.r == then && first.is(migrationAbort) {
		flags &^= firstImpliesThen
	}
	if o.thenAction != nil {
		relateOne(first, o.thenAction, flags)
		return
	}
	for _, a := range then.actions {
		if a.key == o.thenTask && a.interval == 0 {
			relateOne(first, a, flags)
		}
	}
}

func relateOne(first, then *action, flags relationFlags) {
	switch {
	case first != nil:
		relate(first, then, flags)
	case flags&firstImpliesThen != 0:
		then.clear(runnable)
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
