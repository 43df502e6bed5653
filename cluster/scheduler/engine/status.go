package engine

import (
	"slices"
)

// unpackStatus reads what was recorded of the nodes: first which of them are
// there, then what each remembers of the resources.
func (c *cluster) unpackStatus() {
	known := c.nodesWithState()
	for _, n := range known {
		c.unpackNodeState(n)
	}
	for _, n := range known {
		// Without fencing, a node that is away counts as one that runs nothing.
		if n.State.Name != "" && (n.online || c.fencing || c.shutdownLock) {
			c.unpackHistory(n)
		}
	}
}

// nodesWithState returns the nodes of which a state was recorded, in that order.
func (c *cluster) nodesWithState() []*node {
	var list []*node
	for _, n := range c.nodes {
		if n.State != nil {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return a.State.Position - b.State.Position })
	return list
}

func (c *cluster) unpackNodeState(n *node) {
	transient := make(map[string]string)
	c.evalBlocks(n.Transient, ruleEnv{}, transient)
	for name, value := range transient {
		n.attrs[name] = value
	}
	c.nameSite(n)
	n.standby = isTrue(n.attrs["standby"])
	n.maintenance = isTrue(n.attrs["maintenance"])
	n.unclean = false
	c.decideOnline(n)
	if !c.quorate && n.online && c.noQuorum == noQuorumFence {
		c.fenceNode(n, "cluster does not have quorum")
	}
}

// decideOnline finds out whether a node is there ("Cluster Node State").
func (c *cluster) decideOnline(n *node) {
	if v, set := n.attrs["shutdown"]; set && v != "0" {
		n.shutdown = true
	} else {
		n.expectedUp = n.State.Expected == joinMember
	}
	if c.fencing {
		n.online = c.onlineWithFencing(n)
	} else {
		n.online = c.onlineWithoutFencing(n)
	}
	if !n.online || n.shutdown {
		n.baseScore = -infinity
	}
}

// The steps of a node's way into the cluster, as it is recorded.
const (
	joinDown    = "down"
	joinPending = "pending"
	joinMember  = "member"
	joinRefused = "banned"
)

func (c *cluster) onlineWithoutFencing(n *node) bool {
	since, known := c.memberSince(n)
	switch {
	case !known || since <= 0:
		return false
	case peerSince(n) > 0:
		return n.State.Join == joinMember
	case n.expectedUp:
		c.fenceNode(n, "peer is unexpectedly down")
	}
	return false
}

func (c *cluster) onlineWithFencing(n *node) bool {
	member, known := c.memberSince(n)
	peer := peerSince(n)
	join, expected := n.State.Join, n.State.Expected
	switch {
	case n.shutdown:
		return peer > 0 // what is dead cannot be shut down
	case !known:
		c.fenceNode(n, "peer has not been seen by the cluster")
		return false
	case join == joinRefused:
		c.fenceNode(n, "peer failed Pacemaker membership criteria")
	case n.terminationAsked() && member <= 0 && peer <= 0 && join == joinDown:
		return false // it was done
	case n.terminationAsked():
		c.fenceNode(n, "fencing was requested")
	case expected == "" || expected == joinDown:
		c.decideStarting(n, member, peer)
	case member <= 0:
		n.delayed = true
		c.fenceNode(n, "peer is no longer part of the cluster")
	case peer <= 0:
		c.fenceNode(n, "peer process is no longer available")
	case join == joinMember:
	case join == joinPending || join == joinDown:
		n.standby, n.pending = true, true
	default:
		c.fenceNode(n, "peer was in an unknown state")
	}
	return member > 0
}

// decideStarting looks at a node that nobody expects yet: it may be about to join.
func (c *cluster) decideStarting(n *node, member, peer int64) {
	switch {
	case c.pendingTimeout > 0 && member > 0 && peer <= 0 && c.now >= member+c.pendingTimeout:
		c.fenceNode(n, "peer pending timed out on joining the process group")
	case member > 0 || peer > 0:
		n.standby, n.pending = true, true
		if c.pendingTimeout > 0 && peer <= 0 && member < c.now {
			c.wakeAt(member + c.pendingTimeout)
		}
	}
}

// memberSince returns since when a node has been a member, in seconds; 0: it is
// none. Where only that it is one was recorded, that is since now.
func (c *cluster) memberSince(n *node) (since int64, known bool) {
	if member, ok := parseBool(n.State.InCCM); ok {
		if member {
			return c.now, true
		}
		return 0, true
	}
	since, known = scanInt(n.State.InCCM)
	return since, known && since >= 0
}

// peerSince returns since when a node's process has been there, in seconds; 0:
// it is not, 1: nobody knows since when.
func peerSince(n *node) int64 {
	if n.State.Crmd == "online" {
		return 1
	}
	since, _ := scanInt(n.State.Crmd)
	return max(since, 0)
}

// terminationAsked reports whether somebody asked that a node be fenced.
func (n *node) terminationAsked() bool {
	v, set := n.attrs["terminate"]
	if !set {
		return false
	}
	if asked, ok := parseBool(v); ok {
		return asked
	}
	since, ok := scanInt(v)
	return ok && since > 0
}

