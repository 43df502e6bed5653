package engine

import (
	"testing"
	"time"
)

func TestAttributesCompareAsTheRuleSays(t *testing.T) {
	node := map[string]string{"ram": "1000", "version": "2.10", "load": "1.5", "rack": "A", "empty": ""}
	tests := []struct {
		name string
		cond AttributeCondition
		want bool
	}{
		{"text is compared without case", AttributeCondition{Attribute: "rack", Operation: "eq", Value: "a"}, true},
		{"sizes are compared as integers", AttributeCondition{Attribute: "ram", Operation: "gt", Value: "999"}, true},
		{"a point makes them numbers", AttributeCondition{Attribute: "load", Operation: "gt", Value: "1.25"}, true},
		{"a type of text compares letters", AttributeCondition{Attribute: "ram", Operation: "gt", Value: "999", Type: "string"}, false},
		{"versions compare by part", AttributeCondition{Attribute: "version", Operation: "gt", Value: "2.9", Type: "version"}, true},
		{"what is absent is not equal", AttributeCondition{Attribute: "none", Operation: "ne", Value: "x"}, true},
		{"what is absent is not less", AttributeCondition{Attribute: "none", Operation: "lt", Value: "5"}, false},
		{"an empty attribute is defined", AttributeCondition{Attribute: "empty", Operation: "defined"}, true},
		{"an absent one is not", AttributeCondition{Attribute: "none", Operation: "not_defined"}, true},
		{"a value with defined is an error", AttributeCondition{Attribute: "rack", Operation: "defined", Value: "A"}, false},
		{"an unknown operation never holds", AttributeCondition{Attribute: "rack", Operation: "like", Value: "A"}, false},
		{"a parameter may be what to compare with", AttributeCondition{Attribute: "rack", Operation: "eq", Value: "where", ValueSource: "param"}, true},
		{"one that is absent compares as absent", AttributeCondition{Attribute: "none", Operation: "eq", Value: "where", ValueSource: "meta"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := ruleEnv{node: node, params: map[string]string{"where": "A"}}
			if got := tt.cond.holds(env); got != tt.want {
				t.Errorf("%+v of %v: %v, want %v", tt.cond, node, got, tt.want)
			}
		})
	}
}

func TestARuleHoldsByAllOrByAnyOfItsConditions(t *testing.T) {
	yes := Condition{Attribute: &AttributeCondition{Attribute: "a", Operation: "defined"}}
	no := Condition{Attribute: &AttributeCondition{Attribute: "b", Operation: "defined"}}
	tests := []struct {
		name string
		rule Rule
		want bool
	}{
		{"all hold", Rule{Conditions: []Condition{yes, yes}}, true},
		{"not all hold", Rule{Conditions: []Condition{yes, no}}, false},
		{"one of them holds", Rule{Or: true, Conditions: []Condition{no, yes}}, true},
		{"none of them holds", Rule{Or: true, Conditions: []Condition{no, no}}, false},
		{"there are none", Rule{Or: true}, true},
		{"a rule is a condition", Rule{Conditions: []Condition{{Rule: &Rule{Or: true, Conditions: []Condition{no, yes}}}}}, true},
		{"an empty condition never holds", Rule{Conditions: []Condition{{}}}, false},
	}
	c := &cluster{in: &Input{}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := c.ruleHolds(&tt.rule, ruleEnv{node: map[string]string{"a": "1"}}); got != tt.want {
				t.Errorf("%+v: %v, want %v", tt.rule, got, tt.want)
			}
		})
	}
}

