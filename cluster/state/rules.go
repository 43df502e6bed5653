package state

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"quorate/cluster/calendar"
	pb "quorate/proto/quorate/v1"
)

// The bounds of a rule. Nobody writes longer ones by hand, and each is looked at
// for every node at every plan.
const (
	deepestRule     = 8
	mostConditions  = 64
	longestRuleText = 255
)

// canonicalRule checks a rule and returns it as the state keeps it: a part that
// has one condition only is that condition.
func canonicalRule(r *pb.Rule) (*pb.Rule, error) {
	total := 0
	kept, err := canonicalPart(r, 1, &total)
	if err != nil {
		return nil, err
	}
	if inner := kept.Conditions[0].GetRule(); len(kept.Conditions) == 1 && inner != nil {
		return inner, nil
	}
	return kept, nil
}

func canonicalPart(r *pb.Rule, depth int, total *int) (*pb.Rule, error) {
	if len(r.GetConditions()) == 0 {
		return nil, refuse(Invalid, "rule", "write for example not_defined pingd or pingd lt 1", "it has no conditions")
	}
	if depth > deepestRule {
		return nil, refuse(Invalid, "rule", "say it with fewer parentheses", "it has more than %d levels", deepestRule)
	}
	kept := &pb.Rule{Any: r.Any && len(r.Conditions) > 1}
	for _, c := range r.Conditions {
		if *total++; *total > mostConditions {
			return nil, refuse(Invalid, "rule", "make two of it", "it has more than %d conditions", mostConditions)
		}
		condition, err := canonicalCondition(c, depth, total)
		if err != nil {
			return nil, err
		}
		kept.Conditions = append(kept.Conditions, condition)
	}
	return kept, nil
}

func canonicalCondition(c *pb.Condition, depth int, total *int) (*pb.Condition, error) {
	switch k := c.GetKind().(type) {
	case *pb.Condition_Rule:
		r, err := canonicalPart(k.Rule, depth+1, total)
		if err != nil {
			return nil, err
		}
		if len(r.Conditions) == 1 {
			return r.Conditions[0], nil
		}
		return &pb.Condition{Kind: &pb.Condition_Rule{Rule: r}}, nil
	case *pb.Condition_Attribute:
		return c, checkAttribute(k.Attribute)
	case *pb.Condition_Date:
		return c, checkDate(k.Date)
	default:
		return nil, refuse(Invalid, "rule", "compare a node's attribute or the time", "it has a condition that this version does not know")
	}
}

// checkAttribute refuses what compares nothing, or something that can never be
// equal or greater.
func checkAttribute(a *pb.AttributeCondition) error {
	field := "rule, attribute " + a.Attribute
	_, known := pb.ValueType_name[int32(a.Type)]
	switch a.Comparison {
	case pb.Comparison_COMPARISON_DEFINED, pb.Comparison_COMPARISON_NOT_DEFINED:
		if a.Value != "" || a.Type != pb.ValueType_VALUE_TYPE_UNSPECIFIED {
			return refuse(Invalid, field, "leave the value out, or write eq", "defined and not_defined take no value")
		}
	case pb.Comparison_COMPARISON_EQ, pb.Comparison_COMPARISON_NE, pb.Comparison_COMPARISON_LT,
		pb.Comparison_COMPARISON_LTE, pb.Comparison_COMPARISON_GT, pb.Comparison_COMPARISON_GTE:
		if !known || !isOfType(a.Value, a.Type) {
			return refuse(Invalid, field, "", "%q is no %s", a.Value, strings.ToLower(strings.TrimPrefix(a.Type.String(), "VALUE_TYPE_")))
		}
	default:
		return refuse(Invalid, field, "use eq, ne, lt, lte, gt, gte, defined or not_defined", "it is not compared")
	}
	switch {
	case a.Attribute == "":
		return refuse(Invalid, "rule", "name one, for example #uname", "a condition has no attribute")
	case strings.HasPrefix(a.Attribute, "#") && a.Attribute != "#uname":
		return refuse(Invalid, field, "use #uname or an attribute of your own", "nodes have no such attribute here")
	}
	for _, text := range []string{a.Attribute, a.Value} {
		if err := checkRuleText(field, text); err != nil {
			return err
		}
	}
	return nil
}

