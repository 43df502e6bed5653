package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawInput draws a cluster of up to four nodes with resources of all kinds,
// constraints, and what the nodes remember.
func drawInput(t *rapid.T) *Input {
	in := &Input{Now: time.Unix(1_700_000_000, 0), Quorate: rapid.IntRange(0, 9).Draw(t, "quorate") > 0}
	in.Properties = []Block{{ID: "options", Values: []Value{
		{"stonith-enabled", draw(t, "true", "false", "false")},
		{"no-quorum-policy", draw(t, "stop", "ignore", "freeze", "demote")},
		{"symmetric-cluster", draw(t, "true", "true", "true", "false")},
		{"placement-strategy", draw(t, "default", "default", "utilization", "balanced", "minimal")},
	}}}
	in.ResourceDefaults = []Block{{ID: "defaults", Values: []Value{{"resource-stickiness", draw(t, "0", "1", "100")}}}}
	in.Resources = append(in.Resources, Resource{ID: "fencing", Class: "stonith", Type: "dummy"})
	for i := range rapid.IntRange(1, 5).Draw(t, "resources") {
		in.Resources = append(in.Resources, drawResource(t, i))
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		in.Nodes = append(in.Nodes, drawNode(t, i, in.Resources))
	}
	ids := []string{"fencing"}
	for i := range in.Resources {
		ids = append(ids, in.Resources[i].ID)
		if in.Resources[i].Kind == Group {
			ids = append(ids, in.Resources[i].Members[0].ID)
		}
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "constraints") {
		drawConstraint(t, in, i, ids)
	}
	return in
}

func draw(t *rapid.T, of ...string) string { return rapid.SampledFrom(of).Draw(t, of[0]) }

func drawPrimitive(t *rapid.T, id string) Resource {
	r := Resource{ID: id, Class: "ocf", Provider: "heartbeat", Type: "Dummy"}
	meta := []Value{
		{"priority", draw(t, "0", "0", "5")},
		{"target-role", draw(t, "Started", "Started", "Started", "Stopped")},
		{"is-managed", draw(t, "true", "true", "true", "false")},
		{"multiple-active", draw(t, "stop_start", "stop_only", "block", "stop_unexpected")},
		{"allow-migrate", draw(t, "false", "true")},
		{"migration-threshold", draw(t, "INFINITY", "1", "3")},
	}
	r.Meta = []Block{{ID: id + "-meta", Values: meta}}
	r.Utilization = []Block{{ID: id + "-util", Values: []Value{{"memory", draw(t, "0", "10", "60")}}}}
	if rapid.Bool().Draw(t, "monitored") {
		r.Operations = []Operation{{ID: id + "-monitor", Name: "monitor", Interval: "10s", Options: []Value{{"on-fail", draw(t, "restart", "ignore", "block", "stop", "standby", "fence", "demote")}}}}
	}
	return r
}

func drawResource(t *rapid.T, i int) Resource {
	id := "r" + strconv.Itoa(i)
	cloned := rapid.IntRange(0, 2).Draw(t, "cloned") == 0
	inner := drawPrimitive(t, id)
	if rapid.IntRange(0, 2).Draw(t, "grouped") == 0 {
		inner = Resource{ID: "g" + strconv.Itoa(i), Kind: Group, Members: []Resource{drawPrimitive(t, id+"a"), drawPrimitive(t, id+"b")}}
		inner.Meta = []Block{{ID: id + "-group", Values: []Value{{"ordered", draw(t, "true", "true", "false")}, {"collocated", draw(t, "true", "true", "false")}}}}
		if cloned { // what is not collocated escapes clone-node-max, in Pacemaker too
			inner.Meta[0].Values[1].Value = "true"
		}
	}
	if !cloned {
		return inner
	}
	meta := []Value{
		{"interleave", draw(t, "false", "true")}, {"ordered", draw(t, "false", "true")}, {"globally-unique", draw(t, "false", "false", "true")},
		{"clone-max", draw(t, "3", "1", "2", "4")}, {"clone-node-max", draw(t, "1", "2")}, {"promotable", draw(t, "false", "true")},
	}
	return Resource{ID: "c" + strconv.Itoa(i), Kind: Clone, Meta: []Block{{ID: id + "-clone", Values: meta}}, Members: []Resource{inner}}
}

