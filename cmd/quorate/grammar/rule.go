package grammar

import (
	"maps"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

const ruleUsage = "write for example not_defined pingd or pingd lt 1; rack eq 2; date gt 2027-01-01; date-spec hours=9-16"

// Rule reads an expression as pcs has it, "and" before "or":
//
//	defined|not_defined ATTRIBUTE
//	ATTRIBUTE lt|lte|gt|gte|eq|ne [string|integer|number|version] VALUE
//	date gt|lt DATE
//	date in_range [DATE] to DATE
//	date in_range DATE to duration NAME=NUMBER...
//	date-spec NAME=RANGE...
//	EXPRESSION and|or EXPRESSION
//	( EXPRESSION )
//
// What is in quotes is a name or a value.
func Rule(words []string) (*pb.Rule, error) {
	list, err := tokens(words)
	if err != nil {
		return nil, err
	}
	p := &ruleParser{rest: list}
	r, err := p.either()
	switch {
	case err != nil:
		return nil, err
	case len(p.rest) > 0 && p.rest[0].text == ")":
		return nil, Errorf("a ) has no ( before it").With("take it out")
	case len(p.rest) > 0:
		return nil, Errorf("%q stands where and, or or the end is expected", p.rest[0].text).With(ruleUsage)
	}
	return r, nil
}

// A ruleParser reads an expression, of which rest is not read yet.
type ruleParser struct{ rest []token }

// is reports whether the next token is a word of the grammar, and takes it.
func (p *ruleParser) is(words ...string) (string, bool) {
	if len(p.rest) == 0 || p.rest[0].literal || !slices.Contains(words, strings.ToLower(p.rest[0].text)) {
		return "", false
	}
	word := strings.ToLower(p.rest[0].text)
	p.rest = p.rest[1:]
	return word, true
}

// next takes a name or a value.
func (p *ruleParser) next(what string) (string, error) {
	if len(p.rest) == 0 {
		return "", Errorf("the rule ends where %s is expected", what).With(ruleUsage)
	}
	t := p.rest[0]
	if !t.literal && strings.Contains("()", t.text) {
		return "", Errorf("%q stands where %s is expected", t.text, what).With(ruleUsage)
	}
	p.rest = p.rest[1:]
	return t.text, nil
}

func (p *ruleParser) either() (*pb.Rule, error) { return p.joined("or", p.both) }

func (p *ruleParser) both() (*pb.Rule, error) {
	return p.joined("and", func() (*pb.Rule, error) {
		c, err := p.condition()
		return &pb.Rule{Conditions: []*pb.Condition{c}}, err
	})
}

// joined reads parts with a word between them. What is one part only is that.
func (p *ruleParser) joined(word string, part func() (*pb.Rule, error)) (*pb.Rule, error) {
	var parts []*pb.Condition
	for {
		r, err := part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, asCondition(r))
		if _, more := p.is(word); !more {
			break
		}
	}
	if only := parts[0].GetRule(); len(parts) == 1 && only != nil {
		return only, nil
	}
	return &pb.Rule{Any: word == "or" && len(parts) > 1, Conditions: parts}, nil
}

// asCondition returns a rule as a part of another.
func asCondition(r *pb.Rule) *pb.Condition {
	if len(r.GetConditions()) == 1 {
		return r.Conditions[0]
	}
	return &pb.Condition{Kind: &pb.Condition_Rule{Rule: r}}
}

func (p *ruleParser) condition() (*pb.Condition, error) {
	if _, ok := p.is("("); ok {
		r, err := p.either()
		if err != nil {
			return nil, err
		}
		if _, ok := p.is(")"); !ok {
			return nil, Errorf("a ( has no ) after it").With("write ) at the end of what belongs together")
		}
		return asCondition(r), nil
	}
	if _, ok := p.is("date-spec"); ok {
		spec, err := p.pairs("date-spec", "hours=9-16")
		return date(&pb.DateCondition{Operation: pb.DateOperation_DATE_OPERATION_SPEC, Spec: spec}), err
	}
	if _, ok := p.is("date"); ok {
		d, err := p.date()
		return date(d), err
	}
	a, err := p.attribute()
	return &pb.Condition{Kind: &pb.Condition_Attribute{Attribute: a}}, err
}

func date(d *pb.DateCondition) *pb.Condition {
	return &pb.Condition{Kind: &pb.Condition_Date{Date: d}}
}

