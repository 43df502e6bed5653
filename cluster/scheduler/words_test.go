package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

const (
	onRack1  = `rule{conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"1"}}}`
	twoRacks = "n1 online rack=1 weight=5, n2 online rack=2 weight=50, n3 online"
)

func TestRulesPlace(t *testing.T) {
	checkPlans(t, []planCase{
		{"where it holds", twoRacks + `; db on n2; constraint id:"l" location{resource:"db" score:10 ` + onRack1 + `}`, "stop db n2\nstart db n1\n"},
		{"not where it holds", twoRacks + `; db on n1; constraint id:"l" location{resource:"db" score:-1000000 ` + onRack1 + `}`, "stop db n1\nstart db n2\n"},
		{"by the attribute that has the score", twoRacks + `; db; constraint id:"l" location{resource:"db" score_attribute:"weight" rule{conditions{attribute{attribute:"weight" comparison:COMPARISON_DEFINED}}}}`, "start db n2\n"},
		{"nowhere else", twoRacks + `; db on n3; constraint id:"l" location{resource:"db" node:"n2" score:1 discovery:DISCOVERY_EXCLUSIVE}`, "stop db n3\nstart db n2\n"},
		{"a node's name", twoRacks + `; db; constraint id:"l" location{resource:"db" score:1 rule{conditions{attribute{attribute:"#uname" comparison:COMPARISON_EQ value:"N3"}}}}`, "start db n3\n"},
		{"in office hours", twoRacks + `; db on n1; constraint id:"l" location{resource:"db" score:-1000000 rule{conditions{rule{` + strings.TrimSuffix(strings.TrimPrefix(onRack1, "rule{"), "}") + `}} conditions{date{operation:DATE_OPERATION_SPEC spec{key:"hours" value:"9-16"}}}}}`, "stop db n1\nstart db n2\n"},
		{"a group by its first member", twoRacks + `; a on n1; b on n1; group g a b; constraint id:"l" location{resource:"g" score:-1000000 ` + onRack1 + `}`, "stop b n1\nstop a n1\nstart a n2\nstart b n2\n"},
	})
}

func TestARuleWakesWhenItsAnswerMayChange(t *testing.T) {
	for _, tt := range []struct{ date, want string }{
		{`operation:DATE_OPERATION_GT start:"2026-01-01T18:00:00Z"`, "2026-01-01T18:00:00Z"},
		{`operation:DATE_OPERATION_LT end:"2026-01-02"`, "2026-01-02T00:00:00Z"},
		{`operation:DATE_OPERATION_IN_RANGE start:"2025-12-31" duration{key:"days" value:"2"}`, "2026-01-02T00:00:00.001Z"},
		{`operation:DATE_OPERATION_IN_RANGE end:"2026-01-01T12:00:00Z"`, "2026-01-01T12:00:00.001Z"},
		{`operation:DATE_OPERATION_SPEC spec{key:"hours" value:"9-16"}`, "2026-01-01T17:00:00Z"},
		{`operation:DATE_OPERATION_GT start:"2025-01-01"`, "0001-01-01T00:00:00Z"},
	} {
		state := twoRacks + `; db; constraint id:"l" location{resource:"db" score:1 rule{conditions{rule{any:true conditions{date{` + tt.date + `}} ` +
			`conditions{attribute{attribute:"x" comparison:COMPARISON_DEFINED}}}} conditions{attribute{attribute:"rack" comparison:COMPARISON_DEFINED}}}}`
		if got := Schedule(parse(t, state), noon).Next.UTC().Format(time.RFC3339Nano); got != tt.want {
			t.Errorf("with %s the next plan is due at %s, want %s", tt.date, got, tt.want)
		}
	}
}

