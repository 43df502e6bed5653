package scheduler

import (
	"fmt"
	"strings"
	"time"

	"quorate/cluster/calendar"
	"quorate/cluster/constraint"
	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// engineRule says a rule to the engine, which knows what it means. Its id is that
// of its constraint, which people know.
func engineRule(id string, l *pb.Location) engine.Rule {
	r := *ruleOf(l.Rule)
	r.ID, r.ScoreAttribute, r.Role = id, l.ScoreAttribute, constraint.RoleWord(l.Role)
	if l.ScoreAttribute == "" {
		r.Score = scoreText(l.Score)
	}
	return r
}

func ruleOf(r *pb.Rule) *engine.Rule {
	e := &engine.Rule{Or: r.GetAny()}
	for _, c := range r.GetConditions() {
		switch k := c.Kind.(type) {
		case *pb.Condition_Rule:
			e.Conditions = append(e.Conditions, engine.Condition{Rule: ruleOf(k.Rule)})
		case *pb.Condition_Date:
			e.Conditions = append(e.Conditions, engine.Condition{Date: dateOf(k.Date)})
		case *pb.Condition_Attribute:
			e.Conditions = append(e.Conditions, engine.Condition{Attribute: attributeOf(k.Attribute)})
		default:
			e.Conditions = append(e.Conditions, engine.Condition{}) // of another build: it never holds
		}
	}
	return e
}

func attributeOf(a *pb.AttributeCondition) *engine.AttributeCondition {
	e := &engine.AttributeCondition{Attribute: a.Attribute, Operation: word(a.Comparison.String(), "COMPARISON_"), Value: a.Value}
	if a.Type != pb.ValueType_VALUE_TYPE_UNSPECIFIED {
		e.Type = word(a.Type.String(), "VALUE_TYPE_")
	}
	return e
}

func dateOf(d *pb.DateCondition) *engine.DateCondition {
	e := &engine.DateCondition{Operation: word(d.Operation.String(), "DATE_OPERATION_"), Start: d.Start, End: d.End}
	if d.Operation == pb.DateOperation_DATE_OPERATION_SPEC {
		e.Operation, e.Spec = "date_spec", d.Spec
	}
	if len(d.Duration) > 0 {
		e.Duration = d.Duration
	}
	return e
}

// word is the name of an enum's value as Pacemaker writes it.
func word(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

// ruleText says what a rule makes of the nodes for which it holds.
func ruleText(l *pb.Location) string {
	verb := "prefers"
	if l.Score < 0 {
		verb = "avoids"
	}
	text := fmt.Sprintf("%s %s nodes where %s", l.Resource, verb, constraint.RuleText(l.Rule))
	if l.ScoreAttribute != "" {
		text = fmt.Sprintf("%s goes by %s where %s", l.Resource, l.ScoreAttribute, constraint.RuleText(l.Rule))
	}
	return text
}

// wakeFor notes when the answer of a rule may change by time alone.
func (g *graph) wakeFor(r *pb.Rule) {
	for _, c := range r.GetConditions() {
		g.wakeFor(c.GetRule())
		if d := c.GetDate(); d != nil {
			for _, at := range changesOf(d, g.now) {
				g.wake(at)
			}
		}
	}
}

// changesOf returns the times at which the answer of a date may change: just
// after a bound that is itself within, or not yet beyond.
func changesOf(d *pb.DateCondition, now time.Time) []time.Time {
	if d.Operation == pb.DateOperation_DATE_OPERATION_SPEC {
		return []time.Time{calendar.Spec(d.Spec).Next(now)}
	}
	var list []time.Time
	start, starts := calendar.Parse(d.Start)
	if starts {
		list = append(list, start, start.Add(time.Millisecond))
	}
	if end, ok := calendar.Parse(d.End); ok {
		list = append(list, end, end.Add(time.Millisecond))
	}
	if period, err := calendar.ParsePeriod(d.Duration); err == nil && starts {
		list = append(list, period.After(start).Add(time.Millisecond))
	}
	return list
}
