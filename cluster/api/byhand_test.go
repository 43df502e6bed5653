package api

import (
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// stoppedScript makes a resource that is not to run.
func stoppedScript(t *testing.T, id string) *pb.Edit {
	t.Helper()
	e := create(id, "script:here", map[string]string{"path": filepath.Join(t.TempDir(), id)})
	e.GetCreateResource().GetResource().Meta = map[string]string{"target-role": "Stopped"}
	return e
}

const byHandStart = pb.OperationKind_OPERATION_KIND_START

func TestWhatIsDoneByHandIsCommittedBeforeAndAfter(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.kinds.Extend(scripts{"script:here": true})
	a.setup(t, true)
	_, err := a.change(t, stoppedScript(t, "x"))
	must(t, err)
	answer, err := a.cluster().RunByHand(t.Context(), &pb.RunByHandRequest{Resource: "x", Action: byHandStart, Trace: true})
	if err != nil || answer.Output != "OPERATION_KIND_START told 0 trace true" || answer.Node != "lvsm" {
		t.Fatalf("a start: %v, %v", answer, err)
	}
	if i := state.InstanceOf(w.store.Get().State, "x", a.id()); !i.GetByHand() {
		t.Errorf("after the start the state says %v", i)
	}
	_, err = a.cluster().RunByHand(t.Context(), &pb.RunByHandRequest{Resource: "x", Action: pb.OperationKind_OPERATION_KIND_STOP})
	must(t, err)
	if i := state.InstanceOf(w.store.Get().State, "x", a.id()); i.GetByHand() {
		t.Errorf("after the stop the state says %v", i)
	}
	before := w.store.Get().Index
	_, err = a.cluster().RunByHand(t.Context(), &pb.RunByHandRequest{Resource: "x", Action: pb.OperationKind_OPERATION_KIND_MONITOR})
	if must(t, err); w.store.Get().Index != before {
		t.Error("a monitor was committed")
	}
}

func TestWhatCannotBeDoneByHandIsRefusedS8(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.kinds.Extend(scripts{"script:here": true})
	a.setup(t, true)
	for _, id := range []string{"x", "y"} {
		_, err := a.change(t, stoppedScript(t, id))
		must(t, err)
	}
	_, err := a.change(t, &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{Group: "g", Resources: []string{"x", "y"}}}})
	must(t, err)
	byHand := func(r *pb.RunByHandRequest) error {
		_, err := a.cluster().RunByHand(t.Context(), r)
		return err
	}
	wantRefusal(t, byHand(&pb.RunByHandRequest{Resource: "z", Action: byHandStart}), codes.NotFound, "resource", `there is no resource "z"`)
	wantRefusal(t, byHand(&pb.RunByHandRequest{Resource: "g", Action: byHandStart}), codes.InvalidArgument, "resource", "g is of several; name one of x, y")
	wantRefusal(t, byHand(&pb.RunByHandRequest{Resource: "x", Action: pb.OperationKind_OPERATION_KIND_PROMOTE}), codes.InvalidArgument, "resource", "x is in no promotable clone")
	wantRefusal(t, byHand(&pb.RunByHandRequest{Resource: "x"}), codes.InvalidArgument, "action", "is nothing that is done by hand")
}
