package constraint

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	pb "quorate/proto/quorate/v1"
)

// RuleText writes a rule as pcs has it.
func RuleText(r *pb.Rule) string { return strings.Join(RuleWords(r), " ") }

// RuleWords writes a rule as words of a command line.
func RuleWords(r *pb.Rule) []string {
	between := "and"
	if r.GetAny() {
		between = "or"
	}
	var words []string
	for i, c := range r.GetConditions() {
		if i > 0 {
			words = append(words, between)
		}
		words = append(words, conditionWords(c)...)
	}
	return words
}

func conditionWords(c *pb.Condition) []string {
	switch k := c.GetKind().(type) {
	case *pb.Condition_Rule:
		return append(append([]string{"("}, RuleWords(k.Rule)...), ")")
	case *pb.Condition_Date:
		return dateWords(k.Date)
	default:
		return attributeWords(c.GetAttribute())
	}
}

func attributeWords(a *pb.AttributeCondition) []string {
	operation := word(a.GetComparison().String(), "COMPARISON_")
	if a.GetComparison() <= pb.Comparison_COMPARISON_NOT_DEFINED {
		return []string{operation, quoted(a.GetAttribute())}
	}
	words := []string{quoted(a.GetAttribute()), operation}
	if a.GetType() != pb.ValueType_VALUE_TYPE_UNSPECIFIED {
		words = append(words, word(a.GetType().String(), "VALUE_TYPE_"))
	}
	return append(words, quoted(a.GetValue()))
}

func dateWords(d *pb.DateCondition) []string {
	switch d.GetOperation() {
	case pb.DateOperation_DATE_OPERATION_GT:
		return []string{"date", "gt", quoted(d.GetStart())}
	case pb.DateOperation_DATE_OPERATION_LT:
		return []string{"date", "lt", quoted(d.GetEnd())}
	case pb.DateOperation_DATE_OPERATION_SPEC:
		return append([]string{"date-spec"}, pairs(d.GetSpec())...)
	default:
		return rangeWords(d)
	}
}

func rangeWords(d *pb.DateCondition) []string {
	words := []string{"date", "in_range"}
	if d.GetStart() != "" {
		words = append(words, quoted(d.GetStart()))
	}
	words = append(words, "to")
	if len(d.GetDuration()) > 0 {
		return append(append(words, "duration"), pairs(d.GetDuration())...)
	}
	return append(words, quoted(d.GetEnd()))
}

// reserved are the words of the grammar of expressions.
var reserved = []string{
	"and", "or", "defined", "not_defined", "date", "date-spec", "in_range", "to", "duration",
	"string", "integer", "number", "version",
}

// quoted writes a name or a value so that it is read as one.
func quoted(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, unicode.IsSpace) && !strings.ContainsAny(s, `()"'`) && !slices.Contains(reserved, s)
	switch {
	case plain:
		return s
	case strings.Contains(s, `"`):
		return "'" + s + "'"
	}
	return `"` + s + `"`
}

// pairs writes NAME=VALUE by name.
func pairs(m map[string]string) []string {
	words := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		words = append(words, name+"="+m[name])
	}
	return words
}

// word writes the name of an enum's value as people do.
func word(name, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(name, prefix))
}
