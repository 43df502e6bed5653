package engine

import "slices"

// each calls f for a resource and all that is inside it.
func (r *resource) each(f func(*resource)) {
	f(r)
	for _, child := range r.children {
		child.each(f)
	}
}

// top returns the outermost resource that one is part of.
func (r *resource) top() *resource {
	for r.parent != nil {
		r = r.parent
	}
	return r
}

func (r *resource) isClone() bool { return r != nil && r.kind == Clone }

func (r *resource) isGroup() bool { return r != nil && r.kind == Group }

func (r *resource) anonymous() bool { return r.isClone() && !r.unique }

// insideOf reports whether a resource is part of another.
func (r *resource) insideOf(other *resource) bool {
	for p := r.parent; p != nil; p = p.parent {
		if p == other {
			return true
		}
	}
	return false
}

// last returns the last member of a group.
func (r *resource) last() *resource { return r.children[len(r.children)-1] }

// state returns the role of a resource now or as wanted; the greatest of its parts.
func (r *resource) state(now bool) role {
	if r.kind == Primitive {
		if now {
			return r.role
		}
		return r.nextRole
	}
	greatest := roleUnknown
	for _, child := range r.children {
		greatest = max(greatest, child.state(now))
	}
	return greatest
}

// isActive reports whether a resource runs; a group or clone whether all of it
// does, or any of it.
func (r *resource) isActive(all bool) bool {
	if r.kind == Primitive {
		return slices.ContainsFunc(r.active, func(n *node) bool { return n.unclean || n.online || !r.managed })
	}
	some := slices.ContainsFunc(r.children, func(child *resource) bool { return child.isActive(all) })
	if !some || !all {
		return some
	}
	return !slices.ContainsFunc(r.children, func(child *resource) bool { return !child.isActive(all) })
}

// anySet reports whether a resource or anything inside it has a property.
func (r *resource) anySet(property func(*resource) bool) bool {
	return property(r) || slices.ContainsFunc(r.children, func(child *resource) bool { return child.anySet(property) })
}

// A place says which nodes of a resource are asked for.
type place int

// places returns the nodes of a resource and of all inside it, one entry for
// each part; more than one may be the same.
func (r *resource) places(which place) []*node {
	if len(r.children) > 0 {
		var list []*node
		for _, child := range r.children {
			for _, n := range child.places(which) {
				if !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
		return list
	}
	var list []*node
	if which&placeNow != 0 {
		list = slices.Clone(r.active)
	}
	if which&placePending != 0 && r.pendingNode != nil && !slices.Contains(list, r.pendingNode) {
		list = append(list, r.pendingNode)
	}
	if which&placeAssigned != 0 && r.assignedNode != nil {
		list = append(list, r.assignedNode)
	}
	return list
}

// onlyPlace returns the node if it is one, else nil.
func (r *resource) onlyPlace(which place) *node {
	if list := r.places(which); len(list) == 1 {
		return list[0]
	}
	return nil
}

// current returns the node that counts as the one where a resource runs, how
// many run it, and how many of those are well.
func (r *resource) current() (n *node, all, clean int) {
	for _, candidate := range r.active {
		well := candidate.online && !candidate.unclean
		all++
		if well {
			clean++
		}
		switch {
		case r.migratingFrom != nil:
			if candidate == r.migratingFrom {
				n = candidate
			}
		case !r.needsFencing:
			if well && (n == nil || !n.online || n.unclean) {
				n = candidate
			}
		}
		if n == nil {
			n = candidate
		}
	}
	return n, all, clean
}

func (r *resource) currentNode() *node {
	n, _, _ := r.current()
	return n
}
