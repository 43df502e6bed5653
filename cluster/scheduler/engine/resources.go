package engine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// unpackResources reads the configured resources, those of high priority first.
func (c *cluster) unpackResources() {
	c.byID = make(map[string]*resource)
	for i := range c.in.Resources {
		if r := c.newResource(&c.in.Resources[i], nil, -1); r != nil {
			c.resources = append(c.resources, r)
		}
	}
	c.actions = make([]*action, 0, 8*len(c.resources))
	c.orderings = make([]ordering, 0, 6*len(c.resources))
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
			r.note(n, score, source)
		}
	})
	if n == nil && score <= -infinity {
		r.assignedNode = nil
	}
}

// readMeta merges the meta attributes of a resource: its own, its parents', the
// defaults.
func (c *cluster) readMeta(r *resource) {
	env := ruleEnv{class: r.Class, provider: r.Provider, agent: r.Type}
	r.meta = make(map[string]string)
	c.evalBlocks(r.Meta, env, r.meta)
	inherited := make(map[string]string)
	for p := r.parent; p != nil; p = p.parent {
		c.evalBlocks(p.Meta, env, inherited)
	}
	inherit(r.meta, inherited)
	c.evalBlocks(c.in.ResourceDefaults, env, r.meta)
	if r.parent != nil {
		inherit(r.meta, r.parent.meta)
	}
}

// inherit takes over what is not set yet.
func inherit(into, from map[string]string) {
	for name, value := range from {
		if _, ok := into[name]; !ok && !strings.EqualFold(value, "#default") {
			into[name] = value
		}
	}
}

// readSettings reads the meta attributes ("Resource Options").
func (c *cluster) readSettings(r *resource) {
	r.priority, _ = c.parseScore(r.meta["priority"], 0)
	r.stickiness, _ = c.parseScore(notDefault(r.meta["resource-stickiness"]), 0)
	threshold, ok := c.parseScore(notDefault(r.meta["migration-threshold"]), infinity)
	if !ok || threshold < 0 {
		threshold = infinity
	}
	r.threshold = threshold
	r.critical = r.meta["critical"] == "" || isTrue(r.meta["critical"])
	r.notify = isTrue(r.meta["notify"])
	r.migratable = isTrue(r.meta["allow-migrate"])
	r.failureTimeout = parseInterval(r.meta["failure-timeout"]) / 1000
	c.readManaged(r)
	c.readUnique(r)
	r.multiple = readMultiple(r.meta["multiple-active"])
	if strings.EqualFold(r.Class, "stonith") {
		c.haveFencing, r.fenceDevice = true, true
	}
	c.readRequires(r, r.meta["requires"])
	r.nextRole = r.targetRole(roleUnknown)
	r.utilization = make(map[string]int)
	values := make(map[string]string)
	c.evalBlocks(r.Utilization, ruleEnv{}, values)
	for name, v := range values {
		r.utilization[name] = parseInt(v, 0, -1<<31)
	}
}

func notDefault(value string) string {
	if strings.EqualFold(value, "default") {
		return ""
	}
	return value
}

func (c *cluster) readManaged(r *resource) {
	r.managed = true
	if v := notDefault(r.meta["is-managed"]); v != "" {
		r.managed = isTrue(v)
	}
	if isTrue(r.meta["maintenance"]) || c.maintenanceMode {
		r.managed, r.maintenance = false, true
	}
}

// readUnique finds out whether an instance is told from its siblings.
func (c *cluster) readUnique(r *resource) {
	if r.top().kind != Clone {
		r.unique = true
		return
	}
	r.promotable = isTrue(r.meta["promotable"])
	if v, ok := r.meta["globally-unique"]; ok {
		r.unique = isTrue(v)
	} else {
		r.unique = parseInt(r.meta["clone-node-max"], 1, 0) > 1
	}
}

func readMultiple(v string) multipleActive {
	switch strings.ToLower(v) {
	case "stop_only":
		return multipleStop
	case "block":
		return multipleBlock
	case "stop_unexpected":
		return multipleUnexpected
	}
	return multipleRestart
}

// readRequires finds out what must be given before a resource starts.
func (c *cluster) readRequires(r *resource, value string) {
	switch v := strings.ToLower(value); {
	case v == "nothing":
	case v == "quorum", v == "unfencing" && (r.fenceDevice || !c.fencing):
		r.needsQuorum = true
	case v == "fencing":
		r.needsFencing = true
	case v == "unfencing":
		r.needsFencing, r.needsUnfencing = true, true
	default:
		c.readRequires(r, c.requiresByDefault(r))
	}
}

func (c *cluster) requiresByDefault(r *resource) string {
	switch {
	case r.fenceDevice:
		return "quorum"
	case c.unfencing:
		return "unfencing"
	case c.fencing:
		return "fencing"
	case c.noQuorum == noQuorumIgnore:
		return "nothing"
	}
	return "quorum"
}

// targetRole returns the role that an operator limits a resource to; unset if
// there is no such limit.
func (r *resource) targetRole(unset role) role {
	switch wanted := parseRole(r.meta["target-role"]); wanted {
	case roleStopped:
		return wanted
	case roleUnpromoted:
		if r.top().promotable {
			return wanted
		}
	}
	return unset
}

// unpackChildren makes the members of a group and the instances of a clone. It
// returns false if the resource cannot be.
func (c *cluster) unpackChildren(r *resource) bool {
	switch r.kind {
	case Group:
		return c.unpackGroup(r)
	case Clone:
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
	r.cloneMax = parseInt(r.meta["clone-max"], max(1, len(c.nodes)), 0)
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

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
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

func (r *resource) isClone() bool   { return r != nil && r.kind == Clone }
func (r *resource) isGroup() bool   { return r != nil && r.kind == Group }
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

const (
	placeNow      place = 1 << iota // where it runs
	placePending                    // where an action on it is under way
	placeAssigned                   // where it belongs
)

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
