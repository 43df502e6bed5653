package cib

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func (t *translator) resources() {
	for e := range t.d.section("resources").all("template") {
		t.writtenOut(e, "the resources that use it have its settings")
	}
	for e := range t.d.section("resources").descendants() {
		if e.name == "primitive" && t.d.gone(e) {
			t.leave("primitive", e.id(), "resources of its class ended with Pacemaker 3.0")
		}
	}
	for _, e := range t.d.children(t.d.section("resources")) {
		switch e.name {
		case "primitive":
			t.primitive(e)
		case "group":
			t.group(e)
		case "clone", "master":
			t.clone(e)
		default:
			t.leaveWhole(e, strangeKinds[e.name])
		}
	}
}

// strangeKinds are the kinds of resources that Quorate does not run, or not inside
// of others, and why.
var strangeKinds = map[string]string{
	"group":  "a group has no groups in it",
	"clone":  "a clone is in nothing else",
	"master": "a clone is in nothing else",
	"bundle": "bundles are not available in Quorate",
}

// leaveWhole leaves out a resource that Quorate does not run, with all that is
// inside it.
func (t *translator) leaveWhole(e *element, why string) {
	kind := e.name
	t.leave(kind, e.id(), why)
	for inner := range e.descendants() {
		if isResource(inner.name) {
			t.leave(inner.name, inner.id(), fmt.Sprintf("it is part of %s %s", kind, e.id()))
		}
	}
}

// primitive offers a resource, and then each of its options and operations.
func (t *translator) primitive(e *element) {
	r := t.d.resource(e)
	if isDevice(r) && r.Type != "" {
		t.fencingDevice(e, r)
		return
	}
	if why := t.strange(e, r); why != "" {
		t.leave("primitive", r.ID, why)
		return
	}
	given := &pb.Resource{Id: r.ID, Agent: agentName(r), Parameters: t.merge("instance_attributes", r.Parameters)}
	t.offer("primitive", r.ID, "", func(c *pb.Configuration) string {
		c.Resources = append(c.Resources, cloneOf(given))
		return ""
	})
	t.meta(e, r, func(c *pb.Configuration) *map[string]string {
		if kept := resourceIn(c, r.ID); kept != nil {
			return &kept.Meta
		}
		return nil
	})
	for i := range r.Operations {
		t.operation(r.ID, &r.Operations[i])
	}
	parts := []*element{e}
	if from := t.d.templateOf(e); from != nil {
		parts = []*element{from, e}
	}
	t.utilization(r.ID, r.Utilization, parts, func(c *pb.Configuration) *map[string]string {
		if kept := resourceIn(c, r.ID); kept != nil {
			return &kept.Utilization
		}
		return nil
	})
}

// strange returns why a primitive can be run by no version of Quorate, or not by
// this one; whether the agent is known is for the cluster to say.
func (t *translator) strange(e *element, r engine.Resource) string {
	switch {
	case isRemoteConnection(e) || r.Class == "ocf" && r.Provider == "pacemaker" && r.Type == "remote":
		return "remote nodes are not available in Quorate"
	case t.d.guestOf(e) != "":
		return "guest nodes are not available in Quorate"
	case r.Type == "":
		return "it names no agent, or a template that does not exist"
	}
	return ""
}

func agentName(r engine.Resource) string {
	if r.Provider == "" {
		return r.Class + ":" + r.Type
	}
	return r.Class + ":" + r.Provider + ":" + r.Type
}

func cloneOf(r *pb.Resource) *pb.Resource {
	return &pb.Resource{Id: r.Id, Agent: r.Agent, Parameters: maps.Clone(r.Parameters)}
}

func resourceIn(c *pb.Configuration, id string) *pb.Resource {
	i := slices.IndexFunc(c.Resources, func(r *pb.Resource) bool { return r.Id == id })
	if i < 0 {
		return nil
	}
	return c.Resources[i]
}

