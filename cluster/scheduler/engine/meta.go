package engine

import "strings"

// readMeta merges the meta attributes of a resource: its own, its parents', the
// defaults.
func (c *cluster) readMeta(r *resource) {
	env := ruleEnv{class: r.Class, provider: r.Provider, agent: r.Type}
	r.meta = make(map[string]string)
	c.evalBlocks(r.Meta, env, r.meta)
	if r.parent == nil {
		c.evalBlocks(c.in.ResourceDefaults, env, r.meta)
		return
	}
	inherited := make(map[string]string)
	for p := r.parent; p != nil; p = p.parent {
		c.evalBlocks(p.Meta, env, inherited)
	}
	inherit(r.meta, inherited)
	c.evalBlocks(c.in.ResourceDefaults, env, r.meta)
	inherit(r.meta, r.parent.meta)
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
	c.readUtilization(r)
}

func (c *cluster) readUtilization(r *resource) {
	if len(r.Utilization) == 0 {
		return
	}
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
	wanted := parseRole(r.meta["target-role"])
	if wanted == roleStopped || wanted == roleUnpromoted && r.top().promotable {
		return wanted
	}
	return unset
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
