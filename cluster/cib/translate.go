package cib

import (
	"cmp"
	"maps"
	"slices"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A translator says the elements of a CIB in Quorate's words.
type translator struct {
	d       *Document
	entries []*Entry
	pieces  []*piece
}

// offer adds an element that may be taken; with a note it is approximated.
func (t *translator) offer(kind, id, note string, add func(*pb.Configuration) string) {
	e := &Entry{Kind: kind, ID: id, Note: note}
	if note != "" {
		e.Verdict = Approximated
	}
	t.entries = append(t.entries, e)
	t.pieces = append(t.pieces, &piece{Entry: e, add: add})
}

// leave reports an element that cannot be taken.
func (t *translator) leave(kind, id, why string) {
	t.entries = append(t.entries, &Entry{Verdict: NotTaken, Kind: kind, ID: id, Note: why})
}

// writtenOut reports an element that is gone, and what has its content instead.
func (t *translator) writtenOut(e *element, where string) {
	t.entries = append(t.entries, &Entry{Verdict: Approximated, Kind: e.name, ID: e.id(), Note: "written out: " + where})
}

func (t *translator) translate() {
	t.properties()
	t.defaults("rsc_defaults", movedToResources, "resource default", func(c *pb.Configuration) *map[string]string { return &c.ResourceDefaults })
	t.defaults("op_defaults", movedToOperations, "operation default", func(c *pb.Configuration) *map[string]string { return &c.OperationDefaults })
	t.nodes()
	t.resources()
	t.typedDefaults()
	t.levels()
	t.constraints()
	t.alerts()
	t.rest()
}

// ofPacemaker are properties that say something of Pacemaker itself.
var ofPacemaker = map[string]string{
	"dc-version":             "it is the version of Pacemaker",
	"cluster-infrastructure": "it names Pacemaker's membership layer",
	"cluster-name":           "a Quorate cluster has the name that it was set up with",
	"have-watchdog":          "Pacemaker sets it by itself",
	"last-lrm-refresh":       "Pacemaker sets it by itself",
	"enable-acl":             noACLs,

	"batch-limit": ownPace, "cluster-delay": ownPace, "dc-deadtime": ownPace, "election-timeout": ownPace,
	"join-finalization-timeout": ownPace, "join-integration-timeout": ownPace, "load-threshold": ownPace,
	"migration-limit": ownPace, "node-action-limit": ownPace, "node-pending-timeout": ownPace,
	"shutdown-escalation": ownPace, "transition-delay": ownPace,

	"pe-error-series-max": noSeries, "pe-input-series-max": noSeries, "pe-warn-series-max": noSeries,
}

const (
	ownPace  = "it paces Pacemaker's own work; see the property profile"
	noSeries = "Pacemaker keeps files of its decisions; `quorate events` and `config checkpoint` have them"
)

func (t *translator) properties() {
	section := t.d.section("crm_config")
	merged := t.merge("cluster_property_set", t.d.properties())
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		if t.d.before3() && movedToResources[name]+movedToOperations[name] != "" {
			continue // it is a default
		}
		if why := cmp.Or(ofPacemaker[name], ofFencing[name]); why != "" {
			t.leave("property "+name, t.pairID(section, name), why)
			continue
		}
		value, id := merged[name], t.pairID(section, name)
		if name == "fencing-enabled" {
			name = "stonith-enabled" // the name that Quorate understands too
		}
		t.offer("property "+name, id, "", setting(func(c *pb.Configuration) *map[string]string { return &c.Properties }, name, value))
	}
	if _, said := merged["fencing-enabled"]; !said {
		t.fencingDefault()
	}
}

// pairID returns the id of the pair that sets a name in one of some elements,
// under its present or a former name; the last one counts that holds by no rule.
func (t *translator) pairID(e *element, name string) string {
	id := ""
	for _, set := range childrenOf(e) {
		if set = t.d.resolve(set); set == nil || set.first("rule") != nil {
			continue
		}
		for pair := range set.all("nvpair") {
			pair = t.d.resolve(pair)
			if n := pair.attr("name"); n != "" && (n == name || propertyNames[n] == name || metaNames[n] == name) {
				id = pair.id()
			}
		}
	}
	return id
}

