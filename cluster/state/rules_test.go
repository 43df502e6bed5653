package state

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

func rule(t *testing.T, text string) *pb.Rule {
	t.Helper()
	r := new(pb.Rule)
	if err := prototext.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

const (
	onRack = `conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"2"}}`
	onSite = `conditions{attribute{attribute:"site" comparison:COMPARISON_DEFINED}}`
)

func TestRulesAreKeptInOneForm(t *testing.T) {
	for given, want := range map[string]string{
		onRack:                                    onRack,
		"any:true " + onRack:                      onRack,
		onRack + onSite:                           onRack + onSite,
		inner(onRack):                             onRack,
		inner(onRack + onSite):                    onRack + onSite,
		"any:true " + inner(onRack+onSite):        onRack + onSite,
		inner(onRack) + inner(inner(onSite)):      onRack + onSite,
		inner("any:true "+onRack+onSite) + onSite: inner("any:true "+onRack+onSite) + onSite,
	} {
		got, err := canonicalRule(rule(t, given))
		if err != nil || !proto.Equal(got, rule(t, want)) {
			t.Errorf("%s is kept as\n     %v, %v\nwant %s", given, got, err, want)
		}
	}
}

func inner(rule string) string { return "conditions{rule{" + rule + "}}" }

func TestWhatIsNoRuleIsRefused(t *testing.T) {
	attribute := func(s string) string { return "conditions{attribute{" + s + "}}" }
	date := func(s string) string { return "conditions{date{" + s + "}}" }
	deep := onRack
	for range deepestRule {
		deep = onSite + inner(deep)
	}
	for given, want := range map[string]string{
		"":                         "rule: it has no conditions; write for example not_defined pingd",
		inner(""):                  "rule: it has no conditions",
		"conditions{}":             "rule: it has a condition that this version does not know",
		deep:                       "rule: it has more than 8 levels; say it with fewer parentheses",
		strings.Repeat(onRack, 65): "rule: it has more than 64 conditions; make two of it",

		attribute(`attribute:"a"`):                                                                   "rule, attribute a: it is not compared; use eq, ne,",
		attribute(`comparison:COMPARISON_DEFINED`):                                                   "rule: a condition has no attribute; name one",
		attribute(`attribute:"a" comparison:COMPARISON_DEFINED value:"1"`):                           "rule, attribute a: defined and not_defined take no value",
		attribute(`attribute:"a" comparison:COMPARISON_GT value:"x" type:VALUE_TYPE_INTEGER`):        `rule, attribute a: "x" is no integer`,
		attribute(`attribute:"a" comparison:COMPARISON_GT value:"1.x" type:VALUE_TYPE_NUMBER`):       `rule, attribute a: "1.x" is no number`,
		attribute(`attribute:"a" comparison:COMPARISON_GT value:".5" type:VALUE_TYPE_VERSION`):       `rule, attribute a: ".5" is no version`,
		attribute(`attribute:"a" comparison:COMPARISON_EQ value:"\"it's\""`):                         `has both kinds of quotes; use one kind of them`,
		attribute(`attribute:"a" comparison:COMPARISON_EQ value:"a\nb"`):                             "has letters that cannot be printed",
		attribute(`attribute:"a" comparison:COMPARISON_EQ value:"` + strings.Repeat("x", 256) + `"`): "it has more than 255 letters",

		date(`operation:DATE_OPERATION_GT`):                                                         "rule, date: date gt needs a date; write for example",
		date(`operation:DATE_OPERATION_GT start:"soon"`):                                            `rule, date: "soon" is no date; write for example 2027-01-31`,
		date(`operation:DATE_OPERATION_GT start:"2027-01-01" end:"2027-01-02"`):                     "rule, date: its end has no effect; leave it out",
		date(`operation:DATE_OPERATION_LT start:"2027-01-01"`):                                      "rule, date: date lt needs a date",
		date(`operation:DATE_OPERATION_IN_RANGE`):                                                   "rule, date: in_range needs a date",
		date(`operation:DATE_OPERATION_IN_RANGE start:"2027-01-02" end:"2027-01-01"`):               "rule, date: 2027-01-01 is before 2027-01-02; write the earlier date first",
		date(`operation:DATE_OPERATION_IN_RANGE duration{key:"hours" value:"5"}`):                   "rule, date: a duration needs a date at which it begins",
		date(`operation:DATE_OPERATION_IN_RANGE start:"2027-01-02" duration{key:"hour" value:"5"}`): `rule, duration: there is no part "hour" of a duration; use years`,
		date(`operation:DATE_OPERATION_SPEC`):                                                       "rule, date-spec: it says nothing; write for example hours=9-16",
		date(`operation:DATE_OPERATION_SPEC spec{key:"hours" value:"25"}`):                          "rule, date-spec: hours=25: 25 is no hour; use 0 to 23",
		date(`start:"2027-01-01"`):                                                                  "rule, date: it is not compared; use gt, lt, in_range or date-spec",
	} {
		if got, err := canonicalRule(rule(t, given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v, %v\nwant %s", given, got, err, want)
		}
	}
}
