package scheduler

import (
	"fmt"
	"maps"
	"slices"

	"quorate/cluster/constraint"
	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// input says to the engine what it has to know for placing. Who may be started
// or stopped, what runs, and what a failure means was found out before: a
// resource is where the graph says that it bides, and failures are bans. Orders
// are no matter of places.
func (g *graph) input() *engine.Input {
	in := &engine.Input{
		Now: g.now, Quorate: true, Quiet: true,
		Properties: values("fencing-enabled", "false", "symmetric-cluster", fmt.Sprint(g.symmetric), "placement-strategy", g.strategy),
		Nodes:      make([]engine.Node, len(g.nodes)), Resources: make([]engine.Resource, 0, len(g.resources)),
		Locations: make([]engine.Location, 0, len(g.locations)), Colocations: make([]engine.Colocation, 0, len(g.colocations)),
	}
	for i, n := range g.nodes {
		in.Nodes[i] = engineNode(n)
	}
	g.addResources(in)
	g.addConstraints(in)
	g.addBans(in)
	return in
}

func values(list ...string) []engine.Block {
	b := engine.Block{Values: make([]engine.Value, 0, len(list)/2)}
	for i := 0; i < len(list); i += 2 {
		b.Values = append(b.Values, engine.Value{Name: list[i], Value: list[i+1]})
	}
	return []engine.Block{b}
}

// block returns a map as the engine has it; nil: it is empty.
func block(m map[string]string) []engine.Block {
	if len(m) == 0 {
		return nil
	}
	b := engine.Block{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b.Values = append(b.Values, engine.Value{Name: name, Value: m[name]})
	}
	return []engine.Block{b}
}

// up is a node that is there, as far as the engine has to know: what keeps one
// from hosting anything is said by its score.
var up = &engine.NodeState{Name: "up", InCCM: "true", Crmd: "online", Join: "member", Expected: "member"}

// barred are the attributes of a node that may host nothing. They win over
// those of the same names that people set.
var barred = engine.Block{Score: "INFINITY", Values: []engine.Value{{Name: "standby", Value: "true"}}}

func engineNode(n *node) engine.Node {
	e := engine.Node{ID: n.Id, Name: n.Name, State: up, Attributes: block(n.Attributes), Transient: block(n.Transient), Utilization: block(n.Utilization)}
	if n.bar != nil {
		e.Score, e.Attributes = "-INFINITY", append(e.Attributes, barred)
	}
	return e
}

// addResources adds what is at the top, by name: a group comes where the first
// of its members would, by name. What is left alone is placed first, because
// it stays whatever the others do.
func (g *graph) addResources(in *engine.Input) {
	at := make(map[*pb.Group]int)
	for _, r := range g.resources {
		if r.isRole() {
			continue
		}
		if i := r.bides(); i >= 0 && (r.current >= 0 || !r.frozen()) {
			promoted := r.promotion != nil && r.promotion.bides() == i
			in.Nodes[i].History = append(in.Nodes[i].History, engine.History{Resource: r.Id, Active: true, Promoted: promoted})
		}
		if r.clone != nil {
			if r.clone.leads(r) {
				in.Resources = append(in.Resources, g.engineClone(r.clone))
			}
		} else if r.group == nil {
			in.Resources = append(in.Resources, engineResource(r))
		} else if _, added := at[r.group]; !added {
			at[r.group] = len(in.Resources)
			in.Resources = append(in.Resources, g.engineGroup(r.group))
		}
	}
}

func engineResource(r *resource) engine.Resource {
	var meta []string
	switch {
	case r.leftAlone():
		meta = append(meta, "is-managed", "false", "priority", "INFINITY")
	case r.priority != 0:
		meta = append(meta, "priority", scoreText(r.priority))
	}
	if r.unwanted != "" {
		meta = append(meta, "target-role", "Stopped")
	}
	if !r.critical {
		meta = append(meta, "critical", "false")
	}
	e := engine.Resource{ID: r.Id, Utilization: block(r.Utilization)}
	if r.promotion != nil {
		e.Class = "ocf" // no other may be promoted, to Pacemaker
	}
	if len(meta) > 0 {
		e.Meta = values(meta...)
	}
	return e
}

// engineGroup is as urgent as the most urgent of its members.
func (g *graph) engineGroup(group *pb.Group) engine.Resource {
	e := engine.Resource{ID: group.Id, Kind: engine.Group}
	urgent := int64(-infinity)
	for _, id := range group.Members {
		if r := g.resource(id); r != nil {
			e.Members = append(e.Members, engineResource(r))
			urgent = max(urgent, r.priority)
		}
	}
	e.Meta = values("priority", scoreText(urgent), "critical", fmt.Sprint(parseBool(group.Meta["critical"], g.critical)))
	return e
}

// addConstraints adds the locations, the last by id first, because the engine
// counts the last one first, and the colocations that contradict no others. What
// is to run nowhere draws nobody, and others do not through it.
func (g *graph) addConstraints(in *engine.Input) {
	for _, c := range slices.Backward(g.locations) {
		in.Locations = append(in.Locations, engineLocation(c, c.GetLocation()))
	}
	for _, c := range g.colocations {
		if c.said != nil && !c.again && c.dependent.unwanted == "" {
			in.Colocations = append(in.Colocations, engineColocation(c.id, c.said))
		}
	}
}

func engineLocation(c *pb.Constraint, l *pb.Location) engine.Location {
	e := engine.Location{ID: c.Id, Resource: l.Resource, Role: constraint.RoleWord(l.Role), Discovery: word(l.Discovery.String(), "DISCOVERY_")}
	if l.Rule != nil {
		e.Rules, e.Text = []engine.Rule{engineRule(c.Id, l)}, ruleText(l)
		return e
	}
	e.Node, e.Score = l.Node, scoreText(l.Score)
	return e
}

func engineColocation(id string, c *pb.Colocation) engine.Colocation {
	e := engine.Colocation{
		ID: id, Dependent: c.Resource, Primary: c.With, DependentRole: constraint.RoleWord(c.Role), PrimaryRole: constraint.RoleWord(c.WithRole),
		Score: scoreText(c.Score), NodeAttribute: c.NodeAttribute,
	}
	if c.Influence != nil {
		e.Influence = fmt.Sprint(*c.Influence)
	}
	return e
}

// addBans adds where a resource may not run for its failures and for what the
// nodes say.
func (g *graph) addBans(in *engine.Input) {
	ban := func(r *resource, n *node, source, text string) {
		in.Locations = append(in.Locations, engine.Location{ID: source, Resource: r.weighedAs(), Node: n.Name, Score: "-INFINITY", Text: text})
	}
	for i, n := range g.nodes {
		for _, r := range g.resources {
			if r.unwanted != "" || r.isRole() || !r.concerns(i) {
				continue
			}
			if r.clone != nil && r.frozen() && !r.leftAlone() {
				ban(r, n, "unmanaged", r.whyFrozen())
			}
			if r.givenUp(i) {
				ban(r, n, r.givenUpBy(i), r.failures(i))
			}
			if o := obstacleOf(n, r); o != nil {
				ban(r, n, o.Kind, o.Text)
			}
		}
	}
}