// setting adds one name and value to a map of a configuration.
func setting(of func(*pb.Configuration) *map[string]string, name, value string) func(*pb.Configuration) string {
	return func(c *pb.Configuration) string {
		m := of(c)
		if *m == nil {
			*m = make(map[string]string)
		}
		(*m)[name] = value
		return ""
	}
}

// merge returns what some blocks set together. One that holds only by a rule is
// left out.
func (t *translator) merge(kind string, blocks []engine.Block) map[string]string {
	blocks = slices.DeleteFunc(slices.Clone(blocks), func(b engine.Block) bool {
		if b.Rule != nil {
			t.leave(kind, b.ID, "options that depend on a rule are not available in this version")
		}
		return b.Rule != nil
	})
	slices.Reverse(blocks)
	slices.SortStableFunc(blocks, func(a, b engine.Block) int { return cmp.Compare(blockScore(b), blockScore(a)) })
	merged := make(map[string]string)
	for _, b := range blocks {
		for _, v := range b.Values {
			if _, set := merged[v.Name]; !set {
				merged[v.Name] = v.Value
			}
		}
	}
	return merged
}

func blockScore(b engine.Block) int64 {
	score, _ := state.ParseScore(b.Score)
	return score
}

func (t *translator) nodes() {
	for e := range t.d.section("nodes").all("node") {
		name := e.attr("uname")
		t.offer("node "+name, e.id(), "", func(c *pb.Configuration) string {
			c.Nodes = append(c.Nodes, &pb.NodeConfiguration{Name: name})
			return ""
		})
		merged := t.merge("instance_attributes", t.d.blocks(e, "instance_attributes"))
		for _, attribute := range slices.Sorted(maps.Keys(merged)) {
			t.nodeAttribute(name, t.pairID(e, attribute), attribute, merged[attribute])
		}
		t.utilization(name, t.d.blocks(e, "utilization"), []*element{e}, func(c *pb.Configuration) *map[string]string {
			if i := nodeIn(c, name); i >= 0 {
				return &c.Nodes[i].Utilization
			}
			return nil
		})
	}
}

func (t *translator) nodeAttribute(node, id, name, value string) {
	t.offer("node attribute "+name, id, "", func(c *pb.Configuration) string {
		i := nodeIn(c, node)
		if i < 0 {
			return "node " + node + " was not taken"
		}
		switch n := c.Nodes[i]; name {
		case "standby":
			n.Standby = isTrue(value)
		case "maintenance":
			n.Maintenance = isTrue(value)
		default:
			if n.Attributes == nil {
				n.Attributes = make(map[string]string)
			}
			n.Attributes[name] = value
		}
		return ""
	})
}

func nodeIn(c *pb.Configuration, name string) int {
	return slices.IndexFunc(c.Nodes, func(n *pb.NodeConfiguration) bool { return n.Name == name })
}

// utilization offers the amounts of a node or a resource one by one. They stand
// in some elements: its own, or also its template's.
func (t *translator) utilization(owner string, blocks []engine.Block, in []*element, of func(*pb.Configuration) *map[string]string) {
	merged := t.merge("utilization", blocks)
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		set := setting(of, name, merged[name])
		t.offer("utilization "+name, t.utilizationID(in, name), "", func(c *pb.Configuration) string {
			if of(c) == nil {
				return owner + " was not taken"
			}
			return set(c)
		})
	}
}

func (t *translator) utilizationID(in []*element, name string) (id string) {
	for _, e := range in {
		for set := range e.all("utilization") {
			for pair := range t.d.resolve(set).all("nvpair") {
				if pair = t.d.resolve(pair); pair.attr("name") == name {
					id = pair.id()
				}
			}
		}
	}
	return id
}

// leftOut are the elements of the configuration beside those that are looked at,
// and why nothing is taken of them.
var leftOut = map[string]string{
	"acl_role":   noACLs,
	"acl_target": noACLs,
	"acl_group":  noACLs,
	"acl_user":   noACLs,
	"rsc_ticket": "tickets are not available in Quorate",
}

const noACLs = "access is given by certificates and a group of the system"

func (t *translator) rest() {
	for _, section := range []string{"tags", "fencing-topology", "acls"} {
		for e := range t.d.section(section).descendants() {
			switch why := leftOut[e.name]; {
			case e.name == "tag":
				t.writtenOut(e, "the constraints that name it have its resources")
			case why != "":
				t.leave(e.name, e.id(), why)
			}
		}
	}
}
