package engine

import (
	"slices"
	"strings"
)

// place assigns all resources to nodes. Where nodes have capacities, resources
// are taken in the order of what they ask for; otherwise by priority.
func (c *cluster) place() {
	switch {
	case c.placement == "default":
	case c.in.Quiet:
		c.sortByActivity()
	default:
		c.sortByWishes()
	}
	for _, r := range c.resources {
		c.assignTo(r, nil, true)
	}
}

// ranked returns the nodes of a table, the best first. Of equals the one with
// fewer resources comes first, then the one that is active, then by name.
func (c *cluster) ranked(t table, active *node) []*node {
	list := make([]*node, 0, len(c.nodes))
	for i, n := range c.nodes {
		if t[i].present {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return c.compareNodes(t, a, b, active) })
	return list
}

func (c *cluster) compareNodes(t table, a, b, active *node) int {
	x, y := -infinity, -infinity
	if a.available() {
		x = t[a.index].score
	}
	if b.available() {
		y = t[b.index].score
	}
	if x != y {
		return y - x
	}
	if c.placement != "minimal" {
		if o := c.compareLoads(a, b, active); o != 0 {
			return o
		}
	}
	return strings.Compare(a.Name, b.Name)
}

func (c *cluster) compareLoads(a, b, active *node) int {
	if c.placement == "balanced" {
		if o := compareCapacities(a, b); o != 0 {
			return o
		}
	}
	switch {
	case a.assigned != b.assigned:
		return a.assigned - b.assigned
	case a == b || active == nil:
		return 0
	case a == active:
		return -1
	case b == active:
		return 1
	}
	return 0
}

// assignTo finds a node for a resource, after those it is to run with. With a
// preference, that node is taken if it is as good as any. A trial (final is
// false) may be undone: it leaves a resource that found no node as it was.
func (c *cluster) assignTo(r *resource, prefer *node, final bool) *node {
	switch r.kind {
	case Group:
		return c.assignGroup(r, prefer, final)
	case Clone:
		c.assignClone(r, prefer, final)
		return nil
	default:
		return c.assignPrimitive(r, prefer, final)
	}
}

func (c *cluster) assignPrimitive(r *resource, prefer *node, final bool) *node {
	if r.parent != nil && !r.parent.assigning {
		c.assignTo(r.parent, prefer, final)
	}
	if !r.unassigned {
		return r.assignedNode
	}
	if r.assigning {
		return nil // a circle of colocations
	}
	r.assigning = true
	defer func() { r.assigning = false }()
	c.mergeColocated(r)
	c.limitRole(r)
	if c.fencing && !c.haveFencing {
		r.managed = false
	}
	switch {
	case !r.managed:
		r.nextRole = r.role
		c.assign(r, r.currentNode(), true, final)
	case c.stopAll:
		c.assign(r, nil, true, final)
	default:
		c.assignBest(r, prefer, final)
	}
	return r.assignedNode
}

// mergeColocated counts colocations in the scores of a resource, the mandatory
// ones first: where its primaries were placed, and what its dependents wish.
func (c *cluster) mergeColocated(r *resource) {
	with, dependents := r.colocatedWith(), r.dependents()
	for _, mandatory := range []bool{true, false} {
		for _, co := range with {
			if co.mandatory() == mandatory {
				c.follow(r, co)
			}
		}
		for _, co := range dependents {
			if co.mandatory() == mandatory {
				c.addDependentScores(co, r)
			}
		}
	}
}

// follow counts where a primary was placed. What leaves no node at all is taken
// back, unless it is mandatory.
func (c *cluster) follow(r *resource, co *colocation) {
	var before table
	if co.dependentRole >= rolePromoted || co.score < 0 && co.score > -infinity {
		before = slices.Clone(r.allowed)
	}
	if co.primary.unassigned {
		c.assignTo(co.primary, nil, true)
	}
	c.applyColocation(r, co.primary, co, true)
	defer r.forget()
	if before != nil && !c.anyAvailable(r.allowed) {
		r.allowed = before
	}
}

