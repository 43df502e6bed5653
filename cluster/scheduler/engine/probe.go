package engine

import (
	"cmp"
	"slices"
)

// A probeOrder orders a probe before the starts of a resource.
type probeOrder struct {
	probe *action
	then  *resource
	flags relationFlags
}

// scheduleProbes looks on every node for what is not known to run there.
func (c *cluster) scheduleProbes() {
	c.probesAt = len(c.orderings)
	if !c.startupProbes {
		return
	}
	for _, n := range c.nodes {
		if !n.online || n.unclean {
			continue
		}
		for _, r := range c.resources {
			c.probe(r, n)
		}
	}
}

// relateProbes relates the probes to the starts that wait for them.
func (c *cluster) relateProbes() {
	for _, o := range c.probes {
		for _, a := range o.then.actions {
			if a.key == taskStart && a.interval == 0 {
				relate(o.probe, a, o.flags)
			}
		}
	}
}

// probe makes the probes of a resource on a node; it reports whether there are any.
func (c *cluster) probe(r *resource, n *node) bool {
	if r.kind == Clone {
		return c.probeClone(r, n)
	}
	if len(r.children) > 0 {
		return c.probeAll(r.children, n)
	}
	return c.probePrimitive(r, n)
}

func (c *cluster) probeAll(list []*resource, n *node) bool {
	any := false
	for _, r := range list {
		any = c.probe(r, n) || any
	}
	return any
}

// probeClone: instances that are all alike need one probe a node.
func (c *cluster) probeClone(r *resource, n *node) bool {
	if r.exclusiveProbes && (!r.allowed[n.index].present || r.allowed[n.index].probe != discoverExclusive) {
		r.allowed[n.index].present = false
		return false
	}
	slices.SortStableFunc(r.children, func(a, b *resource) int { return cmp.Compare(a.number, b.number) })
	if r.unique {
		return c.probeAll(r.children, n)
	}
	for _, instance := range r.children {
		if instance.anySet(func(r *resource) bool { return r.kind == Primitive && r.probed[n.index] }) {
			return c.probe(instance, n)
		}
	}
	for _, instance := range r.children {
		if instance.onlyPlace(placeAssigned) == n {
			return c.probe(instance, n)
		}
	}
	return c.probe(r.children[0], n)
}

func (c *cluster) probePrimitive(r *resource, n *node) bool {
	top := r.top()
	w := r.allowed[n.index]
	switch {
	case r.container != nil, r.removed, r.probed[n.index]:
		return false
	case (r.exclusiveProbes || top.exclusiveProbes) && (!w.present || w.probe != discoverExclusive):
		return false
	case w.present && w.probe == discoverNever:
		return false
	}
	r.actions = slices.Grow(r.actions, len(c.nodes))
	probe := c.newAction(r, taskMonitor, 0, n, false)
	probe.clear(optional)
	c.orderUnfencing(r, n, probe, ordered)
	switch {
	case !slices.Contains(r.active, n):
		probe.expected = exitNotRunning
	case r.role == rolePromoted:
		probe.expected = exitPromoted
	}
	if top.kind != Clone {
		top = r
	}
	flags := ordered
	if !probe.is(runnable) && len(top.active) == 0 {
		flags |= unrunnableFirstBlocks
	}
	c.probes = append(c.probes, probeOrder{probe, top, flags})
	if top.newestKeyed(taskReload) != nil {
		c.orderBefore(probe, top, taskReload, ordered)
	}
	return true
}

// orderProbes orders probes before what might depend on what they find.
func (c *cluster) orderProbes() {
	for _, r := range c.resources {
		r.each(func(r *resource) {
			if r.kind == Primitive {
				c.orderProbesOf(r)
			}
		})
	}
	c.orderProbesBeforeStops()
}

