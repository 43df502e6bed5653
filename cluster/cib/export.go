package cib

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Export writes a state as a CIB that Pacemaker's tools read: the configuration,
// and which node runs what. The report says what of it Pacemaker does not know.
//
// standard returns the name with a class that an agent goes by elsewhere, as
// ocf:heartbeat:IPaddr2 for vip; empty: it has none.
func Export(s *pb.State, standard func(agent string) string) ([]byte, *Report) {
	x := &exporter{state: s, standard: standard, ids: make(map[string]bool), written: make(map[string]bool)}
	root := node("cib",
		"validate-with", "pacemaker-3.9", "crm_feature_set", "3.1.0",
		"epoch", strconv.FormatUint(s.ConfigurationIndex, 10), "num_updates", "0", "admin_epoch", "0",
		"have-quorum", "1", "dc-uuid", x.controller())
	configuration := node("configuration")
	configuration.add(x.properties(), x.nodes(), x.resources(), x.constraints(), x.topology())
	configuration.add(x.defaults("rsc_defaults", "resource default", s.ResourceDefaults, metaOptions), x.defaults("op_defaults", "operation default", s.OperationDefaults, operationOptions), x.alerts())
	return root.add(configuration, x.status()).bytes(), &Report{Entries: x.entries}
}

// An exporter says a state in Pacemaker's words.
type exporter struct {
	state    *pb.State
	standard func(string) string
	ids      map[string]bool // given out; each is unique in the document
	written  map[string]bool // resources, groups and clones that are in it
	entries  []Entry
}

func (x *exporter) took(kind, id string) {
	x.entries = append(x.entries, Entry{Verdict: Taken, Kind: kind, ID: id})
}

func (x *exporter) left(kind, id, why string) {
	x.entries = append(x.entries, Entry{Verdict: NotTaken, Kind: kind, ID: id, Note: why})
}

// id returns an id that no other element has.
func (x *exporter) id(words ...string) string {
	base := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return r
		}
		return '_'
	}, strings.Join(words, "-"))
	id := base
	for n := 2; x.ids[id]; n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	x.ids[id] = true
	return id
}

func (x *exporter) controller() string {
	for _, n := range x.state.Nodes {
		if n.Admission == pb.Admission_ADMISSION_ADMITTED {
			return n.Id
		}
	}
	return ""
}

// pairs writes a set of names and values; nil: there are none.
func (x *exporter) pairs(kind, owner string, values map[string]string) *element {
	if len(values) == 0 {
		return nil
	}
	id := x.id(owner, kind)
	set := node(kind, "id", id)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		pair := node("nvpair", "id", x.id(id, name), "name", name)
		pair.attrs = append(pair.attrs, attr{"value", values[name]})
		set.add(pair)
	}
	return set
}

// The options that Pacemaker has too, with how their values are written there.
var (
	clusterOptions = map[string]func(string) string{
		"cluster-recheck-interval": inUnits, "maintenance-mode": asIs, "no-quorum-policy": asIs, "placement-strategy": asIs,
		"start-failure-is-fatal": asIs, "stop-all-resources": asIs, "symmetric-cluster": asIs,
	}
	metaOptions = map[string]func(string) string{
		"critical": asIs, "failure-timeout": inUnits, "is-managed": asIs, "maintenance": asIs, "migration-threshold": asIs, "multiple-active": asIs,
		"priority": asIs, "resource-stickiness": asIs, "target-role": asIs,
	}
	cloneOptions = map[string]func(string) string{
		"clone-max": asIs, "clone-node-max": asIs, "globally-unique": asIs, "interleave": asIs, "notify": asIs, "ordered": asIs, "promotable": asIs, "promoted-max": asIs, "promoted-node-max": asIs,
		"failure-timeout": inUnits, "is-managed": asIs, "maintenance": asIs, "migration-threshold": asIs,
		"priority": asIs, "resource-stickiness": asIs, "target-role": asIs,
	}
	operationOptions = map[string]func(string) string{
		"enabled": asIs, "on-fail": asIs, "record-pending": asIs, "role": asIs, "start-delay": inUnits, "timeout": inUnits,
	}
)

func asIs(v string) string { return v }

// inUnits writes a duration without fractions and days, which Pacemaker has not.
func inUnits(v string) string {
	d, err := state.ParseDuration(v)
	if err != nil {
		return v
	}
	return durationText(d)
}

func durationText(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// known returns the options that Pacemaker has, and reports all of them.
func (x *exporter) known(kind, owner string, values map[string]string, options map[string]func(string) string) map[string]string {
	kept := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		id := strings.TrimSpace(owner + " " + name)
		text, ok := options[name]
		if !ok {
			x.left(kind, id, "Pacemaker has no such option")
			continue
		}
		kept[name] = text(values[name])
		x.took(kind, id)
	}
	return kept
}

func (x *exporter) properties() *element {
	values := maps.Clone(x.state.Properties)
	delete(values, "fencing")
	delete(values, "priority-fencing-delay")
	kept := x.known("property", "", values, clusterOptions)
	x.fencingProperties(kept)
	if x.state.ClusterName != "" {
		kept["cluster-name"] = x.state.ClusterName
	}
	set := x.pairs("cluster_property_set", "quorate", kept)
	return node("crm_config").add(set)
}

func (x *exporter) defaults(section, kind string, values map[string]string, options map[string]func(string) string) *element {
	set := x.pairs("meta_attributes", section, x.known(kind, "", values, options))
	if set == nil {
		return nil
	}
	return node(section).add(set)
}

func (x *exporter) nodes() *element {
	section := node("nodes")
	for _, n := range x.state.Nodes {
		if n.Role == pb.Role_ROLE_WITNESS {
			x.left("node", n.Name, "a witness hosts nothing; Pacemaker has a quorum device in its place")
			continue
		}
		values := maps.Clone(n.Attributes)
		if values == nil {
			values = make(map[string]string)
		}
		if n.Standby || n.Stopped {
			values["standby"] = "on"
		}
		if n.Maintenance {
			values["maintenance"] = "true"
		}
		x.took("node", n.Name)
		section.add(node("node", "id", n.Id, "uname", n.Name).add(
			x.pairs("instance_attributes", "node-"+n.Name, values), x.pairs("utilization", "node-"+n.Name, n.Utilization)))
	}
	return section
}
