package engine

import (
	"cmp"
	"slices"
)

// assignClone places the instances of a clone, after what the clone is to run
// with, and then says which of them are promoted.
func (c *cluster) assignClone(r *resource, prefer *node, final bool) {
	if !r.unassigned || r.assigning {
		return
	}
	r.assigning = true
	if r.promotable {
		c.addPromotionScores(r)
	}
	for _, co := range r.colocatedWith() {
		c.assignTo(co.primary, prefer, final)
	}
	for _, co := range r.dependents() {
		c.addDependentScores(co, r)
	}
	slices.SortStableFunc(r.children, c.compareInstances)
	c.assignInstances(r)
	if r.promotable {
		c.promoteInstances(r)
	}
	r.assigning, r.unassigned = false, false
}

// assignInstances places instances: first those that can stay where they are,
// so that instances do not shuffle, then the others.
func (c *cluster) assignInstances(clone *resource) {
	available := 0
	for i := range clone.allowed {
		clone.allowed[i].count = 0
		if clone.allowed[i].present && c.nodes[i].available() {
			available++
		}
	}
	optimal := 1
	if available > 0 {
		optimal = max(1, clone.cloneMax/available)
	}
	assigned := 0
	for _, r := range clone.children {
		if assigned >= clone.cloneMax {
			break
		}
		if here := c.mayStay(r, optimal); here != nil && c.assignEarly(r, here, clone.cloneNodeMax, clone.cloneMax-assigned) {
			assigned++
		}
	}
	for _, r := range clone.children {
		switch {
		case !r.unassigned:
		case assigned >= clone.cloneMax:
			c.like(r, nil, -infinity, "clone-max")
		case c.assignInstance(r, nil, clone.cloneNodeMax) != nil:
			assigned++
		}
	}
}

// mayStay returns the node of an instance that may simply stay there.
func (c *cluster) mayStay(r *resource, optimal int) *node {
	if len(r.active) == 0 || !r.unassigned || r.failed {
		return nil
	}
	n := r.currentNode()
	if !n.available() || n.baseScore < 0 {
		return nil
	}
	if w := r.parent.allowed[n.index]; w.present && int(w.count) >= optimal {
		return nil
	}
	return n
}

// assignEarly leaves an instance where it is, if its scores say so too. If they
// say otherwise, and another instance would go to the better node anyway, the
// instance may still stay: its place there is then held for the other.
func (c *cluster) assignEarly(r *resource, here *node, perNode, available int) bool {
	clone := r.parent
	if w := r.allowed[here.index]; !w.present || !here.available() || w.score < 0 {
		return false
	}
	before := copyTables(r, nil)
	parents := clone.allowed
	clone.allowed = slices.Clone(parents)
	var chosen *node
	for reserved := 0; reserved < available; {
		chosen = c.assignInstance(r, here, perNode)
		if chosen == here {
			break
		}
		restoreTables(r, before)
		if chosen == nil {
			r.unassigned = true
			break
		}
		reserved++
		c.unassign(r)
		chosen = nil
	}
	clone.allowed = parents
	if chosen == nil {
		return false
	}
	clone.countInstance(chosen)
	return true
}

func copyTables(r *resource, into map[*resource]table) map[*resource]table {
	if into == nil {
		into = make(map[*resource]table)
	}
	r.each(func(r *resource) { into[r] = slices.Clone(r.allowed) })
	return into
}

func restoreTables(r *resource, from map[*resource]table) {
	r.each(func(r *resource) { r.allowed = slices.Clone(from[r]) })
}

func (r *resource) countInstance(n *node) {
	if n != nil && r.allowed[n.index].present {
		r.allowed[n.index].count++
	}
}

// assignInstance places one instance on a node that has room for it.
func (c *cluster) assignInstance(r *resource, prefer *node, perNode int) *node {
	if r.assigning {
		return nil
	}
	for i, n := range c.nodes {
		if r.allowed[i].present && !canRunInstance(r, n, perNode) {
			r.ban(n)
			if int(r.parent.allowed[i].count) >= perNode {
				r.each(func(r *resource) { r.note(n, -infinity, "clone-node-max") })
			}
		}
	}
	chosen := c.assignTo(r, prefer, prefer == nil)
	r.parent.countInstance(chosen)
	return chosen
}

func canRunInstance(r *resource, n *node, perNode int) bool {
	w := r.parent.allowed[n.index]
	return !r.removed && n.available() && w.present && w.score >= 0 && int(w.count) < perNode
}

func (r *resource) ban(n *node) {
	r.each(func(r *resource) {
		if r.allowed[n.index].present {
			r.allowed[n.index].score = -infinity
		}
	})
}

// compareInstances says which of two instances is placed first: those that run
// on the fewest nodes, that may stay, of high priority, active, well, wanted by
// what is colocated with them; then by number.
func (c *cluster) compareInstances(a, b *resource) int {
	x, nx, _ := a.current()
	y, ny, _ := b.current()
	if nx > 0 && ny > 0 && nx != ny {
		return nx - ny
	}
	x, canX := stays(a, x)
	y, canY := stays(b, y)
	if o := cmp.Or(firstIf(canX, canY), cmp.Compare(b.priority, a.priority)); o != 0 {
		return o
	}
	if x == nil || y == nil {
		return firstIf(x != nil, y != nil)
	}
	if o := firstIf(x.available(), y.available()); o != 0 {
		return o
	}
	v, w := a.parent.allowed[x.index], b.parent.allowed[y.index]
	if !v.present || !w.present {
		return firstIf(v.present, w.present)
	}
	return cmp.Or(
		cmp.Compare(v.count, w.count),
		firstIf(!didFail(a), !didFail(b)),
		cmp.Compare(c.colocatedScore(b, y), c.colocatedScore(a, x)),
		cmp.Compare(a.number, b.number))
}

// firstIf puts the one first for which something is true.
func firstIf(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// stays returns the node of an instance, unless it may not stay there.
func stays(r *resource, n *node) (*node, bool) {
	if n != nil && (!r.allowed[n.index].present || r.allowed[n.index].score < 0) {
		return nil, false
	}
	return n, true
}

func didFail(r *resource) bool { return r.anySet(func(r *resource) bool { return r.failed }) }

// colocatedScore returns what a node is worth to an instance there, with the
// wishes of all that is colocated with it.
func (c *cluster) colocatedScore(r *resource, n *node) int {
	scores := make(table, len(c.nodes))
	scores[n.index] = weight{present: true, score: n.baseScore}
	for _, co := range r.colocatedWith() {
		c.mergeInto(scores, co.primary, merge{via: co, factor: co.factor()})
	}
	for _, co := range r.dependents() {
		if co.influences(r) {
			c.mergeInto(scores, co.dependent, merge{via: co, factor: co.factor(), positive: true})
		}
	}
	return scores[n.index].score
}
