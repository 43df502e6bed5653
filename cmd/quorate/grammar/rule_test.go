package grammar

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

func TestRulesAreReadAsPcsReadsThem(t *testing.T) {
	const (
		ram   = `attribute{attribute:"ram" comparison:COMPARISON_GT value:"1000"}`
		rack  = `attribute{attribute:"rack" comparison:COMPARISON_EQ value:"2"}`
		pingd = `attribute{attribute:"pingd" comparison:COMPARISON_NOT_DEFINED}`
	)
	tests := []struct {
		name  string
		words []string
		want  string // in prototext
	}{
		{"one condition", []string{"ram", "gt", "1000"}, `conditions{` + ram + `}`},
		{"a whole expression in one word", []string{"ram gt 1000"}, `conditions{` + ram + `}`},
		{"any of two", []string{"not_defined", "pingd", "or", "ram", "gt", "1000"}, `any:true conditions{` + pingd + `} conditions{` + ram + `}`},
		{
			"and binds before or", strings.Fields("not_defined pingd or ram gt 1000 and rack eq 2"),
			`any:true conditions{` + pingd + `} conditions{rule{conditions{` + ram + `} conditions{` + rack + `}}}`,
		},
		{
			"parentheses, also without spaces", strings.Fields("(not_defined pingd or ram gt 1000) and rack eq 2"),
			`conditions{rule{any:true conditions{` + pingd + `} conditions{` + ram + `}}} conditions{` + rack + `}`,
		},
		{"parentheses around everything say nothing", strings.Fields("( ( ram gt 1000 ) )"), `conditions{` + ram + `}`},
		{"three are one rule", strings.Fields("ram gt 1000 and rack eq 2 and not_defined pingd"), `conditions{` + ram + `} conditions{` + rack + `} conditions{` + pingd + `}`},
		{"a type", strings.Fields("kernel gte version 6.1"), `conditions{attribute{attribute:"kernel" comparison:COMPARISON_GTE value:"6.1" type:VALUE_TYPE_VERSION}}`},
		{"a type that is a value", strings.Fields("kind eq string"), `conditions{attribute{attribute:"kind" comparison:COMPARISON_EQ value:"string"}}`},
		{"a value in quotes", []string{`site eq "a or (b)"`}, `conditions{attribute{attribute:"site" comparison:COMPARISON_EQ value:"a or (b)"}}`},
		{"a name in quotes", []string{`defined 'date'`}, `conditions{attribute{attribute:"date" comparison:COMPARISON_DEFINED}}`},
		{"an empty value", []string{`site ne ""`}, `conditions{attribute{attribute:"site" comparison:COMPARISON_NE}}`},
		{"a negative number", []string{"load", "lt", Minus + "5"}, `conditions{attribute{attribute:"load" comparison:COMPARISON_LT value:"-5"}}`},
		{"a date", strings.Fields("date gt 2027-01-01"), `conditions{date{operation:DATE_OPERATION_GT start:"2027-01-01"}}`},
		{"an end", strings.Fields("date lt 2027-01-01T12:00:00Z"), `conditions{date{operation:DATE_OPERATION_LT end:"2027-01-01T12:00:00Z"}}`},
		{"a range", strings.Fields("date in_range 2027-01-01 to 2027-02-01"), `conditions{date{operation:DATE_OPERATION_IN_RANGE start:"2027-01-01" end:"2027-02-01"}}`},
		{"a range without begin", strings.Fields("date in_range to 2027-02-01"), `conditions{date{operation:DATE_OPERATION_IN_RANGE end:"2027-02-01"}}`},
		{
			"a range of a length, and more", strings.Fields("date in_range 2027-01-01 to duration weeks=1 days=2 or rack eq 2"),
			`any:true conditions{date{operation:DATE_OPERATION_IN_RANGE start:"2027-01-01" duration{key:"weeks" value:"1"} duration{key:"days" value:"2"}}} conditions{` + rack + `}`,
		},
		{"hours and days", strings.Fields("date-spec hours=9-16 weekdays=1-5"), `conditions{date{operation:DATE_OPERATION_SPEC spec{key:"hours" value:"9-16"} spec{key:"weekdays" value:"1-5"}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := new(pb.Rule)
			if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
				t.Fatal(err)
			}
			got, err := Rule(tt.words)
			if err != nil || !proto.Equal(got, want) {
				t.Errorf("Rule(%q)\n got %v, %v\nwant %v", tt.words, got, err, want)
			}
		})
	}
}

func TestWhatIsWrongWithARuleIsSaid(t *testing.T) {
	for line, want := range map[string]string{
		"":                              "the rule ends where a condition is expected; " + ruleUsage,
		"ram":                           `the rule ends after "ram"; write defined ram, or ram eq VALUE`,
		"ram is 5":                      `"is" compares nothing; write one of eq, ne, lt, lte, gt, gte`,
		"ram gt":                        "the rule ends where a value is expected; " + ruleUsage,
		"defined":                       "the rule ends where the name of an attribute is expected; " + ruleUsage,
		"( ram gt 5":                    "a ( has no ) after it; write ) at the end of what belongs together",
		"ram gt 5 )":                    "a ) has no ( before it; take it out",
		"ram gt 5 6":                    `"6" stands where and, or or the end is expected; ` + ruleUsage,
		"ram gt 5 and":                  "the rule ends where a condition is expected; " + ruleUsage,
		"ram gt ( 5 )":                  `"(" stands where a value is expected; ` + ruleUsage,
		`site eq "a`:                    `"a has a quote that does not end; write " at its end`,
		"date 2027-01-01":               "date is followed by none of gt, lt and in_range; write for example date gt 2027-01-01",
		"date in_range 2027-01-01":      `date in_range has no "to"; write date in_range DATE to DATE`,
		"date in_range 2027 to":         "the rule ends where a date is expected; " + ruleUsage,
		"date-spec":                     "date-spec is followed by no NAME=VALUE; write for example date-spec hours=9-16",
		"date-spec hours=9 hours=10":    `date-spec "hours" is given twice`,
		"date in_range a to duration b": "duration is followed by no NAME=VALUE; write for example duration hours=5",
		"ram=5":                         `"ram=5" is neither a condition nor an option of the rule; write ATTRIBUTE eq VALUE`,
	} {
		if r, err := Rule(strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("Rule(%q)\n got %v, %v\nwant %s", line, r, err, want)
		}
	}
}

// Whatever can be configured is written so that it is read as the same.
func TestRulesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRule(t, 3)
		words := constraint.RuleWords(want)
		for _, given := range [][]string{words, {strings.Join(words, " ")}} {
			if got, err := Rule(given); err != nil || !proto.Equal(got, want) {
				t.Fatalf("Rule(%q)\n got %v, %v\nwant %v", given, got, err, want)
			}
		}
	})
}

