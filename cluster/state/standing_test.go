package state

import (
	"slices"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

func TestANodesStandingIsKeptWithItsTimeUntilItsNextEpoch(t *testing.T) {
	c := newCluster(t)
	report := func(ready bool) *pb.Standing {
		t.Helper()
		l := &pb.LocalTrouble{Epoch: 1, Standings: []*pb.Standing{
			{Resource: "vip", Ready: ready, Text: "connections"}, {Resource: "nothing", Ready: true}, {Resource: "vip", Ready: !ready},
		}}
		if err := c.propose(trouble(l)); err != nil {
			t.Fatal(err)
		}
		if n := NodeByID(c.state(), "a"); len(n.Standings) != 1 {
			t.Fatalf("standings are %v, want one of vip", n.Standings)
		}
		return StandingOf(NodeByID(c.state(), "a"), "vip")
	}
	before := len(c.state().Events)
	first, again := report(false), report(false)
	if first.Ready || !again.Since.AsTime().Equal(first.Since.AsTime()) {
		t.Errorf("reported twice: %v, then %v", first, again)
	}
	ready := report(true)
	if !ready.Ready || ready.Since.AsTime().Before(first.Since.AsTime()) || ready.Since.AsTime().Equal(time.Time{}) {
		t.Errorf("ready: %v after %v", ready, first)
	}
	if got, want := told(c.state(), before), []string{"ready: na is ready to take vip over: connections"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	c.run("admit a")
	if n := NodeByID(c.state(), "a"); len(n.Standings) > 0 {
		t.Errorf("in a new epoch it stands already: %v", n.Standings)
	}
}
