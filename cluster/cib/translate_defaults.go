package cib

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Defaults may depend on a rule about the type of a resource or the name of an
// operation ("Rules": "Using Rules to Set Options"). Quorate has none such: they
// are written out in the resources that they are about.

// defaults offers the defaults that always hold.
func (t *translator) defaults(section string, once map[string]string, kind string, of func(*pb.Configuration) *map[string]string) {
	e := t.d.section(section)
	always := slices.DeleteFunc(t.d.defaults(section, once), func(b engine.Block) bool { return b.Rule != nil })
	merged := t.merge("meta_attributes", always)
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		t.offer(kind+" "+name, t.pairID(e, name), "", setting(of, name, merged[name]))
	}
}

// typedDefaults offers those that depend on a rule. Of several that set one
// option the first written out wins, so the greatest score comes first.
func (t *translator) typedDefaults() {
	for _, b := range t.ruled("rsc_defaults", movedToResources) {
		t.writeOut("resource default", b, func(r *pb.Resource, g *pb.Group, v engine.Value) {
			if _, own := r.Meta[v.Name]; !own && g.GetMeta()[v.Name] == "" && typeHolds(b.Rule, r.Agent, nil) {
				put(&r.Meta, v.Name, v.Value)
			}
		})
	}
	for _, b := range t.ruled("op_defaults", movedToOperations) {
		t.writeOut("operation default", b, func(r *pb.Resource, _ *pb.Group, v engine.Value) { writeOperations(b.Rule, r, v) })
	}
}

// ruled returns the defaults of a section that depend on a rule, if nothing that
// always holds outweighs them.
func (t *translator) ruled(section string, once map[string]string) (blocks []engine.Block) {
	all := t.d.defaults(section, once)
	for _, b := range all {
		outweighed := func(v engine.Value) bool {
			return slices.ContainsFunc(all, func(other engine.Block) bool {
				return other.Rule == nil && blockScore(other) > blockScore(b) && sets(other, v.Name)
			})
		}
		if b.Rule != nil {
			b.Values = slices.DeleteFunc(slices.Clone(b.Values), outweighed)
			blocks = append(blocks, b)
		}
	}
	slices.Reverse(blocks)
	slices.SortStableFunc(blocks, func(a, b engine.Block) int { return int(blockScore(b) - blockScore(a)) })
	return blocks
}

func sets(b engine.Block, name string) bool {
	return slices.ContainsFunc(b.Values, func(v engine.Value) bool { return v.Name == name })
}

// writeOut offers one option after the other of a block, each for all resources.
func (t *translator) writeOut(kind string, b engine.Block, set func(*pb.Resource, *pb.Group, engine.Value)) {
	if !isTyped(b.Rule) {
		t.leave("meta_attributes", b.ID, "options that depend on a rule about a node or the time are not available in this version")
		return
	}
	for _, v := range b.Values {
		t.offer(kind+" "+v.Name, b.ID, "written out: the resources that its rule is about have it", func(c *pb.Configuration) string {
			for _, r := range c.Resources {
				i := slices.IndexFunc(c.Groups, func(g *pb.Group) bool { return slices.Contains(g.Members, r.Id) })
				var group *pb.Group
				if i >= 0 {
					group = c.Groups[i]
				}
				set(r, group, v)
			}
			return ""
		})
	}
}

// isTyped reports whether a rule asks for nothing but types and operations.
func isTyped(r *engine.Rule) bool {
	return !slices.ContainsFunc(r.Conditions, func(c engine.Condition) bool {
		return c.Resource == nil && c.Operation == nil && (c.Rule == nil || !isTyped(c.Rule))
	})
}

// typeHolds evaluates such a rule for a resource with an agent and, if there is
// one, its operation.
func typeHolds(r *engine.Rule, agent string, op *pb.OperationSpec) bool {
	for _, c := range r.Conditions {
		if conditionHolds(&c, agent, op) == r.Or {
			return r.Or
		}
	}
	return !r.Or || len(r.Conditions) == 0
}

func conditionHolds(c *engine.Condition, agent string, op *pb.OperationSpec) bool {
	switch {
	case c.Rule != nil:
		return typeHolds(c.Rule, agent, op)
	case c.Operation != nil:
		return op != nil && c.Operation.Name == op.Name && (c.Operation.Interval == "" || isInterval(c.Operation.Interval, op))
	}
	parts := strings.Split(agent, ":")
	provider := ""
	if len(parts) > 2 {
		provider = parts[1]
	}
	is := func(want, have string) bool { return want == "" || want == have }
	return is(c.Resource.Class, parts[0]) && is(c.Resource.Provider, provider) && is(c.Resource.Type, parts[len(parts)-1])
}

func isInterval(text string, op *pb.OperationSpec) bool {
	d, err := state.ParseDuration(text)
	return err == nil && d == op.Interval.AsDuration()
}

// writeOperations writes a default into the operations that a rule is about.
// Starts and stops are there although nobody wrote them.
func writeOperations(rule *engine.Rule, r *pb.Resource, v engine.Value) {
	for _, name := range []string{"start", "stop"} {
		implied := &pb.OperationSpec{Name: name}
		written := slices.ContainsFunc(r.Operations, func(o *pb.OperationSpec) bool { return o.Name == name })
		if !written && typeHolds(rule, r.Agent, implied) {
			r.Operations = append(r.Operations, implied)
		}
	}
	for _, o := range r.Operations {
		if !typeHolds(rule, r.Agent, o) {
			continue
		}
		if v.Name != "timeout" {
			if _, own := o.Options[v.Name]; !own {
				put(&o.Options, v.Name, v.Value)
			}
		} else if d, err := state.ParseDuration(v.Value); err == nil && d > 0 && o.Timeout == nil {
			o.Timeout = durationpb.New(max(d, time.Millisecond))
		}
	}
}

func put(m *map[string]string, name, value string) {
	if *m == nil {
		*m = make(map[string]string)
	}
	(*m)[name] = value
}
