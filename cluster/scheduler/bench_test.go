package scheduler

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkSchedule is what the leader does after every result.
func BenchmarkSchedule(b *testing.B) {
	for _, size := range []struct{ nodes, resources int }{{2, 2}, {3, 6}, {8, 30}, {16, 100}} {
		s := parse(b, crowd(size.nodes, size.resources))
		b.Run(fmt.Sprintf("nodes=%d/resources=%d", size.nodes, size.resources), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Schedule(s, noon)
			}
		})
	}
}

// BenchmarkHeld is the same while failback policies hold resources back.
func BenchmarkHeld(b *testing.B) {
	s := parse(b, "n1 online, n2 online; vip on n2; web on n2; web with vip INFINITY; vip then web; vip prefers n1=50; default failback=manual")
	b.ReportAllocs()
	for b.Loop() {
		Schedule(s, noon)
	}
}

// crowd writes a state of pairs: each a resource with a home and one that runs
// with it and after it. All run.
func crowd(nodes, resources int) string {
	b := &strings.Builder{}
	for i := range nodes {
		fmt.Fprintf(b, "n%02d online,", i)
	}
	state := strings.TrimSuffix(b.String(), ",")
	b.Reset()
	for i := range resources {
		at := fmt.Sprintf("n%02d", i/2%nodes)
		fmt.Fprintf(b, "\nr%03d on %s\nr%03d prefers %s=50", i, at, i, at)
		if i%2 == 1 {
			fmt.Fprintf(b, "\nr%03d with r%03d INFINITY\nr%03d then r%03d", i, i-1, i-1, i)
		}
	}
	return state + b.String() + "\ndefault resource-stickiness=100"
}

// BenchmarkMove is the same when a node is lost.
func BenchmarkMove(b *testing.B) {
	for _, size := range []struct{ nodes, resources int }{{2, 2}, {3, 6}, {16, 100}} {
		s := parse(b, crowd(size.nodes, size.resources))
		s.Nodes[0].Standby = true
		b.Run(fmt.Sprintf("nodes=%d/resources=%d", size.nodes, size.resources), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Schedule(s, noon)
			}
		})
	}
}
