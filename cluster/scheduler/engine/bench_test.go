package engine

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// crowd is a cluster of 16 nodes with n primitives, each with a location and a
// colocation with an earlier one, all running; one node is lost. With probes,
// every node knows that it runs none of the others.
func crowd(n int, probes bool, earlier func(i int) int, score string) *Input {
	const nodes = 16
	in := &Input{Now: time.Unix(1_700_000_000, 0), Quorate: true, Properties: []Block{{ID: "cib-bootstrap-options", Values: []Value{
		{"stonith-enabled", "true"}, {"no-quorum-policy", "stop"},
	}}}}
	for i := range nodes {
		state := &NodeState{Name: nodeName(i), InCCM: "true", Crmd: "online", Join: "member", Expected: "member"}
		if i == nodes-1 {
			state.InCCM, state.Crmd = "false", "offline"
		}
		in.Nodes = append(in.Nodes, Node{ID: strconv.Itoa(i + 1), Name: nodeName(i), State: state})
	}
	in.Resources = append(in.Resources, Resource{ID: "fence", Class: "stonith", Type: "fence_dummy"})
	for i := range n {
		id := fmt.Sprintf("rsc%04d", i)
		in.Resources = append(in.Resources, Resource{ID: id, Class: "ocf", Provider: "heartbeat", Type: "Dummy"})
		in.Locations = append(in.Locations, Location{ID: "loc-" + id, Resource: id, Node: nodeName(i % nodes), Score: "100"})
		if i > 0 && earlier(i) != i {
			in.Colocations = append(in.Colocations, Colocation{ID: "col-" + id, Dependent: id, Primary: fmt.Sprintf("rsc%04d", earlier(i)), Score: score})
		}
		for k := range nodes {
			h := History{Resource: id, Class: "ocf", Provider: "heartbeat", Type: "Dummy"}
			op := HistoryOp{ID: id + "_last_0", Key: id + "_monitor_0", Operation: "monitor", CallID: strconv.Itoa(i + 1), RC: "7", Status: "0", TransitionKey: "1:1:7:x", OnNode: nodeName(k), Digest: digestOf(nil)}
			if k == i%nodes {
				op.Key, op.Operation, op.RC, op.TransitionKey = id+"_start_0", "start", "0", "1:1:0:x"
			} else if !probes {
				continue
			}
			h.Ops = []HistoryOp{op}
			in.Nodes[k].History = append(in.Nodes[k].History, h)
		}
	}
	return in
}

func nodeName(i int) string { return fmt.Sprintf("node%02d", i+1) }

// shapes are ways in which resources may be colocated with earlier ones.
var shapes = []struct {
	name    string
	earlier func(i int) int
	score   string
}{
	{"pairs", func(i int) int { return i &^ 1 }, "INFINITY"},
	{"tree", func(i int) int { return i / 2 }, "50"},
	{"star", func(int) int { return 0 }, "50"},
	{"chain", func(i int) int { return i - 1 }, "50"},
	{"bound", func(i int) int { return i - 1 }, "INFINITY"},
}

func BenchmarkRun(b *testing.B) {
	for _, shape := range shapes {
		for _, probes := range []bool{true, false} {
			for _, n := range []int{100, 1000, 5000} {
				in := crowd(n, probes, shape.earlier, shape.score)
				b.Run(fmt.Sprintf("%s/probed=%v/resources=%d", shape.name, probes, n), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						Run(in)
					}
				})
			}
		}
	}
}