// unpackHistory reads what a node remembers of the resources.
func (c *cluster) unpackHistory(n *node) {
	for i := range n.History {
		c.unpackResourceHistory(n, &n.History[i])
	}
}

func (c *cluster) unpackResourceHistory(n *node, h *History) {
	if h.Resource == "" || len(h.Ops) == 0 && !h.Active && !c.shutdownLock {
		return
	}
	r := c.resourceOf(h, n)
	if h.Active {
		c.activate(r, n, h.Promoted)
		return
	}
	if r == nil {
		if len(h.Ops) == 0 {
			return
		}
		r = c.addRemoved(h)
	}
	if r == nil {
		return
	}
	if c.shutdownLock {
		c.unpackShutdownLock(r, n, h)
	}
	before := r.role
	r.role = roleUnknown
	ops := sortedOps(h.Ops)
	failure := c.unpackOperations(r, n, ops)
	c.unpackRecurring(r, n, ops)
	c.applyHistory(r, n, failure)
	if wanted := r.targetRole(roleUnknown); wanted != roleUnknown && (r.nextRole == roleUnknown || wanted < r.nextRole) {
		r.nextRole = wanted
	}
	r.role = max(r.role, before)
}

// activate takes a caller's word for it that a resource runs on a node, in a role.
func (c *cluster) activate(r *resource, n *node, promoted bool) {
	if r == nil {
		return
	}
	r.role = max(r.role, roleStarted)
	if promoted {
		r.role = rolePromoted
	}
	r.markProbed(n)
	c.addRunning(r, n, false)
}

// unpackShutdownLock remembers that a resource waits for the node it ran on
// ("shutdown-lock"), unless it has waited long enough.
func (c *cluster) unpackShutdownLock(r *resource, n *node, h *History) {
	at, ok := scanInt(h.ShutdownLock)
	switch {
	case !ok || at == 0:
	case c.shutdownLockLimit > 0 && c.now > at+c.shutdownLockLimit:
		c.newAction(r, taskDelete, 0, n, false)
	default:
		r.lockNode = n
		if c.shutdownLockLimit > 0 {
			c.wakeAt(at + c.shutdownLockLimit + 1)
		}
	}
}

// unpackRecurring makes the monitors that run on a node actions, optional ones:
// those that nothing asks for any more will be canceled.
func (c *cluster) unpackRecurring(r *resource, n *node, ops []*HistoryOp) {
	if !n.online {
		return
	}
	start, stop := activeRange(ops)
	for i, op := range ops {
		if i < start || start < stop && i <= stop {
			continue
		}
		interval, _ := scanInt(op.Interval)
		if interval > 0 && op.Status != "-1" {
			c.newAction(r, task(op.Operation), interval, n, true)
		}
	}
}

// applyHistory draws the conclusions from one node's history of a resource.
func (c *cluster) applyHistory(r *resource, n *node, failure onFail) {
	active := r.role > roleStopped
	if r.role != roleUnknown {
		r.markProbed(n)
	}
	if active && !n.online && !n.maintenance && r.managed && c.fencing {
		c.fenceNode(n, r.id+" is thought to be active there")
	}
	left := failure
	if n.unclean {
		left = onFailIgnore // its fencing is the answer
	}
	c.applyFailure(r, n, left, active)
	switch {
	case active:
		c.addRunning(r, n, failure != onFailIgnore)
		switch left {
		case onFailIgnore:
		case onFailDemote, onFailBlock:
			r.failed = true
		default:
			r.failed, r.stopIfFailed = true, true
		}
	case numbered(r.historyID):
		r.historyID = "" // as Pacemaker 1.1.7 and before named what does not run
	default:
		for _, a := range r.actionsOf(taskStop, n) {
			a.set(optional)
		}
	}
	if r.role == roleStopped && len(r.active) > 0 && r.migratingTo != nil && r.migratingFrom == n {
		r.role = roleStarted // the stop at the source did not end it at the target
	}
}

func (r *resource) markProbed(n *node) {
	for p := r; p != nil; p = p.parent {
		p.probed[n.index] = true
		if p.unique {
			return
		}
	}
}

func (c *cluster) applyFailure(r *resource, n *node, failure onFail, active bool) {
	switch failure {
	case onFailIgnore:
	case onFailDemote:
		r.failed = true
		c.demoteAction(r, n, false)
	case onFailFence:
		c.fenceNode(n, r.id+" failed there")
	case onFailStandby:
		n.standby, n.failStandby = true, true
	case onFailBlock:
		r.managed, r.blocked = false, true
	case onFailBan:
		c.like(r, n, -infinity, "on-fail")
	case onFailStop:
		r.nextRole = roleStopped
	case onFailRestart:
		if active {
			r.failed, r.stopIfFailed = true, true
			c.stopAction(r, n, false)
		}
	case onFailRestartContainer:
		c.restartContainer(r, n, active)
	}
}
