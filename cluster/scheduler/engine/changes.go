package engine

import "slices"

// handleChanges looks at what runs for operations whose definition changed since,
// or is gone: monitors are scheduled anew or canceled, the resource is reloaded
// or restarted.
func (c *cluster) handleChanges() {
	for _, n := range c.nodes {
		if !n.maintenance && !n.available() || n.State == nil {
			continue
		}
		for i := range n.History {
			h := &n.History[i]
			if len(h.Ops) == 0 {
				continue
			}
			for _, r := range c.rememberedAs(h.Resource) {
				c.checkHistory(r, n, h)
			}
		}
	}
}

// rememberedAs returns the primitives that a history may be of.
func (c *cluster) rememberedAs(id string) []*resource {
	if c.remembered == nil {
		c.remembered = make(map[string][]*resource)
		for _, top := range c.resources {
			top.each(func(r *resource) {
				if r.kind != Primitive {
					return
				}
				c.remembered[r.id] = append(c.remembered[r.id], r)
				if r.historyID != "" && r.historyID != r.id {
					c.remembered[r.historyID] = append(c.remembered[r.historyID], r)
				}
			})
		}
	}
	return c.remembered[id]
}

func (c *cluster) checkHistory(r *resource, n *node, h *History) {
	active := slices.Contains(r.active, n)
	switch {
	case r.removed:
		if !r.top().anonymous() {
			c.cleanUp(r, n)
		}
		return
	case c.agentChanged(r, n, h, active):
		c.cleanUp(r, n)
	}
	if !active {
		return
	}
	ops := sortedOps(h.Ops)
	start, stop := activeRange(ops)
	if start < stop {
		return
	}
	for i, op := range ops {
		if i >= start {
			c.checkOperation(r, n, op)
		}
	}
}

func (c *cluster) checkOperation(r *resource, n *node, op *HistoryOp) {
	interval, _ := scanInt(op.Interval)
	t := task(op.Operation)
	switch {
	case interval > 0 && (r.maintenance || n.maintenance):
		c.cancelRunning(r, t, interval, n)
	case interval > 0 || t == taskMonitor || t == taskStart || t == taskPromote || t == taskMigrateFrom:
		if count, _ := c.failCount(n, r); c.definitionChanged(r, n, op) && count != 0 {
			c.clearFailCount(r, n, "action definition changed")
		}
	}
}

// agentChanged reports whether a resource has another agent than it ran with;
// then it restarts.
func (c *cluster) agentChanged(r *resource, n *node, h *History, active bool) bool {
	if r.Type == h.Type && r.Class == h.Class && r.Provider == h.Provider {
		return false
	}
	c.unfence(r, n, "Device definition changed")
	if active {
		c.stopAction(r, n, false)
		r.startPending = true
	}
	return true
}

// cleanUp forgets the history of a resource on a node, between stop and start.
func (c *cluster) cleanUp(r *resource, n *node) {
	if r.failed || n.unclean || !n.online {
		return
	}
	c.newAction(r, taskDelete, 0, n, false)
	c.orderTasks(r, taskStop, r, taskDelete, ordered)
	c.orderTasks(r, taskDelete, r, taskStart, ordered)
}

func (c *cluster) cancelRunning(r *resource, t task, interval int64, n *node) {
	cancel := c.cancelAction(r, t, interval, n)
	c.orderAfter(r, taskStop, cancel, ordered)
}

// definitionChanged does what a change of an operation's definition asks for.
func (c *cluster) definitionChanged(r *resource, n *node, op *HistoryOp) bool {
	interval, _ := scanInt(op.Interval)
	t := task(op.Operation)
	if spec := r.configured(op.Operation, interval); interval > 0 && (spec == nil || spec.disabled()) {
		if c.cancelRemoved {
			c.cancelRunning(r, t, interval, n)
		}
		return true
	}
	if interval == 0 && (t == taskMonitor || t == taskMigrateFrom || t == taskPromote) {
		t = taskStart
	}
	switch c.digest(r, n, op) {
	case digestMatch:
		return false
	case digestRestart:
		c.forceRestart(r, n, t, interval)
	default:
		switch {
		case interval > 0:
			c.unfence(r, n, "Device parameters changed (reschedule)")
			c.newAction(r, t, interval, n, true).set(reschedule)
		case op.RestartDigest != "" || c.outdatedMonitors[op]:
			c.unfence(r, n, "Device parameters changed (reload)")
			c.scheduleReload(r, n)
		default:
			c.forceRestart(r, n, t, interval)
		}
	}
	return true
}

func (c *cluster) forceRestart(r *resource, n *node, t task, interval int64) {
	c.newAction(r, t, interval, nil, false).override("resource definition change")
	c.unfence(r, n, "Device parameters changed")
}

// scheduleReload lets a resource take over new parameters as it runs.
func (c *cluster) scheduleReload(r *resource, n *node) {
	if !r.managed || r.failed {
		return
	}
	if r.startPending {
		c.stopAction(r, n, false)
		return
	}
	r.reload = true
	a := c.newAction(r, taskReload, 0, n, false)
	a.because("resource definition change")
	c.orderBefore(a, r, taskStop, ordered|thenCancelsFirst)
	c.orderBefore(a, r, taskDemote, ordered|thenCancelsFirst)
}
