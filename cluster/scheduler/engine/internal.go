package engine

import (
	"cmp"
	"slices"
)

// orderInside makes the orders that follow from what a resource is: stop before
// start, members in their order, instances between the marks of their clone.
func (c *cluster) orderInside(r *resource) {
	switch r.kind {
	case Group:
		c.orderGroup(r)
	case Clone:
		c.orderClone(r)
	default:
		c.orderPrimitive(r)
	}
}

func (c *cluster) orderPrimitive(r *resource) {
	if !r.managed {
		return
	}
	c.orderTasks(r, taskStop, r, taskStart, ordered|firstImpliesThen|intermediateStop)
	if r.top().promotable || r.role > roleUnpromoted {
		c.orderTasks(r, taskDemote, r, taskStop, promotedThenImpliesFirst)
		c.orderTasks(r, taskStart, r, taskPromote, unrunnableFirstBlocks)
	}
	c.orderTasks(r, taskDelete, r, taskMonitor, ifOnSameNode|thenCancelsFirst)
	if !r.fenceDevice && c.unfencing && r.needsUnfencing {
		c.orderRestartAroundUnfencing(r)
	}
	if len(r.utilization) > 0 && c.placement != "default" {
		c.createLoadOrders(r)
	}
	c.orderContained(r)
}

// colocateInside makes the colocations that follow from what a resource is: with
// what contains it, of a member with the one before it.
func (c *cluster) colocateInside(r *resource) {
	if r.container != nil && r.managed {
		c.addColocation(&colocation{id: "container", dependent: r, primary: r.container, score: infinity, attribute: "#uname", influence: true})
	}
	for i, child := range r.children {
		c.colocateInside(child)
		if i > 0 && r.kind == Group && r.colocated {
			c.addColocation(&colocation{id: r.id, dependent: child, primary: r.children[i-1], score: infinity, attribute: "#uname", influence: child.critical})
		}
	}
}

func (c *cluster) orderGroup(r *resource) {
	c.orderTasks(r, taskStop, r, taskStopped, unrunnableFirstBlocks)
	c.orderTasks(r, taskStopped, r, taskStart, ordered)
	c.orderTasks(r, taskStart, r, taskStarted, unrunnableFirstBlocks)
	chain := memberChain{group: r, promotable: r.top().promotable}
	for _, member := range r.children {
		c.orderMember(&chain, member)
	}
}

// A memberChain goes through the members of a group.
type memberChain struct {
	group      *resource
	promotable bool
	previous   *resource
	lastActive *resource
}

func (c *cluster) orderMember(chain *memberChain, member *resource) {
	group, previous := chain.group, chain.previous
	down, afterDown := thenImpliesFirstListed, firstImpliesThenListed
	c.orderInside(member)
	if previous == nil && group.ordered {
		down |= ordered
		afterDown = firstImpliesThen
	}
	if chain.promotable {
		c.orderTasks(group, taskDemote, member, taskDemote, down)
		c.orderTasks(member, taskDemote, group, taskDemoted, afterDown)
		c.orderTasks(member, taskPromote, group, taskPromoted, unrunnableFirstBlocks|firstImpliesThen|firstImpliesThenListed)
		c.orderTasks(group, taskPromote, member, taskPromote, thenImpliesFirstListed)
	}
	c.orderTasks(group, taskStop, member, taskStop, down)
	c.orderTasks(member, taskStop, group, taskStopped, afterDown)
	c.orderTasks(group, taskStart, member, taskStart, thenImpliesFirstListed)
	c.orderTasks(member, taskStart, group, taskStarted, unrunnableFirstBlocks|firstImpliesThen|firstImpliesThenListed)
	c.orderInChain(chain, member)
	if len(member.active) > 0 {
		if group.ordered && previous != nil && len(previous.active) == 0 && chain.lastActive != nil {
			c.orderTasks(member, taskStop, chain.lastActive, taskStop, ordered)
		}
		chain.lastActive = member
	}
	chain.previous = member
}

