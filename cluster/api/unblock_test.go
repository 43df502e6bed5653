package api

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "quorate/proto/quorate/v1"
)

func TestANodeThatWaitsForItsPeerIsToldToGoOn(t *testing.T) {
	w, desk := desk(t)
	a, c := w.agents[0], clusterService{Server: desk.Server}
	if _, err := c.Unblock(t.Context(), &pb.UnblockRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("of a node that waits for nobody: %v", err)
	}
	a.pair = &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_WAITING}
	if _, err := c.Unblock(t.Context(), &pb.UnblockRequest{}); err != nil {
		t.Error(err)
	}
	r, err := desk.Get(t.Context(), &pb.GetRequest{})
	if err != nil || r.Pair.GetPhase() != pb.PairPhase_PAIR_PHASE_SUSPECT {
		t.Errorf("the status says %v, %v; want what the node sees", r.GetPair(), err)
	}
}

// Raft does not keep how far it had committed, so a node that boots without the
// others knows no more than its last snapshot for certain.
func TestANodeThatHeardNobodySaysWhatItKnewBefore(t *testing.T) {
	w, desk := desk(t)
	w.agents[0].known = &pb.State{ClusterId: "c", ClusterName: "office", Nodes: []*pb.Node{{Id: "1", Name: "lvss"}}}
	r, err := desk.Get(t.Context(), &pb.GetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.State.Nodes) != 1 || len(r.Placements) > 0 || !strings.Contains(strings.Join(r.Problems, "\n"), "this is what it knew before") {
		t.Errorf("the status is %v", r)
	}
}
