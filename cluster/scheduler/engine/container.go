package engine

// A resource with the meta attribute `container` runs inside another one, a
// virtual machine for instance: it needs that one, and a failure of it is a
// failure of that one.

// linkContainers tells resources which others contain them.
func (c *cluster) linkContainers() {
	for _, top := range c.resources {
		top.each(func(r *resource) {
			id := r.meta["container"]
			if r.kind != Primitive || id == "" || id == r.id {
				return
			}
			if container := c.byID[id]; container != nil {
				r.container = container
				container.contained = append(container.contained, r)
			}
		})
	}
}

// orderContained orders a resource inside its container.
func (c *cluster) orderContained(r *resource) {
	if r.container == nil {
		return
	}
	c.orderTasks(r.container, taskStart, r, taskStart, firstImpliesThen|unrunnableFirstBlocks)
	c.orderTasks(r, taskStop, r.container, taskStop, thenImpliesFirst)
}

// restartContainer recovers a resource by a restart of what contains it.
func (c *cluster) restartContainer(r *resource, n *node, active bool) {
	r.failed, r.stopIfFailed = true, true
	switch {
	case r.container != nil:
		c.stopAction(r.container, n, false)
	case active:
		c.stopAction(r, n, false)
	}
}

// failuresInside returns how often a resource, and what it contains, failed.
func (c *cluster) failuresInside(r *resource, n *node) int {
	count, _ := c.failCount(n, r)
	for _, inside := range r.contained {
		more, _ := c.failCount(n, inside)
		count = add(count, more)
	}
	return count
}
