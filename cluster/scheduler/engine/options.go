package engine

import "strings"

// formerNames are what clusters in the field mostly call the options.
var formerNames = map[string]string{
	"fencing-enabled":        "stonith-enabled",
	"fencing-action":         "stonith-action",
	"fencing-timeout":        "stonith-timeout",
	"stop-removed-resources": "stop-orphan-resources",
	"cancel-removed-actions": "stop-orphan-actions",
}

// option returns a cluster option under its present or its former name.
func (c *cluster) option(name string) string {
	if v, ok := c.properties[name]; ok {
		return v
	}
	if former := formerNames[name]; former != "" {
		return c.properties[former]
	}
	return ""
}

// flag returns a boolean option; what is none counts as unset.
func (c *cluster) flag(name string, unset bool) bool {
	if v, ok := parseBool(c.option(name)); ok {
		return v
	}
	return unset
}

// unpackOptions reads the cluster options ("Cluster Options").
func (c *cluster) unpackOptions() {
	c.properties = make(map[string]string)
	c.evalBlocks(bootstrapFirst(c.in.Properties), ruleEnv{}, c.properties)
	c.quorate = c.in.Quorate
	c.fencing = c.flag("fencing-enabled", true)
	c.haveFencing = c.flag("have-watchdog", false)
	c.fenceAction = "reboot"
	if v := c.option("fencing-action"); v == "off" || v == "poweroff" {
		c.fenceAction = "off"
	}
	c.concurrentFencing = c.flag("concurrent-fencing", false)
	c.startupFencing = c.flag("startup-fencing", true)
	c.startupProbes = c.flag("enable-startup-probes", true)
	c.stopAll = c.flag("stop-all-resources", false)
	c.symmetric = c.flag("symmetric-cluster", true)
	c.stopRemoved = c.flag("stop-removed-resources", true)
	c.cancelRemoved = c.flag("cancel-removed-actions", true)
	c.maintenanceMode = c.flag("maintenance-mode", false)
	c.shutdownLock = c.flag("shutdown-lock", false)
	c.shutdownLockLimit = parseInterval(c.option("shutdown-lock-limit")) / 1000
	c.priorityDelay = parseInterval(c.option("priority-fencing-delay")) / 1000
	c.pendingTimeout = parseInterval(c.option("node-pending-timeout")) / 1000
	c.noQuorum = c.readNoQuorum()
	c.placement = c.readPlacement()
	c.readHealth()
	c.unfencing = c.asksUnfencing()
}

// bootstrapFirst lets the set that the cluster itself writes win, whatever its
// score: the last one of the greatest score does.
func bootstrapFirst(blocks []Block) []Block {
	var list, own []Block
	for _, b := range blocks {
		if b.ID != "cib-bootstrap-options" {
			list = append(list, b)
			continue
		}
		b.Score = "INFINITY"
		own = append(own, b)
	}
	return append(list, own...)
}

func (c *cluster) readNoQuorum() noQuorumPolicy {
	switch strings.ToLower(c.option("no-quorum-policy")) {
	case "ignore":
		return noQuorumIgnore
	case "freeze":
		return noQuorumFreeze
	case "demote":
		return noQuorumDemote
	case "fence", "suicide":
		if c.fencing && (c.in.NoQuorumPanic || c.quorate) {
			return noQuorumFence
		}
	}
	return noQuorumStop
}

func (c *cluster) readPlacement() string {
	switch v := strings.ToLower(c.option("placement-strategy")); v {
	case "utilization", "minimal", "balanced":
		return v
	}
	return "default"
}

// readHealth reads what node health is worth ("Tracking Node Health").
func (c *cluster) readHealth() {
	h := &c.health
	h.strategy = strings.ToLower(c.option("node-health-strategy"))
	switch h.strategy {
	case "migrate-on-red":
		h.red = -infinity
	case "only-green":
		h.red, h.yellow = -infinity, -infinity
	case "progressive", "custom":
		h.red, _ = c.parseScore(c.option("node-health-red"), -infinity)
		h.yellow, _ = c.parseScore(c.option("node-health-yellow"), 0)
		h.green, _ = c.parseScore(c.option("node-health-green"), 0)
		if h.strategy == "progressive" {
			h.base, _ = c.parseScore(c.option("node-health-base"), 0)
		}
	default:
		h.strategy = "none"
	}
}

// asksUnfencing reports whether any resource asks that nodes be unfenced.
func (c *cluster) asksUnfencing() bool {
	return blocksAskUnfencing(c.in.ResourceDefaults) || resourcesAskUnfencing(c.in.Resources)
}

func resourcesAskUnfencing(list []Resource) bool {
	for i := range list {
		if blocksAskUnfencing(list[i].Meta) || resourcesAskUnfencing(list[i].Members) {
			return true
		}
	}
	return false
}

func blocksAskUnfencing(blocks []Block) bool {
	for _, b := range blocks {
		for _, v := range b.Values {
			if (v.Name == "requires" || v.Name == "provides") && v.Value == "unfencing" {
				return true
			}
		}
	}
	return false
}
