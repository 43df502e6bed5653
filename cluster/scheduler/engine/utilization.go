package engine

import (
	"cmp"
	"slices"
)

// Utilization and placement strategy ("Utilization and Placement Strategy").

func (n *node) consume(u map[string]int) {
	for name, v := range u {
		n.capacity[name] -= v
	}
}

func (n *node) release(u map[string]int) {
	for name, v := range u {
		n.capacity[name] += v
	}
}

// compareCapacities is negative if a node has more left than another.
func compareCapacities(a, b *node) int {
	result := 0
	for name, v := range a.capacity {
		result += cmp.Compare(b.capacity[name], v)
	}
	for name, v := range b.capacity {
		if _, ok := a.capacity[name]; !ok {
			result += cmp.Compare(v, 0)
		}
	}
	return result
}

func (n *node) fits(u map[string]int) bool {
	for name, v := range u {
		if v > n.capacity[name] {
			return false
		}
	}
	return true
}

// banFull bans a resource from the nodes that cannot take it and all that must
// run with it; if none can, from those that cannot take it alone. Then it
// returns the node that has most left.
func (c *cluster) banFull(r *resource) *node {
	if c.placement == "default" || !r.unassigned {
		return nil
	}
	group := c.mustRunTogether(r, r, nil)
	if !slices.Contains(group, r) {
		group = append(group, r)
	}
	sum := make(map[string]int)
	for _, member := range group {
		c.addUtilization(member, group, sum)
	}
	able, most := false, (*node)(nil)
	for i, n := range c.nodes {
		if !r.allowed[i].present || !c.usable(r.allowed, n) {
			continue
		}
		able = able || n.fits(sum)
		if most == nil || compareCapacities(n, most) < 0 {
			most = n
		}
	}
	limit := r.utilization
	if able {
		limit, most = sum, nil
	}
	for _, n := range c.nodes {
		if c.usable(r.allowed, n) && !n.fits(limit) {
			c.like(r, n, -infinity, "utilization")
		}
	}
	return most
}

// mustRunTogether adds to a list what must run on the same node as r.
func (c *cluster) mustRunTogether(r, asks *resource, list []*resource) []*resource {
	if r.kind == Group && (r.colocated || r.parent.isClone()) {
		list = append(list, r)
		for _, member := range r.children {
			list = c.mustRunTogether(member, asks, list)
		}
		return list
	}
	if slices.Contains(list, r) {
		return list
	}
	list = append(list, r)
	for _, co := range r.colocatedWith() {
		if co.primary != asks && co.score == infinity && effectOf(r, co.primary, co, true) == affectsLocation {
			list = c.mustRunTogether(co.primary, asks, list)
		}
	}
	for _, co := range r.dependents() {
		if co.dependent == asks || r.kind == Clone && co.dependent.kind != Clone {
			continue
		}
		if co.score == infinity && effectOf(co.dependent, r, co, true) == affectsLocation {
			list = c.mustRunTogether(co.dependent, asks, list)
		}
	}
	return list
}

// addUtilization adds what a resource of a group that runs together will use, if
// it is not placed yet.
func (c *cluster) addUtilization(r *resource, group []*resource, sum map[string]int) {
	if !r.unassigned {
		return
	}
	switch r.kind {
	case Primitive:
		for name, v := range r.utilization {
			sum[name] += v
		}
	case Group:
		c.addGroupUtilization(r, group, sum)
	case Clone:
		c.addCloneUtilization(r, group, sum)
	}
}

func (c *cluster) addGroupUtilization(r *resource, group []*resource, sum map[string]int) {
	members := r.children
	if !r.colocated && !r.parent.isClone() {
		members = members[:1]
	}
	for _, member := range members {
		if member.unassigned && !slices.Contains(group, member) {
			c.addUtilization(member, group, sum)
		}
	}
}

// addCloneUtilization counts one instance, unless some are in the group.
func (c *cluster) addCloneUtilization(r *resource, group []*resource, sum map[string]int) {
	found := false
	for _, instance := range r.children {
		if slices.Contains(group, instance) {
			found = true
			continue
		}
		if slices.ContainsFunc(instance.children, func(m *resource) bool { return slices.Contains(group, m) }) {
			c.addUtilization(instance, group, sum)
			found = true
		}
	}
	if !found {
		c.addUtilization(r.children[0], group, sum)
	}
}

// sortByWishes orders resources by priority, by how much they like where they
// are, and by how much they like the best nodes.
func (c *cluster) sortByWishes() {
	every := make(table, len(c.nodes))
	for i, n := range c.nodes {
		every[i] = weight{present: true, score: n.baseScore}
	}
	nodes := c.ranked(every, nil)
	wishes := make(map[*resource][]int, len(c.resources))
	for _, r := range c.resources {
		wishes[r] = c.wishesOf(r, nodes)
	}
	slices.SortStableFunc(c.resources, func(a, b *resource) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), slices.Compare(wishes[b], wishes[a]))
	})
}

// wishesOf lists the scores of a resource, with those of what it is to run with:
// on its present node, then on each.
func (c *cluster) wishesOf(r *resource, nodes []*node) []int {
	scores := c.mergedScores(r)
	of := func(n *node) int {
		if n == nil || !scores[n.index].present {
			return -infinity
		}
		return scores[n.index].score
	}
	var here *node
	if len(r.active) > 0 {
		here = r.currentNode()
	}
	list := []int{of(here)}
	for _, n := range nodes {
		list = append(list, of(n))
	}
	return list
}

// createLoadOrders lets a resource start on a node only after what leaves the
// node has stopped there, so that its capacity is never exceeded.
func (c *cluster) createLoadOrders(r *resource) {
	for _, n := range r.active {
		c.orderAfter(r, taskStop, c.loadStopped(n), ifOnSameNodeOrTarget)
	}
	for i, n := range c.nodes {
		if !r.allowed[i].present {
			continue
		}
		c.orderBefore(c.loadStopped(n), r, taskStart, ifOnSameNodeOrTarget)
		c.orderBefore(c.loadStopped(n), r, taskMigrateTo, ifOnSameNodeOrTarget)
	}
}

func (c *cluster) loadStopped(n *node) *action {
	a := c.marker("load_stopped_" + n.Name)
	if a.node == nil {
		a.node = n
		a.clear(optional)
	}
	return a
}
