package engine

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// placed prints where everything belongs: "a n1, b -".
func placed(in *Input, list []Placed) string {
	var texts []string
	for i := range list {
		name := "-"
		if list[i].Node >= 0 {
			name = in.Nodes[list[i].Node].Name
		}
		texts = append(texts, list[i].r.id+" "+name)
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}

func TestAQuietClusterMovesNothingBetweenEquals(t *testing.T) {
	tests := []struct{ name, cluster, loud, quiet string }{
		{"a resource without stickiness stays", "nodes n1 n2\na on n2\nb on n2", "a n2, b n1", "a n2, b n2"},
		{"a better node is better", "nodes n1 n2\na on n2\na prefers n1 1", "a n1", "a n1"},
		{"where nothing runs, few resources count", "nodes n1 n2\na on n1\nb", "a n1, b n2", "a n1, b n2"},
		{"what starts goes where something runs that must run with it", "nodes n1 n2\na\nb on n2\nb with a INFINITY", "a n1, b n1", "a n2, b n2"},
		{"members of a group stay", "nodes n1 n2\na on n2\nb on n2\ngroup g a b\nc on n2", "a n2, b n2, c n1", "a n2, b n2, c n2"},
		{"what starts takes no capacity from what runs", "nodes n1 n2\nset placement-strategy=utilization\nattr n1 memory=60\nattr n2 memory=60\na memory=60\nb on n1 memory=60", "a n2, b n1", "a n2, b n1"},
		{"what starts takes it with a higher priority", "nodes n1 n2\nset placement-strategy=utilization\nattr n1 memory=60\nattr n2 memory=60\na memory=60 priority=1\nb on n1 memory=60", "a n1, b n2", "a n1, b n2"},
		{"a small dislike stays a dislike", "nodes n1 n2\na\nb\nb with a 20\nb prefers n1 -50", "a n1, b n2", "a n2, b n2"},
		{"an interleaved clone keeps apart from every instance", "nodes n1 n2 n3\na\nclone ca a clone-max=2\nb\nclone cb b clone-max=2 interleave=true\nca prefers n1 1\nca prefers n2 1\ncb with ca -INFINITY", "a:0 n1, a:1 n2, b:0 n3, b:1 n2", "a:0 n1, a:1 n2, b:0 n3, b:1 -"},
		{"capacity does not draw either", "nodes n1 n2\nset placement-strategy=balanced\nattr n1 memory=100\nattr n2 memory=50\na on n2 memory=10", "a n1", "a n2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := parse(t, tt.cluster)
			loud := placed(in, Weigh(in).Place(nil))
			in.Quiet = true
			quiet := placed(in, Weigh(in).Place(nil))
			if loud != tt.loud || quiet != tt.quiet {
				t.Errorf("Weigh(\n%s).Place()\n got %q, quiet %q\nwant %q, quiet %q", tt.cluster, loud, quiet, tt.loud, tt.quiet)
			}
		})
	}
}

func TestWishes(t *testing.T) {
	const there, here = 0, 1
	tests := []struct {
		name, cluster string
		wish          Wish
		want          string
	}{
		{"count", "nodes n1 n2\na on n2", Wish{Resource: "a", Node: there, Score: 1}, "a n1"},
		{"lift no ban", "nodes n1 n2\na on n2\na prefers n1 -INFINITY", Wish{Resource: "a", Node: there, Score: infinity}, "a n2"},
		{"allow nothing where locations have to", "nodes n1 n2\nset symmetric-cluster=false\na on n2\na prefers n2 0", Wish{Resource: "a", Node: there, Score: infinity}, "a n2"},
		{"favour one of equals", "nodes n1 n2\na on n2\na prefers n2 INFINITY", Wish{Resource: "a", Node: there, Score: infinity, Favoured: true}, "a n1"},
		{"draw what runs with it", "nodes n1 n2\na on n2\nb on n2\nb with a INFINITY", Wish{Resource: "b", Node: there, Score: 1}, "a n1, b n1"},
		{"of a ban", "nodes n1 n2\na on n2", Wish{Resource: "a", Node: here, Score: -infinity}, "a n1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := parse(t, tt.cluster)
			in.Quiet = true
			if got := placed(in, Weigh(in).Place([]Wish{tt.wish})); got != tt.want {
				t.Errorf("Weigh(\n%s).Place(%+v)\n got %q\nwant %q", tt.cluster, tt.wish, got, tt.want)
			}
		})
	}
}

func TestScoresDoNotDependOnOtherResources(t *testing.T) {
	in := parse(t, "nodes n1 n2\na\na prefers n1 5\nb\nb prefers n2 100\nb with a INFINITY")
	if got, want := Weigh(in).Of("a"), []int{5, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPlacingAgainForgetsTheWishesBefore(t *testing.T) {
	in := parse(t, "nodes n1 n2\na\nb\nb with a INFINITY")
	s := Weigh(in)
	for _, tt := range []struct {
		node int
		want string
	}{{1, "a n2, b n2"}, {0, "a n1, b n1"}} {
		if got := placed(in, s.Place([]Wish{{Resource: "b", Node: tt.node, Score: 1}})); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// What places only must not place otherwise than what also plans, except that
// orders may keep an instance of a clone from starting.
func TestPlacingAlonePlacesAsRunDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInput(rt)
		in.Orders = nil
		c := newCluster(in)
		c.decide()
		var want []Placed
		c.primitives(func(r *resource) { want = append(want, c.placedAs(r)) })
		if got := Weigh(in).Place(nil); placed(in, got) != placed(in, want) {
			rt.Errorf("got %s\nwant %s", placed(in, got), placed(in, want))
		}
	})
}
