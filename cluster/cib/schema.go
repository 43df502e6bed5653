package cib

import (
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/scheduler/engine"
)

// before3 reports whether a document is of a schema before 3.0, in which more
// options had another name or place. Pacemaker translates such a document when
// it reads it; in a later one those names have no effect.
func (d *Document) before3() bool {
	version, ok := strings.CutPrefix(d.root.attr("validate-with"), "pacemaker-")
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return ok && err == nil && n < 3
}

// oldPropertyNames are cluster options as schemas before 3.0 allowed them.
var oldPropertyNames = map[string]string{
	"cluster_recheck_interval": "cluster-recheck-interval",
	"no_quorum_policy":         "no-quorum-policy",
	"startup_fencing":          "startup-fencing",
	"stonith_action":           "fencing-action",
	"stonith_enabled":          "fencing-enabled",
	"stop_orphan_actions":      "cancel-removed-actions",
	"stop_orphan_resources":    "stop-removed-resources",
	"symmetric_cluster":        "symmetric-cluster",
}

// movedToResources and movedToOperations are cluster options that became
// defaults.
var (
	movedToResources = map[string]string{
		"default-resource-stickiness": "resource-stickiness",
		"default_resource_stickiness": "resource-stickiness",
		"is-managed-default":          "is-managed",
		"is_managed_default":          "is-managed",
	}
	movedToOperations = map[string]string{
		"default-action-timeout": "timeout",
		"default_action_timeout": "timeout",
	}
)

// moved returns, as a set of defaults, what the cluster options of a document
// before schema 3.0 say of them. Real defaults win.
func (d *Document) moved(names map[string]string) []engine.Block {
	if !d.before3() {
		return nil
	}
	var values []engine.Value
	for _, b := range d.blocks(d.section("crm_config"), "cluster_property_set") {
		for _, v := range b.Values {
			if name, ok := names[v.Name]; ok && b.Rule == nil {
				values = append(values, engine.Value{Name: name, Value: v.Value})
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	return []engine.Block{{ID: "moved", Score: "-INFINITY", Values: values}}
}

// defaults returns the sets of defaults in a section, with those that were
// cluster options once.
func (d *Document) defaults(section string, once map[string]string) []engine.Block {
	return slices.Concat(d.moved(once), renamed(d.blocks(d.section(section), "meta_attributes"), metaNames))
}

// gone reports whether a primitive is of a class that Pacemaker 3.0 ended, and
// then reads as if it were not there.
func (d *Document) gone(e *element) bool {
	if t := d.templateOf(e); t != nil {
		e = t
	}
	class := strings.ToLower(e.attr("class"))
	return e.name != "group" && e.name != "clone" && (class == "upstart" || class == "nagios")
}

// during adds to a location's rules that they hold only while a rule in its
// lifetime does, as schemas before 4.0 had it.
func (d *Document) during(e *element, l *engine.Location) {
	lifetime := e.first("lifetime")
	if lifetime == nil {
		return
	}
	when := &engine.Rule{ID: l.ID + "-lifetime", Or: true}
	for r := range lifetime.all("rule") {
		when.Conditions = append(when.Conditions, engine.Condition{Rule: d.rule(r)})
	}
	if l.Node != "" {
		l.Rules = []engine.Rule{{ID: l.ID, Score: l.Score, Role: l.Role, Conditions: []engine.Condition{{
			Attribute: &engine.AttributeCondition{Attribute: "#uname", Operation: "eq", Value: l.Node},
		}}}}
		l.Node, l.Score, l.Role = "", "", ""
	}
	for i := range l.Rules {
		own := l.Rules[i]
		l.Rules[i] = engine.Rule{
			ID: own.ID, Score: own.Score, ScoreAttribute: own.ScoreAttribute, Role: own.Role,
			Conditions: []engine.Condition{{Rule: &own}, {Rule: when}},
		}
	}
}