// orderInChain orders a member after the one before it.
func (c *cluster) orderInChain(chain *memberChain, member *resource) {
	group, previous := chain.group, chain.previous
	const follows = firstImpliesThen | unrunnableFirstBlocks
	switch {
	case !group.ordered:
		c.orderTasks(group, taskStart, member, taskStart, follows|thenImpliesFirstListed)
		if chain.promotable {
			c.orderTasks(group, taskPromote, member, taskPromote, follows|thenImpliesFirstListed)
		}
	case previous != nil:
		c.orderTasks(previous, taskStart, member, taskStart, follows)
		c.orderTasks(member, taskStop, previous, taskStop, ordered|intermediateStop)
		if len(member.active) > 0 && len(previous.active) == 0 {
			c.orderTasks(member, taskStop, previous, taskStart, thenImpliesFirst|unrunnableFirstBlocks)
		}
		if chain.promotable {
			c.orderTasks(previous, taskPromote, member, taskPromote, follows)
			c.orderTasks(member, taskDemote, previous, taskDemote, ordered)
		}
	}
}

func (c *cluster) orderClone(r *resource) {
	c.orderTasks(r, taskStopped, r, taskStart, ordered)
	c.orderTasks(r, taskStart, r, taskStarted, unrunnableFirstBlocks)
	c.orderTasks(r, taskStop, r, taskStopped, unrunnableFirstBlocks)
	if r.promotable {
		c.orderTasks(r, taskDemoted, r, taskStop, ordered)
		c.orderTasks(r, taskStarted, r, taskPromote, unrunnableFirstBlocks)
	}
	if r.ordered {
		slices.SortStableFunc(r.children, func(a, b *resource) int { return cmp.Compare(a.number, b.number) })
	}
	for i, instance := range r.children {
		c.orderInside(instance)
		c.orderTasks(r, taskStart, instance, taskStart, unrunnableFirstBlocks|thenImpliesFirstListed)
		c.orderTasks(instance, taskStart, r, taskStarted, firstImpliesThenListed)
		c.orderTasks(r, taskStop, instance, taskStop, thenImpliesFirstListed)
		c.orderTasks(instance, taskStop, r, taskStopped, firstImpliesThenListed)
		if !r.ordered {
			continue
		}
		for _, later := range r.children[i+1:] {
			c.orderTasks(instance, taskStart, later, taskStart, ordered)
			c.orderTasks(later, taskStop, instance, taskStop, ordered)
		}
	}
	if r.promotable {
		c.orderPromotable(r)
	}
}

// orderPromotable orders the roles of a promotable clone: demote, stop, start,
// promote.
func (c *cluster) orderPromotable(r *resource) {
	for _, pair := range [][2]task{
		{taskStopped, taskStart}, {taskStopped, taskPromote}, {taskDemoted, taskStop}, {taskDemoted, taskStart},
		{taskDemoted, taskPromote}, {taskStarted, taskPromote}, {taskDemote, taskDemoted},
	} {
		c.orderTasks(r, pair[0], r, pair[1], ordered)
	}
	var previous *resource
	for _, instance := range r.children {
		c.orderTasks(instance, taskDemote, instance, taskPromote, ordered)
		c.orderTasks(r, taskPromote, instance, taskPromote, ordered)
		c.orderTasks(instance, taskPromote, r, taskPromoted, ordered)
		c.orderTasks(r, taskDemote, instance, taskDemote, thenImpliesFirstListed)
		c.orderTasks(instance, taskDemote, r, taskDemoted, firstImpliesThenListed)
		if previous != nil && r.ordered {
			c.orderTasks(previous, taskPromote, instance, taskPromote, ordered)
			c.orderTasks(instance, taskDemote, previous, taskDemote, ordered)
		}
		previous = instance
	}
}
