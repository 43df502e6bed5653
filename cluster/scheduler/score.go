package scheduler

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	pb "quorate/proto/quorate/v1"
)

// infinity is the score that no other outweighs.
const infinity = 1_000_000

// sum adds scores. It saturates, and -INFINITY beats INFINITY (Pacemaker
// Explained, "Infinity Math").
func sum(a, b int64) int64 {
	switch {
	case a <= -infinity || b <= -infinity:
		return -infinity
	case a >= infinity || b >= infinity:
		return infinity
	}
	return min(max(a+b, -infinity), infinity)
}

// scale multiplies a score by a colocation's weight. What is not zero stays so,
// because people write small scores.
func scale(score int64, weight float64) int64 {
	n := int64(math.Round(float64(score) * weight))
	if n == 0 && score != 0 && weight != 0 {
		n = 1
		if (score < 0) != (weight < 0) {
			n = -1
		}
	}
	return n
}

func scoreText(n int64) string {
	switch {
	case n >= infinity:
		return "INFINITY"
	case n <= -infinity:
		return "-INFINITY"
	}
	return strconv.FormatInt(n, 10)
}

// A tally is the score of one resource on one node, with its parts. A node can
// run the resource if it is not negative.
type tally struct {
	score   int64
	reasons []*pb.Reason
}

// add counts one reason. It never touches the reasons of a copy of the tally.
func (t *tally) add(score int64, source, text string) {
	t.score = sum(t.score, score)
	t.reasons = append(slices.Clip(t.reasons), &pb.Reason{Score: score, Source: source, Text: text})
}

func anyAvailable(list []tally) bool {
	return slices.ContainsFunc(list, func(t tally) bool { return t.score >= 0 })
}

// own returns the scores of a resource by what concerns it alone: nodes, its
// location constraints, its failures and local trouble. Neither stickiness nor moves.
func (g *graph) own(r *resource) []tally {
	list := make([]tally, len(g.nodes))
	for i, n := range g.nodes {
		t := &list[i]
		if n.bar != nil {
			t.add(-infinity, n.bar.Source, n.bar.Text)
		}
		known := false
		for _, l := range r.locations {
			if l.node == n.Name {
				t.add(l.score, l.source, l.text)
				known = true
			}
		}
		if !g.symmetric && !known {
			t.add(-infinity, "symmetric-cluster", "no location constraint allows it there")
		}
		g.addObstacle(t, r, n)
		g.addFailures(t, r, i)
	}
	g.addIsolation(list)
	return list
}

func (g *graph) addFailures(t *tally, r *resource, i int) {
	fails := r.views[i].fails
	if fails == 0 || r.threshold <= 0 {
		return
	}
	if fails >= r.threshold {
		t.add(-infinity, "fail-count", r.failures(i))
	} else {
		t.add(0, "fail-count", fmt.Sprintf("it failed there %d of %s times", fails, scoreText(r.threshold)))
	}
}

// failures says why a node is given up.
func (r *resource) failures(i int) string {
	text := "its start or stop failed there"
	if n := r.views[i].fails; n < infinity {
		text = fmt.Sprintf("it failed there %s (migration-threshold is %d)", times(n), r.threshold)
	}
	if e := r.views[i].LastError; e != "" {
		text += ": " + e
	}
	return text
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// base returns the scores of a resource before other resources are looked at.
func (g *graph) base(r *resource) []tally {
	list := g.own(r)
	if i := r.stay(); i >= 0 {
		if r.stickiness != 0 && (!r.yields || r.stickiness < infinity) {
			list[i].add(r.stickiness, "stickiness", stays(r))
		}
		if r.held != nil {
			list[i].add(infinity, "failback", r.failback.String()+" keeps it where it is")
		}
	}
	if r.moved >= 0 {
		list[r.moved].add(infinity, "move", g.moveText(r))
	}
	return list
}

func stays(r *resource) string {
	if r.current >= 0 {
		return "it runs there"
	}
	return "it ran there last"
}

func (g *graph) moveText(r *resource) string {
	return "moved here by an operator at " + g.clock(r.Move.GetAt().AsTime())
}