func (p *ruleParser) attribute() (*pb.AttributeCondition, error) {
	if word, ok := p.is("defined", "not_defined"); ok {
		name, err := p.next("the name of an attribute")
		return &pb.AttributeCondition{Attribute: name, Comparison: comparisons[word]}, err
	}
	name, err := p.next("a condition")
	if err != nil {
		return nil, err
	}
	word, ok := p.is(comparing...)
	if !ok {
		return nil, p.noComparison(name)
	}
	a := &pb.AttributeCondition{Attribute: name, Comparison: comparisons[word]}
	if len(p.rest) > 1 {
		if word, ok := p.is(slices.Collect(maps.Keys(valueTypes))...); ok {
			a.Type = valueTypes[word]
		}
	}
	a.Value, err = p.next("a value")
	return a, err
}

func (p *ruleParser) noComparison(name string) error {
	if strings.Contains(name, "=") {
		return Errorf("%q is neither a condition nor an option of the rule", name).With("write ATTRIBUTE eq VALUE")
	}
	if len(p.rest) == 0 {
		return Errorf("the rule ends after %q", name).With("write defined %s, or %s eq VALUE", name, name)
	}
	return Errorf("%q compares nothing", p.rest[0].text).With("write one of %s", strings.Join(comparing, ", "))
}

func (p *ruleParser) date() (*pb.DateCondition, error) {
	word, ok := p.is("gt", "lt", "in_range")
	if !ok {
		return nil, Errorf("date is followed by none of gt, lt and in_range").With("write for example date gt 2027-01-01")
	}
	if word == "in_range" {
		return p.dateRange()
	}
	at, err := p.next("a date")
	if word == "lt" {
		return &pb.DateCondition{Operation: pb.DateOperation_DATE_OPERATION_LT, End: at}, err
	}
	return &pb.DateCondition{Operation: pb.DateOperation_DATE_OPERATION_GT, Start: at}, err
}

func (p *ruleParser) dateRange() (d *pb.DateCondition, err error) {
	d = &pb.DateCondition{Operation: pb.DateOperation_DATE_OPERATION_IN_RANGE}
	if _, open := p.is("to"); !open {
		if d.Start, err = p.next("a date"); err != nil {
			return nil, err
		}
		if _, ok := p.is("to"); !ok {
			return nil, Errorf(`date in_range has no "to"`).With("write date in_range DATE to DATE")
		}
	}
	if _, ok := p.is("duration"); ok {
		d.Duration, err = p.pairs("duration", "hours=5")
		return d, err
	}
	d.End, err = p.next("a date")
	return d, err
}

// pairs reads NAME=VALUE as long as there are any.
func (p *ruleParser) pairs(what, example string) (map[string]string, error) {
	var read map[string]string
	for len(p.rest) > 0 && !p.rest[0].literal && strings.Contains(p.rest[0].text, "=") {
		pair, err := SplitPair(what, p.rest[0].text)
		if err != nil {
			return nil, err
		}
		if _, twice := read[pair.Name]; twice {
			return nil, Errorf("%s %q is given twice", what, pair.Name)
		}
		put(&read, pair.Name, pair.Value)
		p.rest = p.rest[1:]
	}
	if read == nil {
		return nil, Errorf("%s is followed by no NAME=VALUE", what).With("write for example %s %s", what, example)
	}
	return read, nil
}

// comparing are the words between an attribute and a value.
var comparing = []string{"eq", "ne", "lt", "lte", "gt", "gte"}

var comparisons = map[string]pb.Comparison{
	"defined": pb.Comparison_COMPARISON_DEFINED, "not_defined": pb.Comparison_COMPARISON_NOT_DEFINED,
	"eq": pb.Comparison_COMPARISON_EQ, "ne": pb.Comparison_COMPARISON_NE,
	"lt": pb.Comparison_COMPARISON_LT, "lte": pb.Comparison_COMPARISON_LTE,
	"gt": pb.Comparison_COMPARISON_GT, "gte": pb.Comparison_COMPARISON_GTE,
}

var valueTypes = map[string]pb.ValueType{
	"string": pb.ValueType_VALUE_TYPE_STRING, "integer": pb.ValueType_VALUE_TYPE_INTEGER,
	"number": pb.ValueType_VALUE_TYPE_NUMBER, "version": pb.ValueType_VALUE_TYPE_VERSION,
}
