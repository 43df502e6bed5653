package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Every way in which two or three voters may stand with each other is drawn, in
// the words of one of them.
func TestQuorumSaysInPlainWordsWhatMayStillFail(t *testing.T) {
	tests := []struct {
		name string
		pair *pb.PairStatus // with peer and since filled in
		set  func(*pb.GetResponse)
	}{
		{"a pair whose policy is stop", nil, func(*pb.GetResponse) {}},
		{"the same, one silent", nil, silent},
		{"a pair with ping targets", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_TOGETHER, Checked: true}, nil},
		{"a pair without", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_TOGETHER}, nil},
		{"a pair with fencing", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_TOGETHER, Fenced: true}, nil},
		{"silence", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_SUSPECT}, silent},
		{"deciding", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_DECIDING, Reason: "asking the network for VirtualIP"}, silent},
		{"held back", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_HELD_BACK, Reason: "another host, 02:00:00:00:00:01 on eth0, answers for 10.0.0.100 (VirtualIP)"}, silent},
		{"cut off", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_CUT_OFF, Checked: true, Reason: "no ping target answers, so it is this node that is cut off"}, silent},
		{"waiting", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_WAITING, Reason: "lvss was not heard since this agent started"}, silent},
		{"alone", &pb.PairStatus{Phase: pb.PairPhase_PAIR_PHASE_ALONE}, func(r *pb.GetResponse) {
			r.State.Electorate.Voters = []string{"1"}
			r.State.Nodes[1].Admission = pb.Admission_ADMISSION_GONE
		}},
		{"with a witness", nil, func(r *pb.GetResponse) {
			r.State.Properties = nil
			r.State.Nodes = append(r.State.Nodes, &pb.Node{Id: "3", Name: "web1", Role: pb.Role_ROLE_WITNESS, Admission: pb.Admission_ADMISSION_ADMITTED})
			r.State.Electorate.Voters = []string{"1", "2", "3"}
		}},
		{"three voters", nil, func(r *pb.GetResponse) {
			r.State.Properties = nil
			r.State.Nodes = append(r.State.Nodes, &pb.Node{Id: "3", Name: "web1", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED})
			r.State.Electorate.Voters = []string{"1", "2", "3"}
		}},
		{"one stopped, and one gone for long", nil, func(r *pb.GetResponse) {
			r.State.Properties = nil
			r.State.Nodes = append(r.State.Nodes,
				&pb.Node{Id: "3", Name: "web1", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_GONE},
				&pb.Node{Id: "4", Name: "web2", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED, Stopped: true})
		}},
	}
	var b strings.Builder
	for _, tt := range tests {
		r := together(tt.pair)
		if tt.set != nil {
			tt.set(r)
		}
		fmt.Fprintf(&b, "==== %s\n", tt.name)
		if err := Quorum(&b, r, at, Options{Program: "quorate"}); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, "testdata/quorum.golden", b.String())
}

// together is the answer of lvsm while it hears lvss.
func together(p *pb.PairStatus) *pb.GetResponse {
	policy := "stop"
	if p != nil {
		policy = "ignore"
		p.Peer, p.Since = "2", durationpb.New(5*time.Minute)
	}
	return &pb.GetResponse{
		State: &pb.State{
			ClusterId: "c", ClusterName: "auth_cluster", Properties: map[string]string{"no-quorum-policy": policy},
			Nodes: []*pb.Node{
				{Id: "1", Name: "lvsm", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED},
				{Id: "2", Name: "lvss", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED},
			},
			Electorate: &pb.Electorate{Voters: []string{"1", "2"}},
		},
		Node: "1", NodeName: "lvsm", Quorate: true, Leader: "1", Pair: p,
		Links: []*pb.Link{{Node: "2", Address: "10.0.0.2:7480", Up: true}},
	}
}

func silent(r *pb.GetResponse) {
	r.Quorate, r.Leader = false, ""
	r.Links[0].Up, r.Links[0].LastHeard = false, durationpb.New(5*time.Minute)
}