// limitRole takes what is to be stopped from all nodes; without quorum a policy
// may keep a resource from rising.
func (c *cluster) limitRole(r *resource) {
	switch {
	case r.nextRole == roleStopped:
		c.like(r, nil, -infinity, "target-role")
	case r.nextRole > r.role && !c.quorate && c.noQuorum == noQuorumFreeze:
		r.nextRole = r.role
	}
}

// assignBest takes the best node.
func (c *cluster) assignBest(r *resource, prefer *node, final bool) {
	free := c.banFull(r)
	if prefer == nil {
		prefer = free
	}
	list := c.ranked(r.allowed, r.currentNode())
	if len(list) == 0 {
		c.assign(r, nil, false, final)
		return
	}
	best := list[0]
	if prefer != nil && c.usable(r.allowed, prefer) && r.allowed[prefer.index].score >= r.allowed[best.index].score {
		c.assign(r, prefer, false, final)
		return
	}
	if c.in.Quiet {
		c.assign(r, c.favourite(r, list), false, final)
		return
	}
	c.assign(r, c.preferCurrent(r, list), false, final)
}

// preferCurrent returns the best node, or the present one if that is as good.
func (c *cluster) preferCurrent(r *resource, list []*node) *node {
	best := list[0]
	score := r.allowed[best.index].score
	if r.parent.isClone() && r.parent.unique || score <= 0 || !best.available() {
		return best
	}
	running := r.currentNode()
	if running == nil || !running.available() || running.baseScore < 0 {
		return best
	}
	for _, n := range list[1:] {
		if r.allowed[n.index].score != score {
			break
		}
		if n == running {
			return n
		}
	}
	return best
}

// assign gives a resource, and all that is inside it, a node. Unless forced, a
// node that cannot run it counts as none. It returns whether that is a change.
func (c *cluster) assign(r *resource, n *node, force, final bool) bool {
	if len(r.children) > 0 {
		changed := false
		for _, child := range r.children {
			changed = c.assign(child, n, force, final) || changed
		}
		return changed
	}
	if !force && n != nil && !c.usable(r.allowed, n) {
		if final {
			r.nextRole = roleStopped
		}
		n = nil
	}
	changed := r.assignedNode != n
	c.unassign(r)
	r.unassigned = false
	if n == nil {
		if final {
			c.stopActions(r)
		}
		return changed
	}
	r.assignedNode, r.assignedScore = n, r.allowed[n.index].score
	if force {
		r.assignedScore = n.baseScore
	}
	n.assigned++
	n.consume(r.utilization)
	return changed
}

// stopActions makes the actions of a resource those of one that stops.
func (c *cluster) stopActions(r *resource) {
	r.nextRole = roleStopped
	for _, a := range r.actions {
		switch {
		case a.task == taskStop:
			a.clear(optional)
		case a.task == taskStart, a.interval != 0 && a.expected != exitNotRunning:
			a.clear(runnable)
		}
	}
}

// unassign takes a resource's node back.
func (c *cluster) unassign(r *resource) {
	r.unassigned = true
	if n := r.assignedNode; n != nil && len(r.children) == 0 {
		r.assignedNode = nil
		n.assigned--
		n.release(r.utilization)
	}
	for _, child := range r.children {
		c.unassign(child)
	}
}

func (c *cluster) assignGroup(r *resource, prefer *node, final bool) *node {
	if !r.unassigned {
		return r.assignedNode
	}
	if r.assigning {
		return nil
	}
	r.assigning = true
	r.role = r.children[0].role
	var first *node
	for _, member := range r.children {
		at := c.assignTo(member, prefer, final)
		if first == nil {
			first = at
		}
	}
	r.nextRole = r.children[0].nextRole
	r.assigning, r.unassigned = false, false
	if !r.colocated {
		return nil
	}
	return first
}
