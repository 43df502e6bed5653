package engine

import (
	"slices"
	"strings"
)

// applyHealth lets all resources like or avoid nodes for their health ("Tracking
// Node Health").
func (c *cluster) applyHealth() {
	if c.health.strategy == "none" {
		return
	}
	for _, n := range c.nodes {
		score := c.health.base
		for _, name := range sortedKeys(n.attrs) {
			if !strings.HasPrefix(name, "#health") {
				continue
			}
			if s, ok := c.parseScore(n.attrs[name], 0); ok {
				score = add(s, score)
			}
		}
		if score == 0 {
			continue
		}
		for _, r := range c.resources {
			if score > 0 || !isTrue(r.meta["allow-unhealthy-nodes"]) {
				c.addLocation(&location{id: c.health.strategy, r: r, nodes: []nodeScore{{n, score}}}, "")
			}
		}
	}
}

// applyCriteria counts all that speaks for or against nodes apart from other
// resources.
func (c *cluster) applyCriteria() {
	if c.shutdownLock {
		for _, r := range c.resources {
			c.lockForShutdown(r)
		}
	}
	c.applyLocations()
	for _, r := range c.resources {
		r.each(c.stick)
	}
	for _, n := range c.nodes {
		for _, r := range c.resources {
			r.each(func(r *resource) { c.banForFailures(r, n) })
			c.banUnlessDiscovered(r, n)
		}
	}
}

// stick lets a resource like where it is ("resource-stickiness").
func (c *cluster) stick(r *resource) {
	if r.kind != Primitive || !r.managed || r.stickiness < 1 || len(r.active) != 1 {
		return
	}
	if n := r.active[0]; c.symmetric || r.allowed[n.index].present {
		c.like(r, n, r.stickiness, "stickiness")
	}
}

// banForFailures bans a resource from a node where it failed too often
// ("migration-threshold").
func (c *cluster) banForFailures(r *resource, n *node) {
	if r.kind != Primitive || r.threshold == 0 || r.ignoreFailure || len(r.exactly(taskClearFailCount, 0, n)) > 0 {
		return
	}
	count := c.failuresInside(r, n)
	if count <= 0 || count < r.threshold {
		return
	}
	if !r.unique {
		r = r.top()
	}
	c.like(r, n, -infinity, "fail-count")
}

// banUnlessDiscovered bans a resource from the nodes where it is not looked for,
// if it is looked for on some nodes exclusively ("resource-discovery").
func (c *cluster) banUnlessDiscovered(r *resource, n *node) {
	if !r.exclusiveProbes && !r.top().exclusiveProbes {
		return
	}
	for _, child := range r.children {
		c.banUnlessDiscovered(child, n)
	}
	if w := &r.allowed[n.index]; w.present && w.probe != discoverExclusive {
		w.score = -infinity
		r.note(n, -infinity, "resource-discovery")
	}
}

// lockForShutdown keeps a resource for the node that ran it and was shut down
// ("shutdown-lock").
func (c *cluster) lockForShutdown(r *resource) {
	if r.kind == Clone {
		return
	}
	for _, member := range r.children {
		c.lockForShutdown(member)
	}
	if r.kind != Primitive || r.fenceDevice {
		return
	}
	switch {
	case r.lockNode != nil && len(r.active) > 0:
		c.newAction(r, taskDelete, 0, r.lockNode, false)
		r.lockNode = nil
	case r.lockNode == nil && len(r.active) == 1 && r.active[0].shutdown && !r.active[0].unclean:
		r.lockNode = r.active[0]
	}
	if r.lockNode == nil {
		return
	}
	for _, n := range c.nodes {
		if n != r.lockNode {
			c.like(r, n, -infinity, "shutdown-lock")
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
