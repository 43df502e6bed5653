package constraint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// read reads a constraint in prototext.
func read(t *testing.T, text string) *pb.Constraint {
	t.Helper()
	c := new(pb.Constraint)
	if err := prototext.Unmarshal([]byte(text), c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestColocationsOfSets(t *testing.T) {
	for _, tt := range []struct{ name, colocation, want string }{
		{"two resources", `resource:"a" with:"b"`, "a+b"},
		{"a sequence, each with the one before", `score:5 sets{resources:["a","b","c"]}`, "b+a c+b"},
		{"apart, each from all before", `score:-5 sets{resources:["a","b","c"]}`, "b+a c+a c+b"},
		{"not bound to each other", `score:5 sets{resources:["a","b"] parallel:true}`, ""},
		{"the first of a set with the last of the one after", `score:5 sets{resources:["a","b"]} sets{resources:["c","d"]}`, "b+a d+c a+d"},
		{"all with all", `score:5 sets{resources:["a","b"] parallel:true} sets{resources:["c","d"] parallel:true}`, "a+c a+d b+c b+d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range constraint.Colocations(read(t, "colocation{"+tt.colocation+"}").GetColocation()) {
				got = append(got, p.Dependent+"+"+p.Primary)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s\n got %v\nwant %s", tt.colocation, got, tt.want)
			}
		})
	}
}

func TestOrdersOfSets(t *testing.T) {
	for _, tt := range []struct{ name, order, want string }{
		{"two resources", `first:"a" then:"b" first_action:ORDER_ACTION_STOP`, "a.STOP>b.START"},
		{"a sequence", `sets{resources:["a","b","c"]}`, "a>b b>c"},
		{"not ordered among each other", `sets{resources:["a","b"] parallel:true} sets{resources:"c"}`, "a>c b>c"},
		{"sets, by the ends that meet", `sets{resources:["a","b"]} sets{resources:["c","d"]}`, "a>b c>d b>c"},
		{"optional ones do not follow from others", `kind:ORDER_KIND_OPTIONAL sets{resources:["a","b"]} sets{resources:["c","d"]}`, "a>b c>d a>c a>d b>c b>d"},
		{"serialized, each with each", `kind:ORDER_KIND_SERIALIZE sets{resources:["a","b","c"] parallel:true}`, "a>b a>c b>c"},
		{"one of a set is enough", `sets{resources:["a","b","c"] parallel:true any:true} sets{resources:["d","e"] parallel:true}`, "a|b|c>d a|b|c>e"},
		{"one of none", `sets{parallel:true any:true} sets{resources:"c"}`, ""},
		{"stops", `sets{resources:["a","b"] action:ORDER_ACTION_STOP} sets{resources:"c"}`, "a.STOP>b.STOP b.STOP>c.START"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range constraint.Orders(read(t, "order{"+tt.order+"}").GetOrder()) {
				pair := strings.Join(append([]string{p.First}, p.Instead...), "|") + ">" + p.Then
				if p.FirstAction != p.ThenAction || p.FirstAction != pb.OrderAction_ORDER_ACTION_START {
					action := func(a pb.OrderAction) string { return strings.TrimPrefix(a.String(), "ORDER_ACTION_") }
					pair = fmt.Sprintf("%s.%s>%s.%s", p.First, action(p.FirstAction), p.Then, action(p.ThenAction))
				}
				got = append(got, pair)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s\n got %v\nwant %s", tt.order, got, tt.want)
			}
		})
	}
}

func TestAConstraintLosesANameOrItself(t *testing.T) {
	for _, tt := range []struct{ constraint, want string }{
		{`location{resource:"a"}`, ""},
		{`location{resource:"b"}`, "b"},
		{`colocation{resource:"a" with:"b"}`, ""},
		{`order{first:"b" then:"a"}`, ""},
		{`order{sets{resources:["a","b"]}}`, ""},
		{`order{sets{resources:["a","b"]} sets{resources:"c"}}`, "b c"},
		{`colocation{sets{resources:"a" parallel:true} sets{resources:["b","c"]}}`, "b c"},
	} {
		c := read(t, tt.constraint)
		before := slices.Clone(constraint.Names(c))
		if got := strings.Join(constraint.Names(constraint.Without(c, "a")), " "); got != tt.want {
			t.Errorf("%s without a names %q, want %q", tt.constraint, got, tt.want)
		}
		if !slices.Equal(before, constraint.Names(c)) {
			t.Errorf("%s was changed itself", tt.constraint)
		}
	}
}

func TestAConstraintNamesAnotherInPlaceOfOne(t *testing.T) {
	for _, tt := range []struct{ constraint, want string }{
		{`location{resource:"a"}`, "A"},
		{`colocation{resource:"b" with:"a"}`, "b A"},
		{`order{first:"a" then:"b"}`, "A b"},
		{`order{sets{resources:["b","a"]} sets{resources:"c"}}`, "b A c"},
		{`order{first:"c" then:"b"}`, "c b"},
	} {
		c := read(t, tt.constraint)
		before := slices.Clone(constraint.Names(c))
		if got := strings.Join(constraint.Names(constraint.Renamed(c, "a", "A")), " "); got != tt.want {
			t.Errorf("%s with A in place of a names %q, want %q", tt.constraint, got, tt.want)
		}
		if !slices.Equal(before, constraint.Names(c)) {
			t.Errorf("%s was changed itself", tt.constraint)
		}
	}
}
