package engine

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
	default:
		return a.flags
	}
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
