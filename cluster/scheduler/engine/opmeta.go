package engine

import "strings"

// actionMeta merges the options of an operation: its own, the defaults.
func (c *cluster) actionMeta(r *resource, name string, interval int64) map[string]string {
	meta := make(map[string]string)
	env := ruleEnv{class: r.Class, provider: r.Provider, agent: r.Type, op: name, interval: interval}
	spec := r.configured(name, interval)
	if spec != nil {
		c.evalBlocks(spec.Meta, env, meta)
		for _, o := range spec.Options {
			meta[o.Name] = o.Value
		}
	}
	if name == string(taskMonitor) && interval == 0 && meta["timeout"] == "" {
		if often := r.mostFrequentMonitor(); often != nil && often.option("timeout") != "" {
			meta["timeout"] = often.option("timeout")
		}
	}
	c.evalBlocks(c.in.OperationDefaults, env, meta)
	r.correctOnFail(name, spec, meta)
	return meta
}

// mostFrequentMonitor returns the monitor whose timeout a probe has.
func (r *resource) mostFrequentMonitor() *Operation {
	var best *Operation
	for i := range r.Operations {
		o := &r.Operations[i]
		interval := parseInterval(o.Interval)
		if o.Name != string(taskMonitor) || interval == 0 || o.disabled() {
			continue
		}
		if best == nil || interval < parseInterval(best.Interval) {
			best = o
		}
	}
	return best
}

func (o *Operation) disabled() bool {
	enabled, ok := parseBool(o.option("enabled"))
	return ok && !enabled
}

func (o *Operation) monitorsPromoted() bool {
	return o.Name == string(taskMonitor) && parseRole(o.option("role")) == rolePromoted && parseInterval(o.Interval) > 0
}

// correctOnFail drops what on-fail must not be for an operation; a failed demote
// is treated as a failed monitor of the promoted role is.
func (r *resource) correctOnFail(name string, spec *Operation, meta map[string]string) {
	value := strings.ToLower(meta["on-fail"])
	switch {
	case name == string(taskStop) && (value == "standby" || value == "demote" || value == "stop"):
		delete(meta, "on-fail")
	case name == string(taskDemote) && value == "":
		for i := range r.Operations {
			o := &r.Operations[i]
			if v := o.option("on-fail"); v != "" && o.monitorsPromoted() && !o.disabled() && !strings.EqualFold(v, "demote") {
				meta["on-fail"] = v
			}
		}
	case name == string(taskDelete):
		meta["on-fail"] = "ignore"
	case value == "demote" && (spec == nil || spec.Name != string(taskPromote) && !spec.monitorsPromoted()):
		delete(meta, "on-fail")
	}
}

// parseOnFail reads what follows from a failure ("Operation Properties").
func (c *cluster) parseOnFail(r *resource, name, value string) onFail {
	switch strings.ToLower(value) {
	case "block":
		return onFailBlock
	case "fence":
		if c.fencing {
			return onFailFence
		}
		return onFailStop
	case "standby":
		return onFailStandby
	case "ignore", "nothing":
		return onFailIgnore
	case "migrate":
		return onFailBan
	case "stop":
		return onFailStop
	case "restart":
		return onFailRestart
	case "restart-container":
		if r.container != nil {
			return onFailRestartContainer
		}
	case "demote":
		return onFailDemote
	}
	switch {
	case r.container != nil:
		return onFailRestartContainer
	case name != string(taskStop):
		return onFailRestart
	case c.fencing:
		return onFailFence
	}
	return onFailBlock
}
