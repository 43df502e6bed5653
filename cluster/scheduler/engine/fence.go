package engine

import (
	"slices"
	"strings"
)

// canFence reports whether a node could be fenced, if it had to be.
func (c *cluster) canFence(n *node) bool {
	switch {
	case !c.fencing, !c.haveFencing:
		return false
	case c.quorate, c.noQuorum == noQuorumIgnore:
		return true
	}
	return n != nil && n.online
}

// fenceNode says that the state of a node is not known, so that it must be
// fenced.
func (c *cluster) fenceNode(n *node, reason string) {
	if n.unclean {
		return
	}
	n.unclean = true
	c.fenceOp(n, "", true, reason)
}

// fenceOp returns the fencing of a node by an action, the usual one if it is
// empty. It becomes required unless it is said to be optional, or impossible.
func (c *cluster) fenceOp(n *node, how string, isOptional bool, reason string) *action {
	if how == "" {
		how = c.fenceAction
	}
	key := "stonith-" + n.Name + "-" + how
	a := c.singletons[key]
	if a == nil {
		a = c.addAction(action{key: taskFence, task: taskFence, name: how, node: n, flags: runnable | optional, expected: -1})
		c.singletons[key] = a
		if how == "on" && c.unfencing && c.deviceChanged(n) {
			isOptional = false
		}
	}
	if !isOptional && c.canFence(n) {
		a.clear(optional)
		a.because(reason)
	} else {
		a.because(reason)
	}
	return a
}

// fencingDelay returns how many seconds the fencing of a node waits, so that of
// two halves of a cluster that shoot at each other the one survives where the
// resources of more priority run.
func (c *cluster) fencingDelay(n *node) int64 {
	if c.priorityDelay == 0 || !n.delayed || n.online {
		return 0
	}
	online, least, most := 0, c.nodes[0].priority, c.nodes[0].priority
	for _, other := range c.nodes {
		if other.online {
			online++
		}
		least, most = min(least, other.priority), max(most, other.priority)
	}
	if online > len(c.nodes)/2 || least == most || n.priority < most {
		return 0
	}
	return c.priorityDelay
}

// deviceChanged reports whether a device that unfences a node has other
// parameters than when it last did.
func (c *cluster) deviceChanged(n *node) bool {
	changed := false
	for _, r := range c.resources {
		r.each(func(r *resource) {
			if r.kind != Primitive || !r.fenceDevice {
				return
			}
			if !r.needsUnfencing && !strings.EqualFold(r.meta["provides"], "unfencing") {
				return
			}
			changed = changed || c.fencingDigestChanged(r, n)
		})
	}
	return changed
}

// unfence makes the unfencing of a node required, or, without one, of all nodes
// that a device may run on.
func (c *cluster) unfence(r *resource, n *node, reason string) {
	well := func(n *node) bool { return n.online && !n.unclean && !n.shutdown }
	switch {
	case !c.unfencing, r != nil && !r.fenceDevice:
	case n != nil && well(n):
		c.fenceOp(n, "on", false, reason)
	case r != nil:
		for i, n := range c.nodes {
			if r.allowed[i].present && well(n) {
				c.unfence(r, n, reason)
			}
		}
	}
}

// orderUnfencing orders an action after the unfencing of its node, if the
// resource needs that.
func (c *cluster) orderUnfencing(r *resource, n *node, a *action, flags relationFlags) {
	if !(r.fenceDevice && c.unfencing) && !r.needsUnfencing || n == nil {
		return
	}
	relate(c.fenceOp(n, "on", true, ""), a, flags)
	if !n.unfenced() {
		c.unfence(nil, n, "required by "+r.id+" "+string(a.task))
	}
}

func (n *node) unfenced() bool {
	v := n.attrs["#node-unfenced"]
	return v != "" && v != "0"
}

func (c *cluster) orderRestartAroundUnfencing(r *resource) {
	for i, n := range c.nodes {
		if !r.allowed[i].present {
			continue
		}
		unfence := c.fenceOp(n, "on", true, "")
		c.orderAfter(r, taskStop, unfence, ordered|ifOnSameNode)
		c.orderBefore(unfence, r, taskStart, firstImpliesSameNodeThen|ifOnSameNode)
	}
}

