package api

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func property(name, value string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
		Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{name: value},
	}}}
}

// serving boots a cluster of one that serves flag.
func serving(t *testing.T) (*world, *agent) {
	t.Helper()
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	_, err := a.change(t, create("flag", "ocf:quorate:file", map[string]string{"path": filepath.Join(t.TempDir(), "flag")}))
	must(t, err)
	return w, a
}

func TestADryRunChangesNothingAndSaysWhatWould(t *testing.T) {
	w, a := serving(t)
	before := w.store.Get()
	resp, err := a.cluster().Change(t.Context(), &pb.ChangeRequest{DryRun: true, Edits: []*pb.Edit{
		property("symmetric-cluster", "false"),
	}})
	must(t, err)
	f := resp.Forecast
	if len(f.GetActions()) != 1 || f.Actions[0].Action != "stop" || f.Actions[0].From != "lvsm" || len(f.Interruptions) != 1 {
		t.Errorf("got %v, want a stop of flag on lvsm, to be asked about", f)
	}
	if f.GetConfiguration().GetAfter().GetProperties()["symmetric-cluster"] != "false" {
		t.Errorf("configuration: %v", f.GetConfiguration())
	}
	if after := w.store.Get(); resp.Index != 0 || after.Index != before.Index {
		t.Errorf("a dry run reached the log: index %d, was %d", after.Index, before.Index)
	}
	_, err = a.cluster().Change(t.Context(), &pb.ChangeRequest{DryRun: true, Edits: []*pb.Edit{create("x", "ocf:quorate:fle", nil)}})
	wantRefusal(t, err, codes.NotFound, "agent", "unknown") // S8
}

// The copy of the state must know that a restart was asked for after the start.
func TestADryRunForetellsARestart(t *testing.T) {
	_, a := serving(t)
	restart := &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: "flag"}}}
	resp, err := a.cluster().Change(t.Context(), &pb.ChangeRequest{DryRun: true, Edits: []*pb.Edit{restart}})
	must(t, err)
	if list := resp.GetForecast().GetActions(); len(list) != 1 || list[0].Action != "restart" {
		t.Errorf("got %v, want a restart", list)
	}
}

func TestAChangeThatInterruptsIsRefusedUnlessForced(t *testing.T) {
	w, a := serving(t)
	before := w.store.Get()
	edits := []*pb.Edit{property("symmetric-cluster", "false")}
	_, err := a.change(t, edits...)
	wantRefusal(t, err, codes.FailedPrecondition, "", "interrupts what it does not name: flag would stop on lvsm")
	if reason, _ := Reason(err); reason != ReasonInterrupts {
		t.Errorf("reason %s, want %s", reason, ReasonInterrupts)
	}
	if !slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool {
		f, ok := d.(*pb.Forecast)
		return ok && len(f.GetInterruptions()) == 1
	}) {
		t.Errorf("details %v, want the interruptions", status.Convert(err).Details())
	}
	if after := w.store.Get(); after.Index != before.Index {
		t.Errorf("a refused change reached the log: index %d, was %d", after.Index, before.Index)
	}
	_, err = a.cluster().Change(t.Context(), &pb.ChangeRequest{Edits: edits, Force: true})
	must(t, err)
	if state.AssignmentOf(w.store.Get().State, "flag") != nil {
		t.Error("forced, flag was not stopped")
	}
}

func TestSimulateSaysWhatWouldHappen(t *testing.T) {
	w, a := serving(t)
	before := w.store.Get()
	ask := func(r *pb.SimulateRequest) (*pb.SimulateResponse, error) { return a.status().Simulate(t.Context(), r) }
	resp, err := ask(&pb.SimulateRequest{WhatIf: &pb.WhatIf{NodeDown: []string{"lvsm"}}})
	must(t, err)
	f := resp.GetForecast()
	if resp.Index != before.Index || len(f.GetActions()) != 1 || f.Actions[0].Action != "stop" || !strings.Contains(f.Actions[0].Reason, "0 of 1 voters") {
		t.Errorf("got %v at index %d", f, resp.Index)
	}
	for want, r := range map[string]*pb.SimulateRequest{
		`"nobody"`: {WhatIf: &pb.WhatIf{NodeDown: []string{"nobody"}}},
		"unknown":  {Edits: []*pb.Edit{create("x", "ocf:quorate:fle", nil)}},
	} {
		if _, err := ask(r); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s not found", r, err, want)
		}
	}
	if after := w.store.Get(); after.Index != before.Index || !proto.Equal(after.State, before.State) {
		t.Error("a simulation changed something")
	}
}

func TestCheckpointsAreListedAndRestored(t *testing.T) {
	w, a := serving(t)
	must(t, w.commit(property("symmetric-cluster", "true")))
	resp, err := a.status().Checkpoints(t.Context(), &pb.CheckpointsRequest{})
	must(t, err)
	list := resp.GetCheckpoints()
	if len(list) < 2 || list[len(list)-1].Change != nil || list[len(list)-1].Text == "" {
		t.Fatalf("got %v, want headings", list)
	}
	earlier := list[len(list)-2].Number
	old, err := a.status().Checkpoints(t.Context(), &pb.CheckpointsRequest{Number: earlier})
	must(t, err)
	_, err = a.change(t, &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Checkpoint: earlier}}})
	must(t, err)
	now := w.store.Get().State
	if !proto.Equal(state.Configuration(now), old.GetConfiguration()) {
		t.Errorf("restored\n%v\nwant\n%v", state.Configuration(now), old.GetConfiguration())
	}
	if !state.ResourceByID(now, "flag").GetTraits().GetReloadable() {
		t.Error("the restored resource lacks its agent's traits")
	}
	_, err = a.status().Checkpoints(t.Context(), &pb.CheckpointsRequest{Number: 999})
	wantRefusal(t, err, codes.NotFound, "checkpoint", "kept are")
	shown, err := a.status().Get(t.Context(), &pb.GetRequest{})
	must(t, err)
	if len(shown.GetState().GetCheckpoints()) > 0 {
		t.Error("the status carries checkpoints")
	}
}
