package api

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func create(id, agent string, parameters map[string]string, ops ...*pb.OperationSpec) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{
		Resource: &pb.Resource{Id: id, Agent: agent, Parameters: parameters, Operations: ops},
	}}}
}

func update(u *pb.UpdateResource) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}
}

func location(resource, node string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: &pb.Constraint{
		Kind: &pb.Constraint_Location{Location: &pb.Location{Resource: resource, Node: node, Score: 50}},
	}}}}
}

func (a *agent) change(t *testing.T, edits ...*pb.Edit) (*pb.ChangeResponse, error) {
	t.Helper()
	return a.cluster().Change(t.Context(), &pb.ChangeRequest{Edits: edits})
}

func TestBadChangeIsRefusedAndChangesNothing(t *testing.T) { // S8
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	other := w.boot("lvss").host().Addresses[0]
	dir := t.TempDir()
	good := map[string]string{"path": filepath.Join(dir, "flag")}
	_, err := a.change(t, create("flag", "ocf:quorate:file", good))
	must(t, err)

	tests := []struct {
		name  string
		edits []*pb.Edit
		code  codes.Code
		field string
		text  string
	}{
		{"nothing", nil, codes.InvalidArgument, "edits", "none"},
		{"an edit of another version", []*pb.Edit{{}}, codes.InvalidArgument, "edit", "nothing that this version knows"},
		{"an address where nobody answers", []*pb.Edit{updateNode(&pb.UpdateNode{Name: "lvsm", Addresses: []string{"127.0.0.1:1"}})}, codes.Unavailable, "host lvsm", "connect: "},
		{"an address where another answers", []*pb.Edit{updateNode(&pb.UpdateNode{Name: "lvsm", Addresses: []string{other}})}, codes.Unavailable, "host lvsm", "another machine answers there"},
		{"an address that is none", []*pb.Edit{updateNode(&pb.UpdateNode{Name: "lvsm", Addresses: []string{"10.0.0.1:x"}})}, codes.InvalidArgument, "host lvsm addr", "no port"},
		{"unknown agent", []*pb.Edit{create("x", "ocf:quorate:fle", good)}, codes.NotFound, "agent", `"ocf:quorate:fle" is unknown; did you mean ocf:quorate:file?`},
		{"missing parameter", []*pb.Edit{create("x", "ocf:quorate:file", nil)}, codes.InvalidArgument, "path", "is missing; add path="},
		{"unknown parameter", []*pb.Edit{create("x", "ocf:quorate:file", map[string]string{"path": dir, "paht": "/"})}, codes.InvalidArgument, "paht", "did you mean path?"},
		{"wrong type", []*pb.Edit{create("x", "ocf:quorate:file", map[string]string{"path": dir, "mode": "rw"})}, codes.InvalidArgument, "mode", `"rw" is not an integer`},
		{"wrong here", []*pb.Edit{create("x", "ocf:quorate:file", map[string]string{"path": "/nowhere/flag"})}, codes.InvalidArgument, "path", "/nowhere is no directory here; make it"},
		{"duplicate id", []*pb.Edit{create("flag", "ocf:quorate:file", good)}, codes.AlreadyExists, "resource id", "flag"},
		{"unknown operation", []*pb.Edit{create("x", "ocf:quorate:file", good, &pb.OperationSpec{Name: "monitr"})}, codes.InvalidArgument, "op monitr", "no such operation"},
		{"negative timeout", []*pb.Edit{create("x", "ocf:quorate:file", good, &pb.OperationSpec{Name: "stop", Timeout: durationpb.New(-time.Second)})}, codes.InvalidArgument, "op stop", "out of range"},
		{"unknown option of an operation", []*pb.Edit{create("x", "ocf:quorate:file", good, &pb.OperationSpec{Name: "stop", Options: map[string]string{"on-fial": "block"}})}, codes.InvalidArgument, "operation option on-fial", "no such operation option"},
		{"update to a wrong value", []*pb.Edit{update(&pb.UpdateResource{Id: "flag", SetParameters: map[string]string{"path": "/nowhere/flag"}})}, codes.InvalidArgument, "path", "/nowhere"},
		{"update that takes a required parameter", []*pb.Edit{update(&pb.UpdateResource{Id: "flag", UnsetParameters: []string{"path"}})}, codes.InvalidArgument, "path", "is missing"},
		{"update of nothing there", []*pb.Edit{update(&pb.UpdateResource{Id: "flga", SetParameters: good})}, codes.NotFound, "resource", "flga"},
		{"constraint on a missing node", []*pb.Edit{location("flag", "lvsx")}, codes.NotFound, "node", "lvsx"},
		{"the second of two", []*pb.Edit{create("x", "ocf:quorate:file", good), location("x", "lvsx")}, codes.NotFound, "node", "edit 2 of 2"},
		{"import with an unknown agent", []*pb.Edit{{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{
			Configuration: &pb.Configuration{Resources: []*pb.Resource{{Id: "x", Agent: "systemd:x"}}},
		}}}}, codes.NotFound, "agent", "systemd:x"},
	}
	before := w.store.Get()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.change(t, tt.edits...)
			wantRefusal(t, err, tt.code, tt.field, tt.text)
			if after := w.store.Get(); after.Index != before.Index || !proto.Equal(after.State, before.State) {
				t.Errorf("a refused change reached the log: index %d, was %d", after.Index, before.Index)
			}
		})
	}
}

