package engine

import (
	"crypto/md5" // as the histories have it; nothing depends on its strength
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A digestResult says how an operation's parameters compare with those that the
// resource has now.
type digestResult int

const (
	digestMatch digestResult = iota
	digestUnknown
	digestMismatch // a reload will do; of a monitor, a new schedule
	digestRestart
)

// digest compares the parameters that an operation had with the present ones.
// Secrets alone do not count: in a saved state they are left out.
func (c *cluster) digest(r *resource, n *node, op *HistoryOp) digestResult {
	result := c.fullDigest(r, n, op)
	if result != digestMatch && op.SecureDigest != "" && op.SecureDigest == digestOf(c.publicParameters(r, n, op)) {
		return digestMatch
	}
	return result
}

func (c *cluster) fullDigest(r *resource, n *node, op *HistoryOp) digestResult {
	interval, _ := scanInt(op.Interval)
	params, own := c.digestParameters(r, n, op.Operation, interval)
	if c.outdatedMonitors[op] || op.RestartDigest != "" && digestOf(restarting(params, op)) != op.RestartDigest {
		return digestRestart
	}
	switch {
	case op.Digest == "":
		return digestUnknown
	case op.Digest == digestOf(params):
		return digestMatch
	case interval == 0 && own:
		return digestRestart // for parameters of the operation's own no reload helps
	}
	return digestMismatch
}

// restarting returns those parameters whose change needs a restart.
func restarting(params map[string]string, op *HistoryOp) map[string]string {
	if op.ForceRestart == "" {
		return params
	}
	kept := make(map[string]string)
	for _, name := range strings.Split(op.ForceRestart, " ") {
		if v, ok := params[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

// digestParameters returns what counts for an operation's digest, and whether
// the operation has parameters of its own.
func (c *cluster) digestParameters(r *resource, n *node, operation string, interval int64) (params map[string]string, own bool) {
	params = c.parameters(r, n)
	if o := r.configured(operation, interval); o != nil && len(o.Parameters) > 0 {
		extra := make(map[string]string)
		c.evalBlocks(o.Parameters, ruleEnv{node: n.attrs}, extra)
		own = len(extra) > 0
		for name, value := range extra {
			if _, taken := params[name]; !taken {
				params[name] = value
			}
		}
	}
	maps.DeleteFunc(params, func(name, _ string) bool { return internalParameter(name) })
	if interval > 0 {
		params["CRM_meta_timeout"] = strconv.FormatInt(c.actionTimeout(r, operation, interval), 10)
	}
	return params, own
}

func internalParameter(name string) bool {
	switch name {
	case "id", "crm_feature_set", "op-digest", "on_node", "on_node_uuid", "pcmk_external_ip":
		return true
	}
	return strings.HasPrefix(name, "CRM_meta_")
}

// actionTimeout returns how long an operation may take, in milliseconds.
func (c *cluster) actionTimeout(r *resource, operation string, interval int64) int64 {
	const unset, most = 20_000, 1<<31 - 1
	ms, ok := parseMillis(c.actionMeta(r, operation, interval)["timeout"])
	if !ok || ms <= 0 {
		return unset
	}
	return min(ms, most)
}

// publicParameters returns what counts for the digest of what is no secret.
// Before feature set 3.16.0, of Pacemaker 2.1.5, parameters of the operation did
// not, nor did the cluster's own ones of a fencing device.
func (c *cluster) publicParameters(r *resource, n *node, op *HistoryOp) map[string]string {
	version := either(op.FeatureSet, c.in.FeatureSet)
	old := version != "" && compareVersions(version, "3.16.0") < 0
	params := c.parameters(r, n)
	if !old {
		interval, _ := scanInt(op.Interval)
		params, _ = c.digestParameters(r, n, op.Operation, interval)
	}
	secrets := strings.Fields(op.SecureParams)
	maps.DeleteFunc(params, func(name, _ string) bool {
		return internalParameter(name) || slices.Contains(secrets, name) || old && r.fenceDevice && fenceParameter(name)
	})
	return params
}

// fenceParameter reports whether a device's parameter is the cluster's own.
func fenceParameter(name string) bool {
	return name == "provides" || name == "stonith-timeout" || strings.HasPrefix(name, "pcmk_")
}

// configured returns the definition of an operation; nil: there is none.
func (r *resource) configured(name string, interval int64) *Operation {
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Name == name && parseInterval(o.Interval) == interval {
			return o
		}
	}
	if name == "migrate_to" || name == "migrate_from" {
		return r.configured("migrate", 0)
	}
	return nil
}

// Digest returns what a history has for an operation with some parameters. A
// recurring one has its timeout in milliseconds among them, as CRM_meta_timeout.
func Digest(params map[string]string) string { return digestOf(params) }

// digestOf hashes parameters as Pacemaker does: as an XML element whose
// attributes are sorted.
func digestOf(params map[string]string) string {
	var b strings.Builder
	b.WriteString(" <parameters")
	for _, name := range slices.Sorted(maps.Keys(params)) {
		b.WriteString(" " + name + `="`)
		b.WriteString(attributeEscaper.Replace(params[name]) + `"`)
	}
	b.WriteString("/>\n")
	sum := md5.Sum([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

var attributeEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\t", "&#x09;", "\n", "&#x0A;", "\r", "&#x0D;")

// opKey names an operation of a resource.
func opKey(id, operation string, interval int64) string {
	return id + "_" + operation + "_" + strconv.FormatInt(interval, 10)
}
