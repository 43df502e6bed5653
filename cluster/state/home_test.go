package state

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

// play applies commands to a state and
// returns the one after them.
func play(t *testing.T, s *pb.State, commands ...*pb.Command) *pb.State {
	t.Helper()
	for i, c := range commands {
		next, _, err := Step(s, uint64(100+i), c)
		if err != nil {
			t.Fatalf("command %d, %v: %v", i, c, err)
		}
		s = next
	}
	return s
}

func twoNodes() *pb.State {
	admitted := func(name string) *pb.Node {
		return &pb.Node{Id: name, Name: name, Role: pb.Role_ROLE_VOTER, Epoch: 1, Nonce: 1, Admission: pb.Admission_ADMISSION_ADMITTED}
	}
	stopped := func(node string) *pb.Instance {
		return &pb.Instance{Resource: "vip", Node: node, Epoch: 1, State: pb.InstanceState_INSTANCE_STATE_STOPPED}
	}
	return &pb.State{
		ClusterId: "c", Nodes: []*pb.Node{admitted("a"), admitted("b")},
		Resources: []*pb.Resource{{Id: "vip", Agent: "vip", Revision: 7, Move: &pb.Move{Node: "a"}}},
		Instances: []*pb.Instance{stopped("a"), stopped("b")},
	}
}

func intent(kind pb.OperationKind, node string) *pb.Command {
	return &pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{
		{Kind: kind, Resource: "vip", Node: node, Epoch: 1},
	}}}}
}

func result(id uint64, kind pb.OperationKind, node string) *pb.Command {
	return &pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: &pb.Result{
		Operation: id, Kind: kind, Resource: "vip", Node: node, Epoch: 1, Assignment: 1,
		Outcome: pb.Outcome_OUTCOME_DONE, Revision: 7,
	}}}}
}

func TestAMoveIsOverOnceTheResourceStartsElsewhere(t *testing.T) {
	for node, want := range map[string]bool{"a": true, "b": false} {
		s := play(t, twoNodes(), intent(pb.OperationKind_OPERATION_KIND_START, node))
		if got := ResourceByID(s, "vip").Move != nil; got != want {
			t.Errorf("moved to a, started on %s: the move is kept %v, want %v", node, got, want)
		}
	}
}

func TestAStopKeepsWhereTheResourceWasAtHome(t *testing.T) {
	start, stop := pb.OperationKind_OPERATION_KIND_START, pb.OperationKind_OPERATION_KIND_STOP
	s := play(t, twoNodes(), intent(start, "a"), result(1, start, "a"), intent(stop, "a"), result(2, stop, "a"))
	if got := InstanceOf(s, "vip", "a"); got.State != pb.InstanceState_INSTANCE_STATE_STOPPED || got.Revision != 7 {
		t.Errorf("after start and stop on a: %v, want stopped with revision 7", got)
	}
}
