package cib

import (
	"strings"

	"quorate/cluster/scheduler/engine"
)

// never is a rule that never holds: what stands for one that cannot be read.
// Its name is no attribute that a node can have.
func never(id string) *engine.Rule {
	return &engine.Rule{ID: id, Conditions: []engine.Condition{unknownCondition()}}
}

func unknownCondition() engine.Condition {
	return engine.Condition{Attribute: &engine.AttributeCondition{Operation: "unknown"}}
}

// rule returns a rule with its conditions.
func (d *Document) rule(e *element) *engine.Rule {
	return d.ruleWithin(e, make(map[*element]bool))
}

// ruleWithin reads a rule inside of others, none of which may be itself.
func (d *Document) ruleWithin(e *element, outer map[*element]bool) *engine.Rule {
	e = d.resolve(e)
	if e == nil || outer[e] {
		return never(e.id())
	}
	outer[e] = true
	defer delete(outer, e)
	r := &engine.Rule{
		ID:             e.id(),
		Score:          e.attr("score"),
		ScoreAttribute: e.attr("score-attribute"),
		Role:           e.attr("role"),
	}
	switch strings.ToLower(e.attr("boolean-op")) {
	case "", "and":
	case "or":
		r.Or = true
	default:
		r.Conditions = []engine.Condition{unknownCondition()}
		return r
	}
	for _, c := range e.children {
		r.Conditions = append(r.Conditions, d.condition(c, outer))
	}
	return r
}

func (d *Document) condition(e *element, outer map[*element]bool) engine.Condition {
	switch e.name {
	case "rule":
		return engine.Condition{Rule: d.ruleWithin(e, outer)}
	case "expression":
		return engine.Condition{Attribute: &engine.AttributeCondition{
			Attribute: e.attr("attribute"), Operation: e.attr("operation"),
			Value: e.attr("value"), Type: e.attr("type"), ValueSource: e.attr("value-source"),
		}}
	case "date_expression":
		return engine.Condition{Date: &engine.DateCondition{
			Operation: e.attr("operation"), Start: e.attr("start"), End: e.attr("end"),
			Spec: attributes(e.first("date_spec")), Duration: attributes(e.first("duration")),
		}}
	case "rsc_expression":
		return engine.Condition{Resource: &engine.ResourceCondition{
			Class: e.attr("class"), Provider: e.attr("provider"), Type: e.attr("type"),
		}}
	case "op_expression":
		return engine.Condition{Operation: &engine.OperationCondition{
			Name: e.attr("name"), Interval: e.attr("interval"),
		}}
	}
	return unknownCondition()
}

// attributes returns all attributes of an element but its id; nil: no element.
func attributes(e *element) map[string]string {
	if e == nil {
		return nil
	}
	m := make(map[string]string)
	for _, a := range e.attrs {
		if a.name != "id" {
			m[a.name] = a.value
		}
	}
	return m
}
