package engine

import "slices"

// addRunning counts a resource, and all it is part of, as active on a node.
func (c *cluster) addRunning(r *resource, n *node, failed bool) {
	if slices.Contains(r.active, n) {
		return
	}
	r.active = append(r.active, n)
	if r.kind == Primitive {
		if r.priority != 0 && !failed {
			n.priority += r.priority
			if r.role == rolePromoted {
				n.priority++
			}
		}
		if n.maintenance {
			r.managed, r.maintenance = false, true
		}
	}
	if !r.managed {
		c.like(r, n, infinity, "unmanaged")
		for p := r.parent; p != nil; p = p.parent {
			p.active = append(p.active, n)
		}
		return
	}
	if r.kind == Primitive && r.activeCount() > 1 {
		c.applyMultiple(r)
	}
	if r.parent != nil {
		c.addRunning(r.parent, n, false)
	}
}

// activeCount returns how many nodes count as running a resource: one whose
// start needs no fencing does not run on a node that is away.
func (r *resource) activeCount() int {
	_, all, clean := r.current()
	if r.needsFencing {
		return all
	}
	return clean
}

// applyMultiple does what is wanted of a resource that runs on several nodes
// ("multiple-active"); to restart it is left to the plan.
func (c *cluster) applyMultiple(r *resource) {
	switch r.multiple {
	case multipleStop:
		c.banEverywhere(r)
	case multipleBlock:
		r.block()
		if p := r.parent; p.isGroup() && p.multiple == multipleBlock {
			for _, member := range p.children {
				member.block()
			}
		}
	case multipleRestart, multipleUnexpected:
	}
}

func (r *resource) block() { r.managed, r.blocked = false, true }

// banEverywhere forgets all scores of a resource and keeps it from every node.
func (c *cluster) banEverywhere(r *resource) {
	for i := range r.allowed {
		r.allowed[i] = weight{present: true, score: -infinity}
	}
}
