package engine

import (
	"slices"
	"strings"
)

// createRecurring makes the recurring monitors of a resource where it will run,
// and those of the role Stopped everywhere else.
func (c *cluster) createRecurring(r *resource) {
	if r.blocked || r.maintenance {
		return
	}
	var start *action
	if n := r.assignedNode; n != nil && !n.maintenance && (r.nextRole != roleStopped || !r.managed) {
		start = c.startAction(r, n)
	}
	for i := range r.Operations {
		m, ok := c.recurring(r, &r.Operations[i])
		if !ok {
			continue
		}
		if start != nil {
			c.monitorActive(r, start, m)
		}
		c.monitorInactive(r, m)
	}
}

var neverRecurring = []task{taskStop, taskStart, taskDemote, taskPromote, taskReload, taskMigrateTo, taskMigrateFrom}

// A recurrence is a configured operation that is to be repeated.
type recurrence struct {
	name     task
	interval int64
	role     role // unknown: any but promoted
}

func (c *cluster) recurring(r *resource, op *Operation) (m recurrence, ok bool) {
	m = recurrence{name: task(op.Name), interval: parseInterval(op.Interval)}
	if slices.Contains(neverRecurring, m.name) || m.interval == 0 || op.ID == "" || r.duplicated(op, m.interval) {
		return m, false
	}
	if enabled, ok := parseBool(op.option("enabled")); ok && !enabled {
		return m, false
	}
	if name := op.option("role"); name != "" {
		if m.role = parseRole(name); m.role == roleUnknown {
			return m, false
		}
	}
	return m, true
}

func (o *Operation) option(name string) string {
	for _, v := range o.Options {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// duplicated reports whether two operations have one name and interval.
func (r *resource) duplicated(op *Operation, interval int64) bool {
	n := 0
	for i := range r.Operations {
		o := &r.Operations[i]
		if o.Name == op.Name && parseInterval(o.Interval) == interval && o.ID != "" {
			n++
		}
	}
	return n > 1
}

func (c *cluster) monitorActive(r *resource, start *action, m recurrence) {
	n := r.assignedNode
	if m.role == roleStopped {
		return
	}
	isOptional := c.stillMonitored(r, start, m)
	matches := r.nextRole == m.role
	if m.role == roleUnknown {
		matches = r.nextRole != rolePromoted
	}
	if !matches {
		if isOptional {
			c.cancelBeforeChange(r, m)
		}
		return
	}
	monitor := c.newAction(r, m.name, m.interval, n, isOptional)
	if !start.is(runnable) || !n.online || n.unclean {
		monitor.clear(runnable)
	}
	if r.nextRole == rolePromoted {
		monitor.expected = exitPromoted
	}
	if !r.managed {
		return
	}
	c.orderAfter(r, taskStart, monitor, firstImpliesThen|unrunnableFirstBlocks)
	c.orderAfter(r, taskReload, monitor, firstImpliesThen|unrunnableFirstBlocks)
	switch {
	case r.nextRole == rolePromoted:
		c.orderAfter(r, taskPromote, monitor, ordered|unrunnableFirstBlocks)
	case r.role == rolePromoted:
		c.orderAfter(r, taskDemote, monitor, ordered|unrunnableFirstBlocks)
	}
}

// stillMonitored reports whether a monitor runs already and may go on.
func (c *cluster) stillMonitored(r *resource, start *action, m recurrence) bool {
	if start.required() {
		return false
	}
	list := r.exactly(m.name, m.interval, r.assignedNode)
	for _, a := range list {
		if a.is(reschedule) {
			return false
		}
	}
	return len(list) > 0
}

// cancelBeforeChange ends the monitor of a role that a resource leaves.
func (c *cluster) cancelBeforeChange(r *resource, m recurrence) {
	cancel := c.cancelAction(r, m.name, m.interval, r.assignedNode)
	then := task("")
	switch {
	case r.role == rolePromoted:
		then = taskDemote
	case r.role != roleStarted && r.role != roleUnpromoted:
	case r.nextRole == rolePromoted:
		then = taskPromote
	case r.nextRole == roleStopped:
		then = taskStop
	}
	if then != "" {
		c.orderBefore(cancel, r, then, unrunnableFirstBlocks)
	}
}

func (c *cluster) cancelAction(r *resource, name task, interval int64, n *node) *action {
	a := c.keyedAction(r, name, taskCancel, interval, n, false)
	a.task = taskCancel
	return a
}

// monitorInactive makes the monitors that look for what should not run.
func (c *cluster) monitorInactive(r *resource, m recurrence) {
	if m.role != roleStopped || !r.unique {
		return
	}
	for _, n := range c.nodes {
		if r.assignedNode != nil && strings.EqualFold(n.Name, r.assignedNode.Name) {
			c.cancelIfRunning(r, m)
			continue
		}
		isOptional := len(r.exactly(m.name, m.interval, n)) > 0
		monitor := c.newAction(r, m.name, m.interval, n, isOptional)
		monitor.expected = exitNotRunning
		if r.managed {
			for _, probe := range r.actionsOf(taskMonitor, n) {
				relate(probe, monitor, unrunnableFirstBlocks)
			}
		}
		c.monitorAfterStops(r, n, monitor)
		if !n.online || n.unclean {
			monitor.clear(runnable)
		}
	}
}

func (c *cluster) cancelIfRunning(r *resource, m recurrence) {
	if len(r.exactly(m.name, m.interval, r.assignedNode)) == 0 {
		return
	}
	cancel := c.cancelAction(r, m.name, m.interval, r.assignedNode)
	if r.nextRole == roleStarted || r.nextRole == roleUnpromoted {
		c.orderBefore(cancel, r, taskStart, unrunnableFirstBlocks)
	}
}

func (c *cluster) monitorAfterStops(r *resource, n *node, monitor *action) {
	for _, stop := range r.exactly(taskStop, 0, n) {
		if stop.required() && monitor.required() && !r.managed {
			monitor.set(optional)
		}
		if !stop.is(runnable) {
			monitor.clear(runnable)
		}
		if r.managed {
			c.order(ordering{firstAction: stop, thenAction: monitor, flags: firstImpliesThen | unrunnableFirstBlocks})
		}
	}
}