func TestBadInputIsRefusedWithoutAQuorumToo(t *testing.T) { // S8
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	w.with(func() { w.lost = true })
	_, err := a.change(t, create("x", "ocf:quorate:fle", nil))
	wantRefusal(t, err, codes.NotFound, "agent", "unknown")
	_, err = a.change(t, create("x", "ocf:quorate:file", map[string]string{"path": "/flag"}))
	if reason, _ := Reason(err); reason != ReasonNotLeader {
		t.Errorf("good input without a leader: %v, want %s", err, ReasonNotLeader)
	}
}

func TestChangeFillsInWhatTheAgentSays(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	dir := t.TempDir()
	resp, err := a.change(t,
		create("flag", "ocf::heartbeat:File", map[string]string{"path": filepath.Join(dir, "flag")}),
		update(&pb.UpdateResource{Id: "flag", SetParameters: map[string]string{"mode": "5"}}),
		location("flag", "lvsm"),
	)
	must(t, err)
	r := state.ResourceByID(w.store.Get().State, "flag")
	if r.Agent != "ocf::heartbeat:File" || r.Parameters["mode"] != "5" || !r.Traits.GetReloadable() || r.Traits.GetLapse().AsDuration() != time.Second {
		t.Errorf("resource: %v, want the name as typed, mode 5 and the agent's traits", r)
	}
	if !slices.Contains(resp.Notes, "directory "+dir) || len(resp.Warnings) != 0 || resp.Index == 0 {
		t.Errorf("response: %v, want a note about %s and no warning", resp, dir)
	}
	if state.AssignmentOf(w.store.Get().State, "flag").GetNode() != a.identity.ID() {
		t.Error("the resource was not started")
	}
	if e := w.store.Get().State.Events; !slices.ContainsFunc(e, func(e *pb.Event) bool {
		return strings.HasPrefix(e.Actor, "root@lvsm (uid ") || strings.Contains(e.Actor, "@lvsm (uid ")
	}) {
		t.Errorf("no event names who asked: %v", e)
	}
}

func TestMachineInTroubleCanStillChangeOperations(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	must(t, w.commit(create("flag", "ocf:quorate:file", map[string]string{"path": "/vanished/flag"})))
	_, err := a.change(t, update(&pb.UpdateResource{Id: "flag", SetOperations: []*pb.OperationSpec{{Name: "monitor", Interval: durationpb.New(time.Minute)}}}))
	must(t, err)
	if ops := state.ResourceByID(w.store.Get().State, "flag").Operations; len(ops) != 1 || ops[0].Interval.AsDuration() != time.Minute {
		t.Errorf("operations: %v, want a monitor every minute", ops)
	}
}