func TestSetsPlace(t *testing.T) {
	checkPlans(t, []planCase{
		{"together, each with the one before", "n1 online, n2 online; a on n2; b; c; constraint id:\"c\" colocation{score:1000000 sets{resources:[\"a\",\"b\",\"c\"]}}", "start b n2\nstart c n2\n"},
		{"apart from all before", "n1 online, n2 online, n3 online; a on n1; b on n2; c on n2; constraint id:\"c\" colocation{score:-1000000 sets{resources:[\"a\",\"b\",\"c\"]}}", "stop c n2\nstart c n3\n"},
		{"a set with the one after it", "n1 online, n2 online; a on n2; b; c; constraint id:\"c\" colocation{score:1000000 sets{resources:[\"b\",\"c\"] parallel:true} sets{resources:\"a\"}}", "start b n2\nstart c n2\n"},
		{"one after the other", "n1 online; a; b; c; constraint id:\"o\" order{sets{resources:[\"c\",\"b\",\"a\"]}}", "start c n1\nstart b n1\nstart a n1\n"},
		{"and back", "n1 online; a on n1; b on n1; c on n1; property stop-all-resources=true; constraint id:\"o\" order{sets{resources:[\"c\",\"b\",\"a\"]}}", "stop a n1\nstop b n1\nstop c n1\n"},
		{"what cannot start holds up what follows", "n1 online; a target-role=Stopped; b; c; constraint id:\"o\" order{sets{resources:[\"a\",\"b\",\"c\"]}}", ""},
		{"one of a set is enough", "n1 online; a target-role=Stopped; b; c; constraint id:\"o\" order{sets{resources:[\"a\",\"b\"] parallel:true any:true} sets{resources:\"c\"}}", "start b n1\nstart c n1\n"},
		{"none of it is not", "n1 online; a target-role=Stopped; b target-role=Stopped; c on n1; constraint id:\"o\" order{sets{resources:[\"a\",\"b\"] parallel:true any:true} sets{resources:\"c\"}}", "stop c n1\n"},
		{"while one runs, what follows goes on", "n1 online; a restart n1; b on n1; c on n1; constraint id:\"o\" order{sets{resources:[\"a\",\"b\"] parallel:true any:true} sets{resources:\"c\"}}", "stop a n1\nstart a n1\n"},
		{"by racks", "n1 online rack=1, n2 online rack=2, n3 online rack=2; a on n3; b; constraint id:\"c\" colocation{resource:\"b\" with:\"a\" score:1000000 node_attribute:\"rack\"}", "start b n2\n"},
		{"influence", "n1 online, n2 online; a on n1; b on n1; b prefers n2=50; constraint id:\"c\" colocation{resource:\"b\" with:\"a\" score:1000000}", "stop a n1\nstart a n2\nstop b n1\nstart b n2\n"},
		{"without influence", "n1 online, n2 online; a on n1; b on n1; b prefers n2=50; constraint id:\"c\" colocation{resource:\"b\" with:\"a\" score:1000000 influence:false}", ""},
		{"what is not critical has none", "n1 online, n2 online; a on n1; b on n1 critical=false; b prefers n2=50; constraint id:\"c\" colocation{resource:\"b\" with:\"a\" score:1000000}", ""},
	})
}

func TestWordsAreOfClonesToo(t *testing.T) {
	const cloned = "n1 online rack=1 cpu:1, n2 online rack=2 cpu:4; vip; web; clone c web; "
	checkPlans(t, []planCase{
		{"a rule", cloned + `constraint id:"l" location{resource:"c" score:-1000000 ` + onRack1 + `}`, "start vip n1\nstart web n2\n"},
		{"an order of a set", cloned + `constraint id:"o" order{sets{resources:["c","vip"]}}`, "start web n1\nstart web n2\nstart vip n1\n"},
		{"a colocation of a set", cloned + `constraint id:"l" location{resource:"c" score:-1000000 ` + onRack1 + `}; constraint id:"k" colocation{score:1000000 sets{resources:["c","vip"]}}`, "start vip n2\nstart web n2\n"},
		{"and of two", cloned + `constraint id:"l" location{resource:"c" score:-1000000 ` + onRack1 + `}; constraint id:"k" colocation{score:1000000 sets{resources:"vip"} sets{resources:"c"}}`, "start vip n2\nstart web n2\n"},
		{"one of a clone or another is enough", cloned + `constraint id:"l" location{resource:"c" score:-1000000 ` + onRack1 + `}; a target-role=Stopped; constraint id:"o" order{sets{resources:["a","c"] any:true parallel:true} sets{resources:"vip"}}`, "start web n2\nstart vip n1\n"},
	})
}