// drawRule draws a rule as the state keeps it: one condition is no rule inside
// of another, and not any of several.
func drawRule(t *rapid.T, depth int) *pb.Rule {
	r := new(pb.Rule)
	for range rapid.IntRange(1, 3).Draw(t, "conditions") {
		r.Conditions = append(r.Conditions, drawCondition(t, depth))
	}
	if inner := r.Conditions[0].GetRule(); len(r.Conditions) == 1 && inner != nil {
		return inner
	}
	r.Any = len(r.Conditions) > 1 && rapid.Bool().Draw(t, "any")
	return r
}

func drawCondition(t *rapid.T, depth int) *pb.Condition {
	switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
	case kind == 0 && depth > 0:
		return asCondition(drawRule(t, depth-1))
	case kind == 1:
		return date(drawDate(t))
	}
	a := &pb.AttributeCondition{
		Attribute:  drawText(t),
		Comparison: pb.Comparison(rapid.IntRange(1, len(pb.Comparison_name)-1).Draw(t, "comparison")),
	}
	if a.Comparison > pb.Comparison_COMPARISON_NOT_DEFINED {
		a.Value = drawText(t)
		a.Type = pb.ValueType(rapid.IntRange(0, len(pb.ValueType_name)-1).Draw(t, "type"))
	}
	return &pb.Condition{Kind: &pb.Condition_Attribute{Attribute: a}}
}

func drawText(t *rapid.T) string {
	return rapid.SampledFrom([]string{"#uname", "rack", "5", "-5", "a b", "it's", `"`, "(", "or", "string", "date", "to", "x=y", "ä"}).Draw(t, "text")
}

func drawDate(t *rapid.T) *pb.DateCondition {
	some := map[string]string{"hours": "9", "weeks": "1"}
	return rapid.SampledFrom([]*pb.DateCondition{
		{Operation: pb.DateOperation_DATE_OPERATION_GT, Start: "2027-01-01 12:00"},
		{Operation: pb.DateOperation_DATE_OPERATION_LT, End: "2027-01-01"},
		{Operation: pb.DateOperation_DATE_OPERATION_IN_RANGE, Start: "2027-01-01", End: "2027-02-01"},
		{Operation: pb.DateOperation_DATE_OPERATION_IN_RANGE, Start: "2027-01-01"},
		{Operation: pb.DateOperation_DATE_OPERATION_IN_RANGE, End: "2027-01-01"},
		{Operation: pb.DateOperation_DATE_OPERATION_IN_RANGE, Start: "2027-01-01", Duration: some},
		{Operation: pb.DateOperation_DATE_OPERATION_SPEC, Spec: some},
	}).Draw(t, "date")
}