func drawNode(t *rapid.T, i int, resources []Resource) Node {
	name := "n" + strconv.Itoa(i+1)
	n := Node{ID: strconv.Itoa(i + 1), Name: name, State: &NodeState{Name: name, Position: i, InCCM: "true", Crmd: "online", Join: "member", Expected: "member"}}
	n.Utilization = []Block{{ID: name + "-util", Values: []Value{{"memory", draw(t, "100", "50")}}}}
	n.Attributes = []Block{{ID: name + "-attrs", Values: []Value{
		{"standby", draw(t, "off", "off", "off", "on")}, {"maintenance", draw(t, "off", "off", "off", "on")}, {"rack", draw(t, "a", "b")},
	}}}
	switch draw(t, "online", "online", "online", "online", "lost", "off", "leaves", "joins") {
	case "lost":
		n.State.InCCM, n.State.Crmd = "false", "offline"
	case "off":
		n.State = &NodeState{Name: name, Position: i, InCCM: "false", Crmd: "offline", Join: "down", Expected: "down"}
	case "leaves":
		n.Transient = []Block{{ID: name + "-transient", Values: []Value{{"shutdown", "1699999999"}}}}
	case "joins":
		n.State.Join, n.State.Expected = "pending", "down"
	}
	for k := range resources {
		n.History = append(n.History, drawHistories(t, name, &resources[k])...)
	}
	return n
}

func drawHistories(t *rapid.T, node string, r *Resource) []History {
	if r.Kind != Primitive {
		var list []History
		for i := range r.Members {
			list = append(list, drawHistories(t, node, &r.Members[i])...)
		}
		return list
	}
	h := History{Resource: r.ID, Class: r.Class, Provider: r.Provider, Type: r.Type}
	op := func(id, operation, interval, rc, call, expected string) {
		h.Ops = append(h.Ops, HistoryOp{
			ID: r.ID + "_" + id, Key: r.ID + "_" + operation + "_" + interval, Operation: operation, Interval: interval, CallID: call,
			RC: rc, Status: "0", TransitionKey: "1:1:" + expected + ":x", Magic: "0:" + rc + ";1:1:" + expected + ":x", OnNode: node, Digest: digestOf(nil),
		})
	}
	switch draw(t, "unknown", "not", "not", "not", "started", "started", "failed", "stopped", "stuck", "promoted") {
	case "unknown":
		return nil
	case "not":
		op("last_0", "monitor", "0", "7", "1", "7")
	case "started":
		op("last_0", "start", "0", "0", "2", "0")
	case "failed":
		op("last_0", "start", "0", "0", "2", "0")
		op("last_failure_0", "monitor", "10000", draw(t, "7", "1", "5"), "3", "0")
	case "stopped":
		op("last_0", "stop", "0", "0", "3", "0")
	case "stuck":
		op("last_0", "stop", "0", "1", "3", "0")
	case "promoted":
		op("last_0", "promote", "0", "0", "3", "0")
	}
	return []History{h}
}