// scheduleFencing fences the nodes whose state is not known, and lets those that
// were told to leave do so.
func (c *cluster) scheduleFencing() {
	managed := slices.ContainsFunc(c.resources, func(r *resource) bool { return r.anySet(func(r *resource) bool { return r.managed }) })
	var fencings, shutdowns []*action
	var dc *action
	for _, n := range c.nodes {
		var a *action
		switch {
		case managed && n.unclean && c.canFence(n):
			a = c.fenceOp(n, "", false, "node is unclean")
			c.orderAroundFencing(a)
			if n != c.dc {
				if !c.concurrentFencing && len(fencings) > 0 {
					relate(fencings[len(fencings)-1], a, ordered)
				}
				fencings = append(fencings, a)
			}
		case n.online && n.shutdown:
			a = c.shutdownAction(n)
			if n != c.dc {
				shutdowns = append(shutdowns, a)
			}
		case n.unclean:
			c.problems = append(c.problems, n.Name+" is unclean and cannot be fenced")
		}
		if n == c.dc && a != nil {
			dc = a
		}
	}
	c.orderDCLast(dc, fencings, shutdowns)
}

// orderDCLast: the node that coordinates goes last.
func (c *cluster) orderDCLast(dc *action, fencings, shutdowns []*action) {
	if dc == nil {
		return
	}
	if dc.task == taskShutdown {
		for _, a := range shutdowns {
			relate(a, dc, ordered)
		}
	}
	if !c.concurrentFencing && len(fencings) > 0 {
		fencings = fencings[len(fencings)-1:]
	}
	for _, a := range fencings {
		relate(a, dc, ordered)
	}
}

// shutdownAction lets a node leave once all that runs there has stopped.
func (c *cluster) shutdownAction(n *node) *action {
	a := c.addAction(action{key: taskShutdown, task: taskShutdown, name: n.Name, node: n, flags: runnable, expected: -1})
	for i := len(c.actions) - 1; i >= 0; i-- {
		stop := c.actions[i]
		if stop.node != n || stop.task != taskStop || stop.r.maintenance || n.maintenance || !stop.r.managed && !stop.r.blocked {
			continue
		}
		stop.clear(optional)
		c.order(ordering{firstAction: stop, thenAction: a, flags: ordered | unrunnableFirstBlocks})
	}
	return a
}

// orderAroundFencing orders what needs the fencing of a node after it, and makes
// it stand for the stops there.
func (c *cluster) orderAroundFencing(fencing *action) {
	for _, r := range c.resources {
		r.each(func(r *resource) {
			if r.kind == Primitive && r.managed {
				orderStartsAfterFencing(r, fencing)
				orderStopsByFencing(r, fencing)
			}
		})
	}
}

func orderStartsAfterFencing(r *resource, fencing *action) {
	target := fencing.node
	for i := len(r.actions) - 1; i >= 0; i-- {
		a := r.actions[i]
		switch {
		case a.needs == needsFencing:
			relate(fencing, a, ordered)
		case a.needs == needsQuorum && a.task == taskStart && r.allowed[target.index].present && !r.knownOn(target):
			relate(fencing, a, ordered|unrunnableFirstBlocks)
		}
	}
}

func (r *resource) knownOn(n *node) bool {
	return r.probed[n.index] || r.parent.anonymous() && r.parent.probed[n.index]
}

// orderStopsByFencing: what a fencing stops needs no stop.
func orderStopsByFencing(r *resource, fencing *action) {
	target := fencing.node
	stops := r.actionsOf(taskStop, target)
	var outer *action
	if len(stops) > 0 && r.needsFencing {
		outer = r.top().newest(taskStop, nil)
	}
	for _, a := range stops {
		a.set(pseudo | runnable)
		if r.needsFencing {
			relate(fencing, a, guestAllowed)
			relate(fencing, outer, guestAllowed)
		}
	}
	for _, a := range r.actionsOf(taskDemote, target) {
		if a.node.online && !a.node.unclean && !r.failed {
			continue
		}
		a.set(pseudo | runnable)
		if r.needsFencing {
			relate(fencing, a, guestAllowed|ordered)
		}
	}
}