func TestOrdersOfStops(t *testing.T) {
	const stops = `first_action:ORDER_ACTION_STOP then_action:ORDER_ACTION_STOP`
	checkPlans(t, []planCase{
		{"one after the other", "n1 online; a on n1; b on n1; property stop-all-resources=true; constraint id:\"o\" order{first:\"b\" then:\"a\" " + stops + "}", "stop b n1\nstop a n1\n"},
		{"and started the other way round", "n1 online; a; b; constraint id:\"o\" order{first:\"b\" then:\"a\" " + stops + "}", "start a n1\nstart b n1\n"},
		{"first in, first out", "n1 online; b restart n1; a restart n1; constraint id:\"s\" order{first:\"b\" then:\"a\" asymmetrical:true}; constraint id:\"o\" order{first:\"b\" then:\"a\" asymmetrical:true " + stops + "}", "stop b n1\nstop a n1\nstart b n1\nstart a n1\n"},
		{"a start after a stop", "n1 online; b on n1 target-role=Stopped; a; constraint id:\"o\" order{first:\"b\" then:\"a\" first_action:ORDER_ACTION_STOP asymmetrical:true}", "stop b n1\nstart a n1\n"},
		{"what does not stop holds up nothing", "n1 online; b on n1; a; constraint id:\"o\" order{first:\"b\" then:\"a\" first_action:ORDER_ACTION_STOP asymmetrical:true}", "start a n1\n"},
	})
}

func TestAStartWaitsForAStopUnderWay(t *testing.T) {
	p := Schedule(parse(t, `n1 online; b stopping n1 target-role=Stopped; a; constraint id:"o" order{first:"b" then:"a" first_action:ORDER_ACTION_STOP asymmetrical:true}`), noon)
	if got := ready(p); got != "" {
		t.Errorf("ready while b stops: %q, want nothing\n%s", got, p)
	}
}

func TestUtilizationPlaces(t *testing.T) {
	checkPlans(t, []planCase{
		{"it is not looked at", "n1 online cpu:1, n2 online cpu:4; a cpu:2; b cpu:2", "start a n1\nstart b n2\n"},
		{"only where enough is left", "n1 online cpu:1, n2 online cpu:4; a cpu:2; b cpu:2; property placement-strategy=utilization", "start a n2\nstart b n2\n"},
		{"nowhere, if there is not", "n1 online cpu:1, n2 online cpu:3; a cpu:2 priority=1; b cpu:2; property placement-strategy=utilization", "start a n2\n"},
		{"where most is left", "n1 online cpu:4, n2 online cpu:8; a on n1 cpu:2; b cpu:2; c cpu:2; property placement-strategy=balanced", "start b n2\nstart c n2\n"},
		{"nothing moves for it alone", "n1 online cpu:4, n2 online cpu:8; a on n1 cpu:2; b on n1 cpu:2; property placement-strategy=balanced", ""},
		{"on as few as can be", "n1 online cpu:4, n2 online cpu:4; a cpu:2; b cpu:2; c cpu:2; property placement-strategy=minimal", "start a n1\nstart b n1\nstart c n2\n"},
	})
}

