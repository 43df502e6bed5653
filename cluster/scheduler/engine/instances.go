package engine

import (
	"slices"
	"strings"
)

// resourceOf returns the configured resource that a node's history tells of. Of
// an anonymous clone it is the instance that this node has, or a free one, or
// one too many, which is there to be stopped. nil: there is none.
func (c *cluster) resourceOf(h *History, n *node) *resource {
	r := c.byID[h.Resource]
	if r != nil && r.kind == Primitive && r.number < 0 {
		return r
	}
	base := baseName(h.Resource)
	switch {
	case r == nil:
		r = c.byID[base+":0"]
		if r == nil || r.unique {
			return nil
		}
	case r.kind != Primitive:
		return nil
	}
	if top := r.top(); top.anonymous() {
		r = c.anonymousInstance(top, base, n)
	}
	if r != nil && h.Resource != r.id {
		r.historyID = h.Resource
	}
	return r
}

// anonymousInstance returns the part of a clone's instance that has an id and
// belongs to a node.
func (c *cluster) anonymousInstance(clone *resource, id string, n *node) *resource {
	r := clone.instanceOn(id, n)
	// What needs no fencing counts as stopped on a node that is not well, and
	// must not take the number that another node needs.
	unwell := !n.online || n.unclean
	if r != nil && !r.needsFencing && unwell && clone.cloneMax != len(c.nodes) {
		r = nil
	}
	if r == nil {
		if added := c.addInstance(clone); added != nil {
			r = added.part(id)
		}
	}
	return r
}

func (r *resource) instanceOn(id string, n *node) *resource {
	var free *resource
	for _, instance := range r.children {
		switch at := instance.places(placeNow | placePending); {
		case len(at) > 0 && at[0] == n:
			part := instance.part(id)
			if part == nil {
				continue
			}
			if len(part.active) > 0 {
				return nil // a second one on this node is one too many
			}
			return part
		case len(at) == 0 && free == nil && !instance.blocked:
			free = instance.part(id)
			if free != nil && free.pendingNode != nil && free.pendingNode != n {
				free = nil
			}
		}
	}
	return free
}

// part returns the resource with an id, without number, in a clone's instance.
func (r *resource) part(id string) *resource {
	if r.ID == id {
		return r
	}
	for _, child := range r.children {
		if found := child.part(id); found != nil {
			return found
		}
	}
	return nil
}

// addRemoved makes a resource of a history that no configuration belongs to (any
// more): it is to be stopped.
func (c *cluster) addRemoved(h *History) *resource {
	spec := &Resource{ID: h.Resource, Class: h.Class, Provider: h.Provider, Type: h.Type}
	r := c.newResource(spec, nil, -1)
	if r == nil {
		return nil
	}
	r.removed = true
	c.resources = append(c.resources, r)
	if !c.stopRemoved {
		r.managed = false
	} else {
		c.like(r, nil, -infinity, "removed")
	}
	return r
}

// baseName returns an id without the number of an instance.
func baseName(id string) string {
	if numbered(id) {
		return id[:strings.LastIndexByte(id, ':')]
	}
	return id
}

func numbered(id string) bool {
	i := strings.LastIndexByte(id, ':')
	return i > 0 && i < len(id)-1 && !slices.ContainsFunc([]byte(id[i+1:]), func(b byte) bool { return !isDigit(b) })
}