// checkRuleText refuses what no command line could say again.
func checkRuleText(field, text string) error {
	switch {
	case len(text) > longestRuleText:
		return refuse(Invalid, field, "", "it has more than %d letters", longestRuleText)
	case strings.ContainsFunc(text, unicode.IsControl):
		return refuse(Invalid, field, "", "%q has letters that cannot be printed", text)
	case strings.Contains(text, `"`) && strings.Contains(text, "'"):
		return refuse(Invalid, field, "use one kind of them", "%s has both kinds of quotes", text)
	}
	return nil
}

var (
	versionText = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*`)
	numberText  = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
)

func isOfType(value string, t pb.ValueType) (ok bool) {
	switch t {
	case pb.ValueType_VALUE_TYPE_INTEGER:
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case pb.ValueType_VALUE_TYPE_NUMBER:
		return numberText.MatchString(value)
	case pb.ValueType_VALUE_TYPE_VERSION:
		return versionText.MatchString(value)
	default:
		return true
	}
}

// checkDate refuses a condition on the time that is not whole, or says what has
// no effect.
func checkDate(d *pb.DateCondition) error {
	start, err := dateOf(d.Start)
	if err != nil {
		return err
	}
	end, err := dateOf(d.End)
	if err != nil {
		return err
	}
	switch d.Operation {
	case pb.DateOperation_DATE_OPERATION_GT:
		return onlyParts(d, d.Start != "", "date gt needs a date", "start")
	case pb.DateOperation_DATE_OPERATION_LT:
		return onlyParts(d, d.End != "", "date lt needs a date", "end")
	case pb.DateOperation_DATE_OPERATION_SPEC:
		if err := calendar.Spec(d.Spec).Check(); err != nil {
			return asRefusal("rule, date-spec", err)
		}
		return onlyParts(d, true, "", "spec")
	case pb.DateOperation_DATE_OPERATION_IN_RANGE:
		return checkDateRange(d, start, end)
	default:
		return refuse(Invalid, "rule, date", "use gt, lt, in_range or date-spec", "it is not compared")
	}
}

func checkDateRange(d *pb.DateCondition, start, end time.Time) error {
	if len(d.Duration) > 0 {
		if _, err := calendar.ParsePeriod(d.Duration); err != nil {
			return asRefusal("rule, duration", err)
		}
		return onlyParts(d, d.Start != "", "a duration needs a date at which it begins", "start", "duration")
	}
	if d.Start != "" && d.End != "" && end.Before(start) {
		return refuse(Invalid, "rule, date", "write the earlier date first", "%s is before %s", d.End, d.Start)
	}
	return onlyParts(d, d.Start+d.End != "", "in_range needs a date", "start", "end")
}

// onlyParts refuses a condition that is not whole, or has other parts than these.
func onlyParts(d *pb.DateCondition, whole bool, problem string, parts ...string) error {
	if !whole {
		return refuse(Invalid, "rule, date", dateExample, "%s", problem)
	}
	for _, part := range []struct {
		name  string
		given bool
	}{{"start", d.Start != ""}, {"end", d.End != ""}, {"duration", len(d.Duration) > 0}, {"spec", len(d.Spec) > 0}} {
		if part.given && !slices.Contains(parts, part.name) {
			return refuse(Invalid, "rule, date", "leave it out", "its %s has no effect", part.name)
		}
	}
	return nil
}

const dateExample = "write for example 2027-01-31 or 2027-01-31T12:00:00Z"

func dateOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, ok := calendar.Parse(text)
	if !ok {
		return t, asRefusal("rule, date", fmt.Errorf("%q is no date; %s", text, dateExample))
	}
	return t, nil
}
