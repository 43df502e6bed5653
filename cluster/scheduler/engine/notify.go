package engine

// taskNotify tells an instance what becomes of its siblings.
const taskNotify task = "notify"

// addNotifications makes the notifications of the clones that want them ("Clone
// Options": notify). They change no decision, so they are made last.
func (c *cluster) addNotifications() {
	for _, top := range c.resources {
		if top.isClone() && isTrue(top.meta["notify"]) {
			c.notifyClone(top)
		}
	}
}

// notifyClone tells of one task after the other, in the order in which they are done.
func (c *cluster) notifyClone(clone *resource) {
	var told *action
	for _, t := range []task{taskDemote, taskStop, taskStart, taskPromote} {
		if clone.anySet(func(r *resource) bool { return c.plans(r, t) }) {
			told = c.notifyOf(clone, t, told)
		}
	}
}

// plans reports whether a primitive has a task in the plan.
func (c *cluster) plans(r *resource, t task) bool {
	if r.kind != Primitive {
		return false
	}
	for _, a := range r.actions {
		if a.task == t && a.required() && a.node != nil && (c.isListed(a) || t == taskStop && a.node.unclean) {
			return true
		}
	}
	return false
}

// notifyOf tells the instances of a clone of a task before it and after it, and
// returns the mark of its end. All of that comes after an earlier one.
func (c *cluster) notifyOf(clone *resource, t task, earlier *action) *action {
	before := c.notification(clone, nil, "pre_notify_"+t)
	ready := c.notification(clone, nil, "confirmed-pre_notify_"+t)
	after := c.notification(clone, nil, "post_notify_"+t.completed())
	told := c.notification(clone, nil, "confirmed-post_notify_"+t.completed())
	inOrder(earlier, before, ready, clone.newestKeyed(t))
	inOrder(clone.newestKeyed(t.completed()), after, told)
	inOrder(ready, after)
	clone.each(func(r *resource) {
		for _, n := range r.toldBefore(t) {
			inOrder(before, c.notification(r, n, taskNotify), ready)
		}
		for _, n := range r.toldAfter(t) {
			inOrder(after, c.notification(r, n, taskNotify), told)
			r.monitorAfter(told)
		}
	})
	return told
}

// notification makes one action of it: of a clone a mark.
func (c *cluster) notification(r *resource, n *node, t task) *action {
	a := c.addAction(action{r: r, node: n, key: t, task: t, flags: runnable, expected: -1, reason: "notify is set for " + r.top().id})
	if n == nil {
		a.set(pseudo)
	}
	return a
}

// inOrder orders actions one after the other; those that are nil are passed over.
func inOrder(list ...*action) {
	var last *action
	for _, a := range list {
		if a != nil {
			relate(last, a, ordered)
			last = a
		}
	}
}

// toldBefore returns the nodes on which an instance is told of a task that is
// about to be done: where it runs, or runs on.
func (r *resource) toldBefore(t task) []*node {
	switch {
	case r.kind != Primitive:
		return nil
	case t == taskStop, t == taskDemote:
		return r.toldOf()
	case t == taskStart && r.requires(taskStart):
		return nil
	}
	return r.toldWhere()
}

// toldAfter returns the nodes on which an instance is told of a task that was done.
func (r *resource) toldAfter(t task) []*node {
	switch {
	case r.kind != Primitive, t == taskStop && r.requires(taskStop):
		return nil
	case t == taskStop, t == taskDemote:
		return r.toldOf()
	}
	return r.toldWhere()
}

func (r *resource) toldOf() []*node {
	if r.role == roleStopped {
		return nil
	}
	return r.active
}

func (r *resource) toldWhere() []*node {
	if r.nextRole == roleStopped || r.assignedNode == nil {
		return nil
	}
	return []*node{r.assignedNode}
}

// monitorAfter lets the recurring monitors of an instance begin when all are told.
func (r *resource) monitorAfter(told *action) {
	for _, a := range r.actions {
		if a.interval > 0 && a.task != taskCancel {
			relate(told, a, ordered)
		}
	}
}