func drawConstraint(t *rapid.T, in *Input, i int, ids []string) {
	id := "k" + strconv.Itoa(i)
	pick := func(label string) string { return rapid.SampledFrom(ids).Draw(t, label) }
	score := draw(t, "INFINITY", "-INFINITY", "100", "1", "-1", "-100", "600000")
	role := draw(t, "", "", "", "Started", "Promoted", "Unpromoted")
	switch draw(t, "location", "rule", "colocation", "colocation", "order", "set") {
	case "location":
		in.Locations = append(in.Locations, Location{ID: id, Resource: pick("resource"), Node: "n" + draw(t, "1", "2", "3"), Score: score, Role: role, Discovery: draw(t, "", "", "never", "exclusive")})
	case "rule":
		in.Locations = append(in.Locations, Location{ID: id, Resource: pick("resource"), Rules: []Rule{{ID: id + "-rule", Score: score, Role: role, Conditions: []Condition{
			{Attribute: &AttributeCondition{Attribute: "rack", Operation: "eq", Value: draw(t, "a", "b")}},
		}}}})
	case "colocation":
		in.Colocations = append(in.Colocations, Colocation{ID: id, Dependent: pick("dependent"), Primary: pick("primary"), Score: score, DependentRole: role, PrimaryRole: draw(t, "", "", "Promoted"), NodeAttribute: draw(t, "", "", "rack"), Influence: draw(t, "", "true", "false")})
	case "order":
		in.Orders = append(in.Orders, Order{ID: id, First: pick("first"), Then: pick("then"), FirstAction: draw(t, "", "start", "promote", "stop"), Kind: draw(t, "", "Mandatory", "Optional", "Serialize"), Symmetrical: draw(t, "", "true", "false"), RequireAll: draw(t, "", "", "false")})
	default:
		in.Orders = append(in.Orders, Order{ID: id, Sets: []ResourceSet{
			{ID: id + "-1", Resources: []string{pick("a"), pick("b")}, Sequential: draw(t, "", "true", "false"), RequireAll: draw(t, "", "false")},
			{ID: id + "-2", Resources: []string{pick("c")}},
		}})
		in.Colocations = append(in.Colocations, Colocation{ID: id + "-c", Score: score, Sets: []ResourceSet{
			{ID: id + "-3", Resources: []string{pick("a"), pick("b"), pick("c")}, Sequential: draw(t, "", "true", "false")},
		}})
	}
}

func TestDecisionsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		out := Run(in)
		checkSteps(t, out)
		checkScores(t, out)
		if again := Run(shuffled(t, in)); text(again) != text(out) {
			t.Fatalf("another order of what has none gives another decision:\n%s\ninstead of\n%s", text(again), text(out))
		}
		if oneByOne := runNaively(in); text(oneByOne) != text(out) {
			t.Fatalf("merging one by one gives another decision:\n%s\ninstead of\n%s", text(oneByOne), text(out))
		}
	})
}

func text(out *Outcome) string { return fmt.Sprintf("%+v", *out) }

// runNaively decides without the sums of bound resources.
func runNaively(in *Input) *Outcome {
	c := newCluster(in)
	c.oneByOne = true
	return c.decide()
}

// checkSteps: no instance starts on a node before it has stopped on every other
// that it leaves, or that node is fenced (S4); nothing waits for a later step.
func checkSteps(t *rapid.T, out *Outcome) {
	for i, s := range out.Steps {
		for _, k := range s.After {
			if k >= i {
				t.Fatalf("step %d %+v waits for step %d", i, s, k)
			}
		}
		if s.Operation != "start" || s.Node == "" || s.Pseudo {
			continue
		}
		for k, stop := range out.Steps {
			if stop.Operation == "stop" && stop.Resource == s.Resource && stop.Node != "" && !stop.Pseudo && !follows(out.Steps, i, k) {
				t.Fatalf("step %d %+v does not wait for step %d %+v\n%s", i, s, k, stop, stepsText(out))
			}
		}
	}
}

func stepsText(out *Outcome) string {
	var b strings.Builder
	for i, s := range out.Steps {
		fmt.Fprintf(&b, "%d %+v\n", i, s)
	}
	return b.String()
}

// follows reports whether one step comes after another by what they wait for.
func follows(steps []Step, later, earlier int) bool {
	return later == earlier || slices.ContainsFunc(steps[later].After, func(k int) bool { return follows(steps, k, earlier) })
}

func checkScores(t *rapid.T, out *Outcome) {
	for _, i := range out.Instances {
		for _, s := range i.Scores {
			if s.Score > infinity || s.Score < -infinity {
				t.Fatalf("%s scores %d on %s", i.ID(), s.Score, s.Node)
			}
		}
	}
}

// shuffled returns an input with its nodes, and what they remember, in another
// order.
func shuffled(t *rapid.T, in *Input) *Input {
	other := *in
	other.Nodes = rapid.Permutation(in.Nodes).Draw(t, "order of nodes")
	return &other
}
