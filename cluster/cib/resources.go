package cib

import (
	"strings"

	"quorate/cluster/scheduler/engine"
)

// resourceTree returns the resources as they are nested, templates applied.
func (d *Document) resourceTree() []engine.Resource {
	elements := d.children(d.section("resources"))
	list := make([]engine.Resource, 0, len(elements))
	for _, e := range elements {
		list = append(list, d.resource(e))
	}
	return list
}

// children returns the resources directly in an element, in their order.
func (d *Document) children(e *element) []*element {
	var list []*element
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if isResource(c.name) && c.id() != "" && !d.gone(c) {
			list = append(list, c)
		}
	}
	return list
}

func (d *Document) resource(e *element) engine.Resource {
	parts := []*element{e}
	if t := d.templateOf(e); t != nil {
		parts = []*element{t, e}
	}
	r := engine.Resource{ID: e.id()}
	for _, part := range parts {
		r.Meta = append(r.Meta, renamed(d.blocks(part, "meta_attributes"), metaNames)...)
		r.Parameters = append(r.Parameters, d.blocks(part, "instance_attributes")...)
		r.Utilization = append(r.Utilization, d.blocks(part, "utilization")...)
	}
	switch e.name {
	case "primitive":
		kind := parts[0]
		r.Class, r.Provider, r.Type = kind.attr("class"), kind.attr("provider"), kind.attr("type")
		r.Operations = d.operations(parts)
	case "group":
		r.Kind = engine.Group
	case "master":
		r.Kind = engine.Clone
		r.Meta = append(r.Meta, engine.Block{ID: e.id() + "-promotable", Score: "INFINITY", Values: []engine.Value{{Name: "promotable", Value: "true"}}})
	case "clone":
		r.Kind = engine.Clone
	}
	if own := ownAttributes(e); len(own) > 0 {
		r.Meta = append(r.Meta, engine.Block{ID: e.id(), Score: "INFINITY", Values: own})
	}
	for _, c := range d.children(e) {
		r.Members = append(r.Members, d.resource(c))
		if r.Kind == engine.Clone {
			break // one only
		}
	}
	return r
}

// templateOf returns the template of a resource; nil: it has none.
func (d *Document) templateOf(e *element) *element {
	if t := e.attr("template"); t != "" && e.name == "primitive" {
		return d.named("template", t)
	}
	return nil
}

// operations returns the operations of a resource and those of its template
// that it does not replace.
func (d *Document) operations(parts []*element) []engine.Operation {
	var own []*element
	var list []engine.Operation
	for i := len(parts) - 1; i >= 0; i-- {
		ops := d.resolve(parts[i].first("operations"))
		for op := range ops.all("op") {
			if i < len(parts)-1 && replaced(op, own) {
				continue
			}
			if i == len(parts)-1 {
				own = append(own, op)
			}
			list = append(list, d.operation(op))
		}
	}
	return list
}

// replaced reports whether one of some operations takes the place of a
// template's, which goes by the name and the role.
func replaced(op *element, by []*element) bool {
	for _, o := range by {
		if o.attr("name") == op.attr("name") && operationRole(o) == operationRole(op) {
			return true
		}
	}
	return false
}

func operationRole(op *element) string {
	switch role := strings.ToLower(op.attr("role")); role {
	case "started", "unpromoted", "slave":
		return ""
	case "master":
		return "promoted"
	default:
		return role
	}
}

func (d *Document) operation(e *element) engine.Operation {
	op := engine.Operation{
		ID: e.id(), Name: e.attr("name"), Interval: e.attr("interval"),
		Meta:       d.blocks(e, "meta_attributes"),
		Parameters: d.blocks(e, "instance_attributes"),
	}
	for _, a := range e.attrs {
		switch name := a.name; name {
		case "id", "name", "interval":
		default:
			op.Options = append(op.Options, engine.Value{Name: name, Value: a.value})
		}
	}
	return op
}

// ownAttributes returns the attributes of a resource's element that are options:
// so the first schemas wrote some, and they win.
func ownAttributes(e *element) []engine.Value {
	var values []engine.Value
	for _, a := range e.attrs {
		switch name := a.name; name {
		case "id", "class", "provider", "type", "template", "description":
		default:
			values = append(values, engine.Value{Name: name, Value: a.value})
		}
	}
	return values
}