func TestDatesAreInRangesAndFitSpecifications(t *testing.T) {
	noon := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC) // a Thursday
	tests := []struct {
		name string
		cond DateCondition
		want bool
	}{
		{"in a range", DateCondition{Start: "2024-01-01", End: "2024-03-01"}, true},
		{"a range ends with its last moment", DateCondition{Operation: "in_range", End: "2024-02-29 12:00:00Z"}, true},
		{"a range as long as said", DateCondition{Start: "2024-01-31", Duration: map[string]string{"months": "1"}}, false},
		{"a month is cut off at its last day", DateCondition{Start: "2024-01-31 13:00:00", Duration: map[string]string{"months": "1"}}, true},
		{"a range needs an end", DateCondition{Operation: "in_range"}, false},
		{"a zone counts", DateCondition{Operation: "gt", Start: "2024-02-29T13:30:00+02:00"}, true},
		{"not after itself", DateCondition{Operation: "gt", Start: "2024-02-29T12:00:00Z"}, false},
		{"before a week's day", DateCondition{Operation: "lt", End: "2024-W09-5"}, true},
		{"after a year's day", DateCondition{Operation: "gt", Start: "2024-060"}, true},
		{"no such day", DateCondition{Operation: "gt", Start: "2023-02-29"}, false},
		{"hours and days of the week", DateCondition{Operation: "date_spec", Spec: map[string]string{"hours": "9-16", "weekdays": "1-5"}}, true},
		{"a range without begin", DateCondition{Operation: "date_spec", Spec: map[string]string{"monthdays": "-28"}}, false},
		{"a range without end", DateCondition{Operation: "date_spec", Spec: map[string]string{"years": "2024-"}}, true},
		{"no range at all", DateCondition{Operation: "date_spec", Spec: map[string]string{"years": "next"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.cond.holds(noon); got != tt.want {
				t.Errorf("%+v at %v: %v, want %v", tt.cond, noon, got, tt.want)
			}
		})
	}
}

func TestBlocksWinByTheirScoreThenTheLast(t *testing.T) {
	blocks := []Block{
		{Values: []Value{{"a", "first"}, {"b", "first"}, {"c", "first"}}},
		{Values: []Value{{"a", "last"}, {"d", "#default"}}},
		{Score: "10", Values: []Value{{"b", "great"}}},
		{Score: "20", Rule: &Rule{Conditions: []Condition{{}}}, Values: []Value{{"b", "unruly"}}},
	}
	got := map[string]string{"e": "kept"}
	(&cluster{in: &Input{}}).evalBlocks(blocks, ruleEnv{}, got)
	for name, want := range map[string]string{"a": "last", "b": "great", "c": "first", "e": "kept"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q: %v", name, got[name], want, got)
		}
	}
}

func TestADigestIsThatOfTheSortedElement(t *testing.T) {
	tests := []struct {
		params map[string]string
		want   string // md5 of the text, by md5sum
	}{
		{nil, "f2317cad3d54cec5d7d7aa7d0bf35cf8"},                                      // " <parameters/>\n"
		{map[string]string{"b": `<"&>`, "a": "1"}, "2c8f82bdcc61a6a768c0fe005bc6c3e4"}, // " <parameters a=\"1\" b=\"&lt;&quot;&amp;&gt;\"/>\n"
	}
	for _, tt := range tests {
		if got := digestOf(tt.params); got != tt.want {
			t.Errorf("digest of %v is %s, want %s", tt.params, got, tt.want)
		}
	}
}

func TestFailuresAreCountedByResourceAndOperation(t *testing.T) {
	n := &node{attrs: map[string]string{
		"fail-count-db#start_0": "INFINITY", "fail-count-db#monitor_10000": "2",
		"fail-count-web:0#monitor_10000": "1", "fail-count-web:1#monitor_10000": "2", "last-failure-web:1#monitor_10000": "77",
		"fail-count-web": "9", "fail-count-web#x": "9",
	}, Node: &Node{}}
	tests := []struct {
		name   string
		r      *resource
		count  int
		latest int64
	}{
		{"operations of one resource are summed", &resource{Resource: &Resource{ID: "db"}, id: "db", unique: true}, infinity, 0},
		{"instances that are alike are summed", &resource{Resource: &Resource{ID: "web"}, id: "web:5"}, 3, 77},
		{"unique ones are not", &resource{Resource: &Resource{ID: "web"}, id: "web:0", unique: true}, 1, 0},
		{"another resource has none", &resource{Resource: &Resource{ID: "d"}, id: "d", unique: true}, 0, 0},
	}
	c := &cluster{in: &Input{}, now: 100}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if count, last := c.failCount(n, tt.r); count != tt.count || last != tt.latest {
				t.Errorf("%d failures, the last at %d; want %d at %d", count, last, tt.count, tt.latest)
			}
		})
	}
}
