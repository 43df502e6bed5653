package cib

import (
	"slices"
	"strings"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// rulePlace says a rule of a location in Quorate's words; its resource is left
// open.
func (t *translator) rulePlace(rule *engine.Rule) (place *pb.Location, problem string) {
	role, problem := roleOf(rule.Role)
	if problem != "" {
		return nil, problem
	}
	place = &pb.Location{ScoreAttribute: rule.ScoreAttribute, Role: role}
	if rule.ScoreAttribute == "" {
		score, err := state.ParseScore(rule.Score)
		if err != nil {
			return nil, err.Error()
		}
		place.Score = score
	} else if problem := t.attributeProblem(rule.ScoreAttribute); problem != "" {
		return nil, problem
	}
	place.Rule, problem = t.ruleOf(rule)
	return place, problem
}

func (t *translator) ruleOf(rule *engine.Rule) (r *pb.Rule, problem string) {
	r = &pb.Rule{Any: rule.Or}
	for i := range rule.Conditions {
		c, problem := t.conditionOf(&rule.Conditions[i])
		if problem != "" {
			return nil, problem
		}
		r.Conditions = append(r.Conditions, c)
	}
	return r, ""
}

func (t *translator) conditionOf(c *engine.Condition) (*pb.Condition, string) {
	switch {
	case c.Rule != nil:
		r, problem := t.ruleOf(c.Rule)
		return &pb.Condition{Kind: &pb.Condition_Rule{Rule: r}}, problem
	case c.Attribute != nil:
		a, problem := t.attributeOf(c.Attribute)
		return &pb.Condition{Kind: &pb.Condition_Attribute{Attribute: a}}, problem
	case c.Date != nil:
		d, problem := dateOf(c.Date)
		return &pb.Condition{Kind: &pb.Condition_Date{Date: d}}, problem
	}
	return nil, "a location by the type of a resource or an operation is not available in Quorate"
}

func (t *translator) attributeOf(x *engine.AttributeCondition) (*pb.AttributeCondition, string) {
	if x.ValueSource != "" && !strings.EqualFold(x.ValueSource, "literal") {
		return nil, "rules that compare with value-source=" + x.ValueSource + " are not available in this version"
	}
	comparison, ok := pb.Comparison_value["COMPARISON_"+strings.ToUpper(x.Operation)]
	if !ok || comparison == 0 {
		return nil, "a rule cannot be read, and holds never"
	}
	kind, ok := pb.ValueType_value["VALUE_TYPE_"+strings.ToUpper(x.Type)]
	if x.Type != "" && !ok {
		return nil, "there is no type " + x.Type + " of values"
	}
	a := &pb.AttributeCondition{Attribute: x.Attribute, Comparison: pb.Comparison(comparison), Value: x.Value, Type: pb.ValueType(kind)}
	if a.Attribute == "#id" && (x.Operation == "eq" || x.Operation == "ne") {
		return a, t.byName(a)
	}
	return a, t.attributeProblem(a.Attribute)
}

// byName lets a comparison with a node's id, which is another one here, be one
// with its name.
func (t *translator) byName(a *pb.AttributeCondition) (problem string) {
	for n := range t.d.section("nodes").all("node") {
		if n.id() == a.Value {
			a.Attribute, a.Value = "#uname", n.attr("uname")
			return ""
		}
	}
	return "there is no node with the id " + a.Value
}

const noAgentAttributes = "rules on attributes that agents set are not available in this version"

// attributeProblem says why a rule on an attribute cannot be taken: what an agent
// sets would be missing on all nodes.
func (t *translator) attributeProblem(name string) string {
	switch {
	case slices.Contains(t.pings(), name):
		return noAgentAttributes + "; instead of a ping resource set the property quorum.ping"
	case t.transient(name):
		return noAgentAttributes
	}
	return ""
}

// pings returns the attributes that ping resources set: by the parameter name.
func (t *translator) pings() []string {
	names := []string{"pingd"}
	for e := range t.d.section("resources").descendants() {
		if kind := e.attr("type"); kind != "ping" && kind != "pingd" {
			continue
		}
		for _, b := range t.d.resource(e).Parameters {
			for _, v := range b.Values {
				if v.Name == "name" {
					names = append(names, v.Value)
				}
			}
		}
	}
	return names
}

// transient reports whether a node's status has an attribute that its
// configuration has not.
func (t *translator) transient(name string) bool {
	has := func(blocks []engine.Block) bool {
		return slices.ContainsFunc(blocks, func(b engine.Block) bool {
			return slices.ContainsFunc(b.Values, func(v engine.Value) bool { return v.Name == name })
		})
	}
	set := false
	for _, n := range t.d.nodes() {
		if has(n.Attributes) {
			return false
		}
		set = set || has(n.Transient)
	}
	return set
}

func dateOf(x *engine.DateCondition) (*pb.DateCondition, string) {
	operation, ok := map[string]pb.DateOperation{
		"": pb.DateOperation_DATE_OPERATION_IN_RANGE, "in_range": pb.DateOperation_DATE_OPERATION_IN_RANGE,
		"gt": pb.DateOperation_DATE_OPERATION_GT, "lt": pb.DateOperation_DATE_OPERATION_LT,
		"date_spec": pb.DateOperation_DATE_OPERATION_SPEC,
	}[strings.ToLower(x.Operation)]
	if !ok {
		return nil, "a date of a rule cannot be read, and holds never"
	}
	d := &pb.DateCondition{Operation: operation}
	switch operation {
	case pb.DateOperation_DATE_OPERATION_GT:
		d.Start = x.Start
	case pb.DateOperation_DATE_OPERATION_LT:
		d.End = x.End
	case pb.DateOperation_DATE_OPERATION_SPEC:
		d.Spec = x.Spec
	default:
		d.Start, d.End = x.Start, x.End
		if d.End == "" {
			d.Duration = x.Duration
		}
	}
	return d, ""
}
