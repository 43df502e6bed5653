package engine

// Run decides what is to be done about an input, which it does not modify.
func Run(in *Input) *Outcome { return newCluster(in).decide() }

func newCluster(in *Input) *cluster {
	return &cluster{
		in: in, now: in.Now.Unix(),
		singletons: make(map[string]*action), orderIDs: make(map[[2]*resource]string), outdatedMonitors: make(map[*HistoryOp]bool),
	}
}

func (c *cluster) decide() *Outcome {
	c.actions = make([]*action, 0, 8*len(c.in.Resources))
	c.orderings = make([]ordering, 0, 6*len(c.in.Resources))
	c.unpack()
	c.remember()
	c.applyHealth()
	c.unpackConstraints()
	c.applyCriteria()
	for _, r := range c.resources {
		c.colocateInside(r)
		c.orderInside(r)
	}
	c.handleChanges()
	c.place()
	c.schedule()
	c.applyOrderings()
	return c.outcome()
}

// unpack finds out what is there and what runs, without the constraints.
func (c *cluster) unpack() {
	c.unpackOptions()
	c.unpackNodes()
	c.setCapacities()
	c.unpackResources()
	c.linkContainers()
	c.unpackStatus()
}

func (c *cluster) setCapacities() {
	for _, n := range c.nodes {
		n.capacity = make(map[string]int, len(n.utilization))
		for name, v := range n.utilization {
			n.capacity[name] = parseInt(v, 0, -1<<31)
		}
	}
}

// schedule makes the actions.
func (c *cluster) schedule() {
	c.scheduleProbes()
	if c.stopRemoved {
		for _, r := range c.resources {
			c.forgetFailuresOfRemoved(r)
		}
	}
	for _, r := range c.resources {
		c.createActions(r)
	}
	c.scheduleFencing()
}

func (c *cluster) forgetFailuresOfRemoved(r *resource) {
	if !r.removed {
		return
	}
	for _, n := range c.nodes {
		if !n.online {
			continue
		}
		if count, _ := c.failCount(n, r); count != 0 {
			c.orderBefore(c.clearFailCount(r, n, "it is removed"), r, taskStop, ordered)
		}
	}
}