// S6: a rule, a set and a lack of room are named.
func TestWordsAreExplained(t *testing.T) {
	for _, tt := range []struct{ state, resource, node, want string }{
		{
			twoRacks + `; db on n2; constraint id:"l" location{resource:"db" score:-1000000 ` + onRack1 + `}`, "db", "n1",
			"db cannot run on n1: db avoids nodes where rack eq 1 (-INFINITY, l)",
		},
		{
			twoRacks + `; db on n1; constraint id:"l" location{resource:"db" score:7 ` + onRack1 + `}`, "db", "",
			"db runs on n1: n1 scores 7 (+7 by l); n2 scores 0",
		},
		{
			"n1 online, n2 online; a on n1; b on n1; constraint id:\"c\" colocation{score:1000000 sets{resources:[\"a\",\"b\"]}}", "b", "",
			"b runs on n1: it is colocated with a (INFINITY, c)",
		},
		{
			"n1 online; a target-role=Stopped; b target-role=Stopped; c; constraint id:\"o\" order{sets{resources:[\"a\",\"b\"] any:true parallel:true} sets{resources:\"c\"}}", "c", "",
			"c runs nowhere: a or b, which must start before it, runs nowhere (o)",
		},
		{
			"n1 online cpu:1, n2 online cpu:4; a on n2 cpu:2; property placement-strategy=utilization", "a", "n1",
			"a cannot run on n1: there is too little left of what it uses (-INFINITY, utilization)",
		},
		{
			twoRacks + `; db on n2; constraint id:"l" location{resource:"db" node:"n2" score:1 discovery:DISCOVERY_EXCLUSIVE}`, "db", "n1",
			"db cannot run on n1: it is not looked for there (-INFINITY, resource-discovery)",
		},
	} {
		got, _ := Explain(parse(t, tt.state), noon, tt.resource, tt.node)
		if len(got) == 0 || got[0] != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.state, got, tt.want)
		}
	}
}

// The engine takes sets apart by itself, as CIBs have them: it is the judge of
// package constraint, which does so for plans.
func TestSetsMeanWhatTheEngineMakesOfThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := []string{"r1", "r2", "r3", "r4", "r5"}
		in := engine.Input{Quorate: true, Properties: values("fencing-enabled", "false")}
		for _, n := range []string{"n1", "n2", "n3"} {
			in.Nodes = append(in.Nodes, engine.Node{ID: n, Name: n, State: up})
		}
		for _, r := range names {
			in.Resources = append(in.Resources, engine.Resource{ID: r})
			in.Locations = append(in.Locations, engine.Location{
				ID: "l" + r, Resource: r, Score: scoreText(rapid.IntRange(-50, 50).Draw(rt, "likes")),
				Node: rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(rt, "node"),
			})
		}
		k := &pb.Colocation{Score: rapid.SampledFrom([]int64{infinity, 30, -30, -infinity}).Draw(rt, "score")}
		set := engine.Colocation{ID: "k", Score: scoreText(k.Score)}
		for rest := rapid.Permutation(names).Draw(rt, "order"); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "size")
			parallel := rapid.Bool().Draw(rt, "parallel")
			k.Sets = append(k.Sets, &pb.ResourceSet{Resources: rest[:n], Parallel: parallel})
			set.Sets = append(set.Sets, engine.ResourceSet{ID: "k", Resources: rest[:n], Sequential: fmt.Sprint(!parallel)})
			rest = rest[n:]
		}
		sets, pairs := in, in
		sets.Colocations = []engine.Colocation{set}
		for _, c := range colocationsIn(k) {
			pairs.Colocations = append(pairs.Colocations, engineColocation("k", c))
		}
		want, got := engine.Weigh(&sets).Place(nil), engine.Weigh(&pairs).Place(nil)
		for i := range want {
			if want[i].Node != got[i].Node || !slices.Equal(want[i].Scores, got[i].Scores) {
				rt.Fatalf("%v: the engine places %s on %d %v, pairs do on %d %v", k, want[i].Resource, want[i].Node, want[i].Scores, got[i].Node, got[i].Scores)
			}
		}
	})
}
