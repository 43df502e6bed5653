package cib

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/constraint"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func (x *exporter) constraints() *element {
	section := node("constraints")
	for _, c := range x.state.Constraints {
		kind, e := x.constraint(c)
		names := constraint.Names(c)
		missing := slices.IndexFunc(names, func(id string) bool { return !x.written[id] })
		if missing >= 0 {
			x.left(kind, c.Id, names[missing]+" is not written")
			continue
		}
		x.took(kind, c.Id)
		section.add(e)
	}
	return section
}

func (x *exporter) constraint(c *pb.Constraint) (kind string, e *element) {
	switch k := c.Kind.(type) {
	case *pb.Constraint_Location:
		return "rsc_location", x.location(c.Id, k.Location)
	case *pb.Constraint_Colocation:
		return "rsc_colocation", x.colocation(c.Id, k.Colocation)
	default:
		return "rsc_order", x.order(c.Id, c.GetOrder())
	}
}

func (x *exporter) location(id string, l *pb.Location) *element {
	e := node("rsc_location", "id", id, "rsc", l.Resource)
	if l.Discovery != pb.Discovery_DISCOVERY_ALWAYS {
		e.set("resource-discovery", lowerName(l.Discovery.String(), "DISCOVERY_"))
	}
	if l.Rule == nil {
		e.role("role", l.Role)
		e.set("node", l.Node)
		e.set("score", state.FormatScore(l.Score))
		return e
	}
	r := x.rule(id, l.Rule)
	r.role("role", l.Role)
	if l.ScoreAttribute != "" {
		r.set("score-attribute", l.ScoreAttribute)
	} else {
		r.set("score", state.FormatScore(l.Score))
	}
	return e.add(r)
}

func (x *exporter) rule(owner string, r *pb.Rule) *element {
	word := "and"
	if r.Any {
		word = "or"
	}
	e := node("rule", "id", x.id(owner, "rule"), "boolean-op", word)
	for _, c := range r.Conditions {
		switch k := c.Kind.(type) {
		case *pb.Condition_Rule:
			e.add(x.rule(owner, k.Rule))
		case *pb.Condition_Date:
			e.add(x.date(owner, k.Date))
		default:
			e.add(x.attribute(owner, c.GetAttribute()))
		}
	}
	return e
}

func (x *exporter) attribute(owner string, a *pb.AttributeCondition) *element {
	e := node("expression", "id", x.id(owner, "expr"), "attribute", a.GetAttribute(), "operation", lowerName(a.GetComparison().String(), "COMPARISON_"))
	if a.GetType() != pb.ValueType_VALUE_TYPE_UNSPECIFIED {
		e.set("type", lowerName(a.Type.String(), "VALUE_TYPE_"))
	}
	if a.GetComparison() > pb.Comparison_COMPARISON_NOT_DEFINED {
		e.set("value", a.Value)
	}
	return e
}

func (x *exporter) date(owner string, d *pb.DateCondition) *element {
	operation := lowerName(d.Operation.String(), "DATE_OPERATION_")
	if d.Operation == pb.DateOperation_DATE_OPERATION_SPEC {
		operation = "date_spec"
	}
	e := node("date_expression", "id", x.id(owner, "expr"), "operation", operation)
	for _, part := range []struct{ name, value string }{{"start", d.Start}, {"end", d.End}} {
		if part.value != "" {
			e.set(part.name, part.value)
		}
	}
	return e.add(x.parts("duration", owner, d.Duration), x.parts("date_spec", owner, d.Spec))
}

// parts writes the parts of a time as attributes; nil: there are none.
func (x *exporter) parts(name, owner string, parts map[string]string) *element {
	if len(parts) == 0 {
		return nil
	}
	e := node(name, "id", x.id(owner, name))
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		e.set(part, parts[part])
	}
	return e
}

func (x *exporter) colocation(id string, c *pb.Colocation) *element {
	e := node("rsc_colocation", "id", id, "score", state.FormatScore(c.Score))
	if c.NodeAttribute != "" {
		e.set("node-attribute", c.NodeAttribute)
	}
	if c.Influence != nil {
		e.set("influence", strconv.FormatBool(*c.Influence))
	}
	if len(c.Sets) == 0 {
		e.set("rsc", c.Resource)
		e.set("with-rsc", c.With)
		e.role("rsc-role", c.Role)
		e.role("with-rsc-role", c.WithRole)
	}
	return x.sets(e, id, c.Sets, false)
}

func (x *exporter) order(id string, o *pb.Order) *element {
	e := node("rsc_order", "id", id)
	if len(o.Sets) == 0 {
		e.set("first", o.First)
		e.set("then", o.Then)
		if o.FirstAction+o.ThenAction != 0 {
			e.set("first-action", constraint.ActionWord(o.FirstAction))
			e.set("then-action", constraint.ActionWord(o.ThenAction))
		}
	}
	e.set("kind", orderWord(o.Kind))
	if o.Asymmetrical {
		e.set("symmetrical", "false")
	}
	if o.AnyInstance {
		e.set("require-all", "false")
	}
	return x.sets(e, id, o.Sets, true)
}

// sets adds resource sets to a constraint; those of orders have actions.
func (x *exporter) sets(e *element, owner string, sets []*pb.ResourceSet, ordered bool) *element {
	for _, s := range sets {
		set := node("resource_set", "id", x.id(owner, "set"))
		set.role("role", s.Role)
		set.set("sequential", strconv.FormatBool(!s.Parallel))
		if ordered {
			set.set("action", constraint.ActionWord(s.Action))
			set.set("require-all", strconv.FormatBool(!s.Any))
		}
		for _, r := range s.Resources {
			set.add(node("resource_ref", "id", r))
		}
		e.add(set)
	}
	return e
}

// role writes a role, unless it is any.
func (e *element) role(name string, r pb.InstanceRole) {
	if word := constraint.RoleWord(r); word != "" {
		e.set(name, word)
	}
}

func orderWord(k pb.OrderKind) string {
	switch k {
	case pb.OrderKind_ORDER_KIND_OPTIONAL:
		return "Optional"
	case pb.OrderKind_ORDER_KIND_SERIALIZE:
		return "Serialize"
	default:
		return "Mandatory"
	}
}

// lowerName writes the name of an enum's value as Pacemaker does.
func lowerName(name, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(name, prefix))
}
