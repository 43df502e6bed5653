package forecast

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

// Whatever is changed in whatever cluster, and whichever node is lost then: what
// was foretold comes about.
func TestForecastsComeTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var script []string
		for _, r := range "abcd" {
			script = append(script, "create "+string(r))
		}
		for range rapid.IntRange(0, 5).Draw(t, "rules") {
			script = append(script, drawChange(t))
		}
		w := newWorld(t, "")
		for _, line := range script {
			if w.try(line) {
				w.settle()
			}
		}
		change := drawChange(t)
		want, ok := w.tryForecast(change)
		if !ok {
			return // it is refused, as it should be
		}
		before := places(Between(w.state, w.state, noon))
		w.change(w.edit(change))
		w.settle()
		if got := places(Between(w.state, w.state, noon)); got != places(want) {
			t.Fatalf("%s\n%s\nfrom\n%sforetold\n%scame\n%s", strings.Join(script, "\n"), change, before, places(want), got)
		}
		node := rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "lost")
		want, err := Simulate(w.state, w.state, &pb.WhatIf{NodeDown: []string{node}}, w.now())
		if err != nil {
			t.Fatal(err)
		}
		w.lose(node)
		w.settle()
		if got := places(Between(w.state, w.state, noon)); got != places(want) {
			t.Fatalf("%s\n%s\n%s lost: foretold\n%scame\n%s", strings.Join(script, "\n"), change, node, places(want), got)
		}
	})
}

// drawChange draws words of edit.
func drawChange(t *rapid.T) string {
	r, q := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "resource"), rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "other")
	node := rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "node")
	score := rapid.SampledFrom([]string{"-INFINITY", "-50", "20", "100", "INFINITY"}).Draw(t, "score")
	return rapid.SampledFrom([]string{
		fmt.Sprintf("location %s %s %s", r, node, score), fmt.Sprintf("colocation %s %s %s", r, q, score), fmt.Sprintf("order %s %s", r, q),
		"standby " + node, "unstandby " + node, fmt.Sprintf("meta %s target-role=Stopped", r), fmt.Sprintf("meta %s priority=10", r),
		fmt.Sprintf("meta %s is-managed=false", r), "delete " + r, "restart " + r, fmt.Sprintf("move %s %s", r, node), "group g " + r,
		"property symmetric-cluster=false", "property stop-all-resources=true", fmt.Sprintf("parameter %s ip=10.0.0.9", r),
		"clone " + r, fmt.Sprintf("clone %s clone-max=2", r), fmt.Sprintf("location %s-clone %s %s", r, node, score),
		fmt.Sprintf("colocation %s %s-clone %s", r, q, score), fmt.Sprintf("order %s-clone %s", r, q), fmt.Sprintf("unclone %s", r),
		fmt.Sprintf("meta %s-clone clone-max=1", r), "clone g",
	}).Draw(t, "change")
}

// try makes a change, unless it is refused.
func (w *world) try(line string) bool {
	if _, ok := w.tryForecast(line); !ok {
		return false
	}
	w.change(w.edit(line))
	return true
}

func (w *world) tryForecast(line string) (*pb.Forecast, bool) {
	edits := []*pb.Edit{w.edit(line)}
	after, _, err := w.step(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	if err != nil {
		return nil, false
	}
	return Change(w.state, after, edits, noon), true
}