func (c *cluster) orderProbesOf(r *resource) {
	for _, probe := range r.actions {
		if probe.key != taskMonitor || probe.interval != 0 {
			continue
		}
		for i := len(probe.after) - 1; i >= 0; i-- {
			then := probe.after[i]
			orderProbeBeforeStarts(probe, then)
			c.seen = c.seen[:0]
			c.orderProbeBeforeRestarts(probe, then.action)
			for _, a := range c.seen {
				a.visited = false
			}
		}
	}
}

// orderProbeBeforeStarts: a probe that cannot run keeps a clone's instances from
// starting, if none runs.
func orderProbeBeforeStarts(probe *action, then *relation) {
	clone := then.action.r
	if clone == nil || clone.kind != Clone || probe.is(runnable) || then.is(unrunnableFirstBlocks) ||
		probe.r.top() != clone || then.action.task != taskStart {
		return
	}
	for i := len(then.action.after) - 1; i >= 0; i-- {
		a := then.action.after[i].action
		if a.r == nil || len(a.r.active) > 0 || a.r.top() != clone || a.task != taskStart {
			continue
		}
		relate(probe, a, ordered|unrunnableFirstBlocks)
	}
}

// orderProbeBeforeRestarts orders a probe before the stops of what would restart
// if the probe led to a start.
func (c *cluster) orderProbeBeforeRestarts(probe, after *action) {
	if after.visited || probe.r.kind != Primitive || probe.task != taskMonitor {
		return
	}
	after.visited = true
	c.seen = append(c.seen, after)
	if after.r != nil && after.r.kind == Primitive && probe.r != after.r {
		for _, a := range undone(after) {
			if !a.is(pseudo) {
				relate(probe, a, ordered)
			}
		}
	}
	interleaved := after.r.isClone() && isTrue(after.r.meta["interleave"])
	var own *resource
	if interleaved {
		own = c.compatible(probe.r, after.r, roleUnknown, false)
	}
	for i := len(after.after) - 1; i >= 0; i-- {
		then := after.after[i]
		if !then.is(firstImpliesThen) {
			next := then.action.r
			if after.r == nil || after.r.kind == Primitive || probe.r.parent == after.r || next == nil ||
				next.kind == Clone || after.r != next.parent || interleaved && own != next {
				continue
			}
		}
		c.orderProbeBeforeRestarts(probe, then.action)
	}
}

// undone returns the actions that undo another one's task.
func undone(a *action) []*action {
	switch a.task {
	case taskStart:
		return a.r.actionsOf(taskStop, nil)
	case taskPromote:
		return a.r.actionsOf(taskDemote, nil)
	default:
		return nil
	}
}

// orderProbesBeforeStops lets what must wait for a stop wait for the probes that
// tell whether there is something to stop.
func (c *cluster) orderProbesBeforeStops() {
	for i := range c.orderings {
		o := &c.orderings[i]
		if o.first == nil || o.first == o.then || !o.firstIsStop() || o.thenAction == nil && o.thenTask == "" {
			continue
		}
		flags := ordered | o.flags&(ifFirstUnmigratable|ifOnSameNode)
		if o.flags == ifRequiredOnSameNode || o.flags == ifOnSameNodeOrTarget {
			flags = o.flags
		}
		probes := o.first.actionsOf(taskMonitor, nil)
		if len(probes) == 0 {
			continue
		}
		thens := []*action{o.thenAction}
		if o.thenAction == nil {
			if o.then == nil {
				continue
			}
			thens = o.then.actionsOf(o.thenTask, nil)
		}
		for _, probe := range probes {
			for _, then := range thens {
				if probeMatters(probe, then) {
					relate(probe, then, flags)
				}
			}
		}
	}
}

func (o *ordering) firstIsStop() bool {
	if o.firstAction != nil {
		return o.firstAction.task == taskStop
	}
	return o.firstTask == taskStop
}

// probeMatters: an unfencing and another node's shutdown wait for no probe.
func probeMatters(probe, then *action) bool {
	switch then.task {
	case taskFence:
		return probe.node != then.node || then.name != "on"
	case taskShutdown:
		return probe.node == nil || then.node == nil || probe.node == then.node
	default:
		return true
	}
}
