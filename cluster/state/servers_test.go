package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// keep makes the edit that keeps orders of the form "SERVER drain|disable|- [WEIGHT]".
func keep(resource string, orders ...string) *pb.Edit {
	k := &pb.KeepServers{Resource: resource}
	for _, text := range orders {
		words := strings.Fields(text)
		o := &pb.ServerOrder{Service: "web", Server: words[0], Mode: map[string]pb.ServerMode{
			"drain": pb.ServerMode_SERVER_MODE_DRAIN, "disable": pb.ServerMode_SERVER_MODE_DISABLED,
		}[words[1]]}
		if len(words) > 2 {
			var weight uint32
			if _, err := fmt.Sscan(words[2], &weight); err != nil {
				panic(err)
			}
			o.Weight = proto.Uint32(weight)
		}
		k.Orders = append(k.Orders, o)
	}
	return &pb.Edit{Kind: &pb.Edit_KeepServers{KeepServers: k}}
}

// director makes a resource that can reload.
func director(id string) *pb.Edit {
	e := createResource(id)
	e.GetCreateResource().Resource.Traits.Reloadable = true
	return e
}

func keptBy(s *pb.State, id string) string {
	var said []string
	for _, o := range ResourceByID(s, id).GetServerOrders() {
		said = append(said, DescribeOrder(o))
	}
	return strings.Join(said, ", ")
}

func TestOrdersForServersAreKeptOneEach(t *testing.T) {
	tests := []struct {
		name  string
		edits []*pb.Edit
		want  string
	}{
		{"by service and server", []*pb.Edit{keep("lb", "b drain", "a disable 3")}, "a of web disabled weight 3, b of web drained"},
		{"a newer one in place of the older", []*pb.Edit{keep("lb", "a drain"), keep("lb", "a - 0", "b drain")}, "a of web weight 0, b of web drained"},
		{"one that says nothing ends it", []*pb.Edit{keep("lb", "a drain", "b drain"), keep("lb", "a -")}, "b of web drained"},
	}
	for _, tt := range tests {
		c := newCluster(t)
		for _, e := range append([]*pb.Edit{director("lb")}, tt.edits...) {
			if err := c.propose(change(e)); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		if got := keptBy(c.state(), "lb"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWrongOrdersForServersAreRefusedS8(t *testing.T) {
	odd := keep("lb", "a drain")
	odd.GetKeepServers().Orders[0].Mode = 99
	nameless := keep("lb", "a drain")
	nameless.GetKeepServers().Orders[0].Service = ""
	tests := []struct {
		edit *pb.Edit
		want string
	}{
		{keep("none", "a drain"), `no resource or group "none"`},
		{keep("vip", "a drain"), "takes no orders"},
		{keep("lb"), "there are none"},
		{keep("lb", "a drain", "a disable"), "named twice"},
		{keep("lb", "a - 65536"), "is no weight"},
		{odd, "does not know 99"},
		{nameless, "lacks a service or a server"},
	}
	c := newCluster(t)
	if err := c.propose(change(director("lb"))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		if err := c.propose(change(tt.edit)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.edit, err, tt.want)
		}
	}
}

// What runs learns of kept orders as it learns of parameters: by another revision.
func TestOnlyAnotherOrderMakesAnotherRevision(t *testing.T) {
	c := newCluster(t)
	revision := func() uint64 { return ResourceByID(c.state(), "lb").GetRevision() }
	must := func(e *pb.Edit) {
		t.Helper()
		if err := c.propose(change(e)); err != nil {
			t.Fatal(err)
		}
	}
	must(director("lb"))
	made := revision()
	must(keep("lb", "a drain"))
	kept := revision()
	if kept == made {
		t.Error("a kept order left the revision as it was")
	}
	must(keep("lb", "a drain"))
	if revision() != kept {
		t.Error("the same order made another revision")
	}
}

func TestKeptOrdersAreConfiguration(t *testing.T) {
	c := newCluster(t)
	for _, e := range []*pb.Edit{director("lb"), keep("lb", "a drain")} {
		if err := c.propose(change(e)); err != nil {
			t.Fatal(err)
		}
	}
	before := proto.CloneOf(Configuration(c.state()))
	if err := c.propose(change(keep("lb", "a -"))); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(before.Resources, func(r *pb.Resource) bool { return r.Id == "lb" })
	before.Resources[i].Traits = &pb.Traits{Reloadable: true} // which an import fills in
	replace := &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: before}}}
	if err := c.propose(change(replace)); err != nil {
		t.Fatal(err)
	}
	if got, want := keptBy(c.state(), "lb"), "a of web drained"; got != want {
		t.Errorf("after the import %q is kept, want %q", got, want)
	}
}
