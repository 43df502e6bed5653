package scheduler

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// infinity is the score that no other outweighs.
const infinity = 1_000_000

func scoreText[N int | int64](n N) string {
	switch {
	case n >= infinity:
		return "INFINITY"
	case n <= -infinity:
		return "-INFINITY"
	}
	return strconv.FormatInt(int64(n), 10)
}

// score returns what a node is worth to a resource. It can run there if that is
// not negative.
func (r *resource) score(i int) int { return r.as.Scores[i] }

// reasons are the parts of a score, what bars the node before all else.
func (g *graph) reasons(r *resource, i int) []*pb.Reason {
	parts := r.as.Reasons(i)
	list := make([]*pb.Reason, 0, len(parts)+1)
	if bar := g.nodes[i].bar; bar != nil {
		list = append(list, bar)
	}
	for _, part := range parts {
		source, _, _ := strings.Cut(part.Source, ":")
		list = append(list, &pb.Reason{Score: int64(part.Score), Source: source, Text: numbered.ReplaceAllString(part.Text, "$1 ")})
	}
	return list
}

// numbered is the instance of a clone that a text begins with. The engine numbers
// them; here they are told apart by their nodes.
var numbered = regexp.MustCompile(`^([\w.-]+):\d+ `)

// givenUp reports whether a resource failed too often on a node, or in vain.
func (r *resource) givenUp(i int) bool {
	return r.views[i].banned != "" || r.threshold > 0 && r.views[i].fails >= r.threshold
}

// givenUpBy is the source of the score of a node that is given up.
func (r *resource) givenUpBy(i int) string {
	if r.views[i].banned != "" {
		return "banned"
	}
	return "fail-count"
}

// failures says why a node is given up.
func (r *resource) failures(i int) string {
	if banned := r.views[i].banned; banned != "" {
		return banned
	}
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

func stays(r *resource) string {
	if r.current >= 0 {
		return "it runs there"
	}
	return "it ran there last"
}

func (g *graph) moveText(r *resource) string {
	return "moved here by an operator at " + g.clock(r.Move.GetAt().AsTime())
}
