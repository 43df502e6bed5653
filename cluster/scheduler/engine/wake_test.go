package engine

import (
	"testing"
	"time"
)

func TestADecisionSaysWhenTimeAloneMayChangeIt(t *testing.T) {
	ruled := func(d DateCondition) *Input {
		in := parse(t, "nodes n1 n2\na")
		in.Locations = []Location{{ID: "l", Resource: "a", Rules: []Rule{{ID: "r", Score: "100", Conditions: []Condition{{Date: &d}}}}}}
		return in
	}
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	failed := parse(t, "nodes n1 n2\na failed n1 migration-threshold=1 failure-timeout=60s\nattr n1 fail-count-a#monitor_10000=1")
	failed.Nodes[0].Attributes = append(failed.Nodes[0].Attributes, Block{ID: "last", Values: []Value{{"last-failure-a#monitor_10000", "1795608000"}}})
	tests := []struct {
		name string
		in   *Input
		want string
	}{
		{"nothing depends on time", parse(t, "nodes n1 n2\na"), ""},
		{"a range that begins", ruled(DateCondition{Operation: "in_range", Start: "2026-11-25 13:00:00", End: "2026-11-25 14:00:00"}), "13:00:00"},
		{"a range that ends, with its last second", ruled(DateCondition{Operation: "in_range", Start: "2026-11-25", End: "2026-11-25 14:00:00"}), "14:00:00"},
		{"a range of a length", ruled(DateCondition{Operation: "in_range", Start: "2026-11-25 11:00:00", Duration: map[string]string{"hours": "3"}}), "14:00:00"},
		{"a range that is over", ruled(DateCondition{Operation: "in_range", Start: "2026-11-24", End: "2026-11-25"}), ""},
		{"later than", ruled(DateCondition{Operation: "gt", Start: "2026-11-25 12:00:00"}), "12:00:01"},
		{"earlier than", ruled(DateCondition{Operation: "lt", End: "2026-11-25 15:00:00"}), "15:00:00"},
		{"hours of a day", ruled(DateCondition{Operation: "date_spec", Spec: map[string]string{"hours": "9-16"}}), "17:00:00"},
		{"a failure that will be forgotten", failed, "12:01:01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Now = noon
			got := ""
			if next := Run(tt.in).Next; !next.IsZero() {
				got = next.Format(time.TimeOnly)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
