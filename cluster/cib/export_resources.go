package cib

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func (x *exporter) resources() *element {
	section := node("resources")
	for _, r := range x.state.Resources {
		x.ids[r.Id] = true // they keep theirs, so nothing else may have them
	}
	for _, g := range x.state.Groups {
		x.ids[g.Id] = true
	}
	for _, c := range x.state.Clones {
		x.ids[c.Id] = true
	}
	for _, c := range x.state.Constraints {
		x.ids[c.Id] = true
	}
	for _, d := range x.state.Devices {
		x.ids[d.Id] = true
	}
	for _, r := range x.state.Resources {
		if state.GroupOf(x.state, r.Id) == nil && state.CloneOf(x.state, r.Id) == nil {
			section.add(x.primitive(r))
		}
	}
	for _, g := range x.state.Groups {
		if state.CloneOf(x.state, g.Id) == nil {
			section.add(x.group(g))
		}
	}
	for _, c := range x.state.Clones {
		section.add(x.clone(c))
	}
	for _, d := range x.state.Devices {
		section.add(x.device(d))
	}
	return section
}

func (x *exporter) clone(c *pb.Clone) *element {
	e := node("clone", "id", c.Id)
	if g := state.GroupByID(x.state, c.Member); g != nil {
		e.add(x.group(g))
	} else {
		e.add(x.primitive(state.ResourceByID(x.state, c.Member)))
	}
	if len(e.children) == 0 {
		x.left("clone", c.Id, "what is in it cannot be written")
		return nil
	}
	x.written[c.Id] = true
	x.took("clone", c.Id)
	meta := maps.Clone(c.Meta)
	if meta["clone-max"] == "INFINITY" {
		delete(meta, "clone-max") // on all nodes, as Pacemaker does without it
	}
	return e.add(x.pairs("meta_attributes", c.Id, x.known("option", c.Id, meta, cloneOptions)))
}

func (x *exporter) group(g *pb.Group) *element {
	e := node("group", "id", g.Id)
	for _, id := range g.Members {
		e.add(x.primitive(state.ResourceByID(x.state, id)))
	}
	if len(e.children) == 0 {
		x.left("group", g.Id, "none of its members can be written")
		return nil
	}
	x.written[g.Id] = true
	x.took("group", g.Id)
	return e.add(x.pairs("meta_attributes", g.Id, x.known("option", g.Id, g.Meta, metaOptions)))
}

// primitive writes a resource; nil: Pacemaker could not run it, or it is about
// to be deleted.
func (x *exporter) primitive(r *pb.Resource) *element {
	if r == nil || r.Deleting {
		return nil
	}
	class, provider, kind, ok := x.agent(r.Agent)
	if !ok {
		x.left("resource", r.Id, fmt.Sprintf("Pacemaker has no agent like %s", r.Agent))
		return nil
	}
	if r.Move != nil {
		x.left("move", r.Id, "a move leaves no constraint behind")
	}
	if len(r.ServerOrders) > 0 {
		x.left("orders", r.Id, "Pacemaker keeps no orders for the servers behind a resource")
	}
	x.written[r.Id] = true
	x.took("resource", r.Id)
	e := node("primitive", "id", r.Id, "class", class, "provider", provider, "type", kind)
	e.add(x.pairs("instance_attributes", r.Id, r.Parameters))
	e.add(x.pairs("meta_attributes", r.Id, x.known("option", r.Id, r.Meta, metaOptions)))
	e.add(x.pairs("utilization", r.Id, r.Utilization))
	if len(r.Operations) == 0 {
		return e
	}
	operations := node("operations")
	for _, op := range r.Operations {
		operations.add(x.operation(r.Id, op))
	}
	return e.add(operations)
}

// agent splits the name of an agent into class, provider and type.
func (x *exporter) agent(name string) (class, provider, kind string, ok bool) {
	name = strings.TrimPrefix(name, "script:") // Pacemaker has no other under that name
	if !strings.Contains(name, ":") {
		name = x.standard(name)
	}
	switch parts := strings.Split(name, ":"); {
	case len(parts) == 3 && parts[0] == "ocf":
		return parts[0], parts[1], parts[2], true
	case len(parts) == 2 && parts[0] == "ocf":
		return "", "", "", false
	case len(parts) == 2:
		return parts[0], "", parts[1], true
	}
	return "", "", "", false
}

func (x *exporter) operation(resource string, op *pb.OperationSpec) *element {
	interval := durationText(op.Interval.AsDuration())
	e := node("op", "id", x.id(resource, op.Name, interval), "name", op.Name, "interval", interval)
	if t := op.Timeout.AsDuration(); t > 0 {
		e.set("timeout", durationText(t))
	}
	parameters := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(op.Options)) {
		if text, ok := operationOptions[name]; ok {
			e.set(name, text(op.Options[name]))
		} else {
			parameters[name] = op.Options[name] // OCF_CHECK_LEVEL
		}
	}
	return e.add(x.pairs("instance_attributes", resource+"-"+op.Name, parameters))
}