func TestWitnessAsksANodeThatHosts(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("witness")
	a.setup(t, true)
	a.auth(t, b)
	_, err := read(a.cluster().AddNode(t.Context(), &pb.AddNodeRequest{Host: b.host(), Role: pb.Role_ROLE_WITNESS}))
	must(t, err)
	dir := t.TempDir()
	resp, err := b.change(t, create("flag", "ocf:quorate:file", map[string]string{"path": filepath.Join(dir, "flag")}))
	must(t, err)
	if !slices.Contains(resp.Notes, "directory "+dir) {
		t.Errorf("notes: %v, want those of lvsm", resp.Notes)
	}
	_, err = b.change(t, create("flag2", "ocf:quorate:file", map[string]string{"path": "/nowhere/flag"}))
	wantRefusal(t, err, codes.InvalidArgument, "path", "/nowhere is no directory here; make it")
}

func TestChangeWarnsWhenNothingCanRun(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, false)
	resp, err := a.change(t, create("flag", "ocf:quorate:file", map[string]string{"path": "/flag"}))
	must(t, err)
	if len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "cluster start --all") {
		t.Errorf("warnings: %q, want how to start the cluster", resp.Warnings)
	}
}

func TestStopHandsWorkOver(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	must(t, w.commit(create("flag", "ocf:quorate:file", map[string]string{"path": "/flag"}), location("flag", "lvsm")))
	if got := state.AssignmentOf(w.store.Get().State, "flag").GetNode(); got != a.identity.ID() {
		t.Fatalf("flag is on %s, want lvsm", got)
	}
	lines, err := read(b.cluster().Stop(t.Context(), &pb.StopRequest{Nodes: []string{"lvsm"}}))
	must(t, err)
	if got := state.AssignmentOf(w.store.Get().State, "flag").GetNode(); got != b.identity.ID() {
		t.Errorf("after stop flag is on %s, want lvss; said %v", got, lines)
	}
	if got := fmt.Sprint(lines); state.Votes(w.store.Get().State, a.identity.ID()) || !strings.Contains(got, "gave its vote back and may be switched off") {
		t.Errorf("after stop lvsm votes: %v; said %v", state.Votes(w.store.Get().State, a.identity.ID()), got)
	}
	_, err = read(b.cluster().Stop(t.Context(), &pb.StopRequest{Nodes: []string{"lvss", "nobody"}}))
	wantRefusal(t, err, codes.NotFound, "node", "nobody")
	if state.NodeByName(w.store.Get().State, "lvss").Stopped {
		t.Error("a refused stop stopped lvss (S8)")
	}
}

func TestTheLastNodeIsStoppedAndKeepsItsVote(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	for _, name := range []string{"lvsm", "lvss"} {
		lines, err := read(a.cluster().Stop(t.Context(), &pb.StopRequest{Nodes: []string{name}}))
		must(t, err)
		if got := fmt.Sprint(lines); strings.Contains(got, "vote") != (name == "lvsm") {
			t.Errorf("stop of %s said %v", name, got)
		}
	}
	lines, err := read(a.cluster().Start(t.Context(), &pb.StartRequest{All: true}))
	must(t, err)
	if got := w.store.Get().State.Electorate.Voters; len(got) != 2 {
		t.Errorf("voters after start --all: %v; said %v", got, lines)
	}
}

// Without the vote of the stopped node the others could decide nothing.
func TestStopSaysWhenTheVoteIsStillNeeded(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.setup(t, true, b, c)
	w.with(func() { c.member = false })
	w.gone(c)
	lines, err := read(a.cluster().Stop(t.Context(), &pb.StopRequest{Nodes: []string{"lvss"}}))
	must(t, err)
	if got := fmt.Sprint(lines); !strings.Contains(got, "still votes") {
		t.Errorf("stop said %v, want that lvss still votes", got)
	}
}

func TestStopSaysWhatCouldNotBeStopped(t *testing.T) { // S5
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	w.with(func() { w.stuck["flag"] = "device is busy" })
	must(t, w.commit(create("flag", "ocf:quorate:file", map[string]string{"path": "/flag"}), location("flag", "lvsm")))
	_, err := read(a.cluster().Stop(t.Context(), &pb.StopRequest{}))
	wantRefusal(t, err, codes.Aborted, "resource flag", "device is busy")
}
