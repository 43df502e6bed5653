package node

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func TestEveryProfileThatMayBeSetIsOneWhoseTimersAgree(t *testing.T) {
	for _, p := range profiles {
		first := &pb.Bootstrap{
			ClusterId: "c", ClusterName: "c", Properties: map[string]string{"profile": p.Name},
			Node: &pb.Node{Id: "a", Name: "a", Addresses: []string{"a:1"}, Role: pb.Role_ROLE_VOTER},
		}
		st, _, err := state.Step(&pb.State{}, 1, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: first}})
		if err != nil {
			t.Fatal(err)
		}
		if got := profileByName(state.Property(st, "profile")); got != p {
			t.Errorf("with profile=%s a node runs %+v, want %+v", p.Name, got, p)
		}
		r := p.Raft
		if r.LeaderLease > r.Heartbeat || r.Heartbeat > r.Election {
			t.Errorf("%s: raft wants leader lease <= heartbeat <= election, they are %v, %v, %v", p.Name, r.LeaderLease, r.Heartbeat, r.Election)
		}
		if p.Beat*6 > p.Lease+p.Beat/6 {
			t.Errorf("%s: beats each %v in a lease of %v are not six", p.Name, p.Beat, p.Lease)
		}
		if p.Raft.Heartbeat >= p.Lease {
			t.Errorf("%s: a leader is missed only after %v, when leases of %v are over", p.Name, p.Raft.Heartbeat, p.Lease)
		}
	}
	if got := state.Property(&pb.State{}, "profile"); profileByName("") != profileByName(got) {
		t.Errorf("the default is %s there and %s here", got, profileByName("").Name)
	}
}

func TestANodeRemembersTheProfileForItsNextStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profile")
	log := slog.New(slog.DiscardHandler)
	if got := openProfile(path, log).run().Name; got != "lan" {
		t.Errorf("without a file: %q, want lan", got)
	}
	openProfile(path, log).learn("fast")
	if got := openProfile(path, log).run().Name; got != "fast" {
		t.Errorf("after fast was learned: %q", got)
	}
}

func TestTimingNamesTheNodesThatRunAnotherProfile(t *testing.T) {
	node := func(name string, lease time.Duration) *pb.Node {
		return &pb.Node{Name: name, Admission: pb.Admission_ADMISSION_ADMITTED, Lease: durationpb.New(lease)}
	}
	st := &pb.State{
		Properties: map[string]string{"profile": "fast"},
		Nodes:      []*pb.Node{node("a", 120*time.Millisecond), node("b", 400*time.Millisecond), node("c", 10*time.Second)}, // c restarts
	}
	got := timing(profileByName("lan"), st)
	if got.Profile != "lan" || got.Configured != "fast" || len(got.Others) != 1 || got.Others[0] != "b runs lan" {
		t.Errorf("got %v", got)
	}
	if got.Failover.AsDuration() >= got.FailoverOfLeader.AsDuration() {
		t.Errorf("an owner that leads is replaced after %v, another after %v", got.FailoverOfLeader.AsDuration(), got.Failover.AsDuration())
	}
}
