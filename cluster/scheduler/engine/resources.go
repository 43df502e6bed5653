package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// unpackResources reads the configured resources, those of high priority first.
func (c *cluster) unpackResources() {
	c.byID = make(map[string]*resource, len(c.in.Resources))
	c.resources = make([]*resource, 0, len(c.in.Resources))
	for i := range c.in.Resources {
		if r := c.newResource(&c.in.Resources[i], nil, -1); r != nil {
			c.resources = append(c.resources, r)
		}
	}
	slices.SortStableFunc(c.resources, func(a, b *resource) int { return cmp.Compare(b.priority, a.priority) })
}

// newResource reads one resource, and what is inside it. A number makes it an
// instance in a clone.
func (c *cluster) newResource(spec *Resource, parent *resource, number int) *resource {
	r := &resource{
		Resource: spec, id: spec.ID, kind: spec.Kind, number: number, parent: parent,
		role: roleStopped, nextRole: roleUnknown, unassigned: true,
		allowed: make(table, len(c.nodes)), probed: make([]bool, len(c.nodes)),
	}
	if number >= 0 {
		r.id += ":" + strconv.Itoa(number)
	}
	c.readMeta(r)
	c.readSettings(r)
	if !c.unpackChildren(r) {
		return nil
	}
	if c.byID[r.id] == nil {
		c.byID[r.id] = r
	}
	if c.symmetric {
		for i := range c.nodes {
			c.likeByDefault(r, i)
		}
	}
	return r
}

// likeByDefault lets a symmetric cluster's resource run on a node.
func (c *cluster) likeByDefault(r *resource, i int) {
	if r.exclusiveProbes {
		return
	}
	r.allow(c.nodes[i], 0)
}

// allow counts a score for one node in a resource's own table.
func (r *resource) allow(n *node, score int) {
	w := &r.allowed[n.index]
	if !w.present {
		*w = weight{present: true, score: n.baseScore}
	}
	w.score = add(w.score, score)
	if r.bound != nil {
		r.forget()
	}
}

// like counts a score for a node, or for every node, in the tables of a resource
// and of all that is inside it.
func (c *cluster) like(r *resource, n *node, score int, source string) {
	nodes := c.nodes
	if n != nil {
		nodes = []*node{n}
	}
	r.each(func(r *resource) {
		for _, n := range nodes {
			r.allow(n, score)
		}
		r.note(n, score, source)
	})
	if n == nil && score <= -infinity {
		r.assignedNode = nil
	}
}

// unpackChildren makes the members of a group and the instances of a clone. It
// returns false if the resource cannot be.
func (c *cluster) unpackChildren(r *resource) bool {
	switch {
	case r.kind == Group:
		return c.unpackGroup(r)
	case r.kind == Clone:
		return c.unpackClone(r)
	}
	top := r.top()
	if top.kind == Clone && r.unique && !strings.EqualFold(r.Class, "ocf") && !strings.EqualFold(r.Class, "stonith") {
		c.forceAnonymous(top)
		c.forceAnonymous(r)
	}
	return !top.promotable || strings.EqualFold(r.Class, "ocf")
}

// forceAnonymous makes instances alike whose agent cannot tell them apart.
func (c *cluster) forceAnonymous(r *resource) {
	r.unique = false
	r.meta["globally-unique"] = "false"
	if r.kind == Clone {
		r.cloneNodeMax = 1
		r.cloneMax = min(r.cloneMax, len(c.nodes))
	}
	for _, child := range r.children {
		c.forceAnonymous(child)
	}
}

func (c *cluster) unpackGroup(r *resource) bool {
	r.ordered = r.groupFlag("ordered")
	r.colocated = r.groupFlag("collocated")
	for i := range r.Members {
		if r.Members[i].Kind != Primitive {
			continue
		}
		if member := c.newResource(&r.Members[i], r, r.number); member != nil {
			r.children = append(r.children, member)
		}
	}
	return len(r.children) > 0
}

func (r *resource) groupFlag(name string) bool {
	value, ok := parseBool(r.meta[name])
	return !ok || value
}

func (c *cluster) unpackClone(r *resource) bool {
	if len(r.Members) == 0 {
		return false
	}
	if r.promotable {
		r.promotedMax = parseInt(either(r.meta["promoted-max"], r.meta["master-max"]), 1, 0)
		r.promotedNodeMax = parseInt(either(r.meta["promoted-node-max"], r.meta["master-node-max"]), 1, 0)
	}
	r.cloneMax = c.limitInstances(r, parseInt(r.meta["clone-max"], max(1, len(c.nodes)), 0))
	r.cloneNodeMax = parseInt(r.meta["clone-node-max"], 1, 0)
	if !r.unique {
		r.cloneNodeMax = min(r.cloneNodeMax, 1)
	}
	r.ordered = isTrue(r.meta["ordered"])
	if r.meta["resource-stickiness"] == "" {
		r.meta["resource-stickiness"] = "1" // a small one, so that instances do not shuffle
	}
	r.meta["globally-unique"] = strconv.FormatBool(r.unique)
	for range max(1, r.cloneMax) {
		if c.addInstance(r) == nil {
			return false
		}
	}
	return true
}

// mostInstances is how many instances a clone may have that are more than there
// are nodes. A mistyped clone-max would take all memory and time otherwise.
const mostInstances = 100

func (c *cluster) limitInstances(clone *resource, wanted int) int {
	most := max(mostInstances, len(c.nodes))
	if wanted > most {
		c.problems = append(c.problems, fmt.Sprintf("clone-max of %s is %s, which is too many: it counts as %d; set it to how many are to run", clone.id, clone.meta["clone-max"], most))
	}
	return min(wanted, most)
}

// addInstance makes one more instance of a clone. One above clone-max is there
// only to be stopped.
func (c *cluster) addInstance(clone *resource) *resource {
	number := len(clone.children)
	r := c.newResource(&clone.Members[0], clone, number)
	if r == nil {
		return nil
	}
	if number >= clone.cloneMax {
		r.each(func(r *resource) { r.removed = true })
	}
	clone.children = append(clone.children, r)
	return r
}

const (
	placeNow      place = 1 << iota // where it runs
	placePending                    // where an action on it is under way
	placeAssigned                   // where it belongs
)