// meta offers the options of a resource or group one by one.
func (t *translator) meta(e *element, r engine.Resource, of func(*pb.Configuration) *map[string]string) {
	merged := t.merge("meta_attributes", r.Meta)
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		set := setting(of, name, merged[name])
		id := t.pairID(e, name)
		if id == "" {
			id = t.pairID(t.d.templateOf(e), name)
		}
		t.offer("option "+name, id, "", func(c *pb.Configuration) string {
			if of(c) == nil {
				return r.ID + " was not taken"
			}
			return set(c)
		})
	}
}

// operation offers an operation. What only says when a monitor begins is left
// out, as the monitor itself matters more.
func (t *translator) operation(resource string, op *engine.Operation) {
	options := t.merge("meta_attributes", op.Meta)
	maps.Copy(options, t.merge("instance_attributes", op.Parameters)) // OCF_CHECK_LEVEL
	for _, v := range op.Options {
		options[v.Name] = v.Value
	}
	enabled, known := options["enabled"]
	if known && !isTrue(enabled) {
		t.leave("op", op.ID, "it is switched off")
		return
	}
	var lost []string
	for _, name := range []string{"interval-origin", "description"} {
		if v, set := options[name]; set && v != "0" && v != "0s" {
			lost = append(lost, name)
		}
		delete(options, name)
	}
	spec := &pb.OperationSpec{Name: op.Name}
	problem := durations(spec, op.Interval, options["timeout"])
	delete(options, "timeout")
	spec.Options = options
	note := ""
	if len(lost) > 0 {
		note = "without " + strings.Join(lost, " and ")
	}
	if problem != "" {
		t.leave("op", op.ID, problem)
		return
	}
	t.offer("op", op.ID, note, func(c *pb.Configuration) string {
		r := resourceIn(c, resource)
		if r == nil {
			return resource + " was not taken"
		}
		r.Operations = append(r.Operations, &pb.OperationSpec{
			Name: spec.Name, Interval: spec.Interval, Timeout: spec.Timeout, Options: maps.Clone(spec.Options),
		})
		return ""
	})
}

// durations reads an operation's interval and timeout; zero is as good as none.
func durations(spec *pb.OperationSpec, interval, timeout string) (problem string) {
	for _, d := range []struct {
		text string
		into **durationpb.Duration
	}{{interval, &spec.Interval}, {timeout, &spec.Timeout}} {
		if d.text == "" {
			continue
		}
		value, err := state.ParseDuration(d.text)
		if err != nil {
			return err.Error()
		}
		if value > 0 {
			*d.into = durationpb.New(value)
		}
	}
	return ""
}

// group offers the members of a group, then the group of those that were taken.
func (t *translator) group(e *element) {
	r := t.d.resource(e)
	var members []string
	for _, member := range t.d.children(e) {
		if member.name != "primitive" {
			t.leaveWhole(member, strangeKinds[member.name])
			continue
		}
		t.primitive(member)
		members = append(members, member.id())
	}
	t.offer("group", r.ID, "", nil)
	p := t.pieces[len(t.pieces)-1]
	p.add = func(c *pb.Configuration) string {
		taken := slices.DeleteFunc(slices.Clone(members), func(id string) bool { return resourceIn(c, id) == nil })
		p.Verdict, p.Note = Taken, ""
		switch {
		case len(taken) == 0:
			return "none of its members was taken"
		case len(taken) < len(members):
			p.Verdict, p.Note = Approximated, fmt.Sprintf("with %d of its %d members", len(taken), len(members))
		}
		c.Groups = append(c.Groups, &pb.Group{Id: r.ID, Members: taken})
		return ""
	}
	t.meta(e, r, func(c *pb.Configuration) *map[string]string {
		i := slices.IndexFunc(c.Groups, func(g *pb.Group) bool { return g.Id == r.ID })
		if i < 0 {
			return nil
		}
		return &c.Groups[i].Meta
	})
}
