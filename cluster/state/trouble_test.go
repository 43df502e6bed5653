package state

import (
	"slices"
	"testing"

	pb "quorate/proto/quorate/v1"
)

// told returns the kinds and texts of the events after the first n.
func told(s *pb.State, n int) []string {
	var list []string
	for _, e := range s.Events[n:] {
		list = append(list, e.Kind+": "+e.Text)
	}
	return list
}

func noCarrier(resource string) *pb.Obstacle {
	return &pb.Obstacle{Resource: resource, Kind: "carrier-lost", Text: "interface eth0 has no carrier"}
}

func trouble(l *pb.LocalTrouble) *pb.Command {
	l.Node = "a"
	return &pb.Command{Body: &pb.Command_LocalTrouble{LocalTrouble: l}}
}

func TestLocalTroubleIsToldOnceWhenItBeginsAndWhenItEnds(t *testing.T) {
	c := newCluster(t)
	steps := []struct {
		report *pb.LocalTrouble
		want   []string
	}{
		{&pb.LocalTrouble{Epoch: 1, Isolated: true}, []string{
			"node-isolated: na is isolated: it reaches none of the ping targets (), and hosts nothing while another node that reaches one can",
		}},
		{&pb.LocalTrouble{Epoch: 1, Isolated: true, Obstacles: []*pb.Obstacle{noCarrier("vip"), noCarrier("nothing"), noCarrier("vip")}}, []string{
			"carrier-lost: vip cannot run on na: interface eth0 has no carrier",
		}},
		{&pb.LocalTrouble{Epoch: 1, Isolated: true, Obstacles: []*pb.Obstacle{noCarrier("vip")}}, nil},
		{&pb.LocalTrouble{Epoch: 1}, []string{
			"node-reaches: na is no longer isolated",
			"obstacle-gone: vip may run on na again (it could not: interface eth0 has no carrier)",
		}},
	}
	for i, tt := range steps {
		before := len(c.state().Events)
		if err := c.propose(trouble(tt.report)); err != nil {
			t.Fatal(err)
		}
		if got := told(c.state(), before); !slices.Equal(got, tt.want) {
			t.Errorf("report %d: got %q, want %q", i, got, tt.want)
		}
	}
}

func TestIsolationKeepsTheIndexAtWhichItBegan(t *testing.T) {
	c := newCluster(t)
	report := func(l *pb.LocalTrouble) *pb.Reach {
		t.Helper()
		if err := c.propose(trouble(l)); err != nil {
			t.Fatal(err)
		}
		return NodeByID(c.state(), "a").Reach
	}
	began := report(&pb.LocalTrouble{Epoch: 1, Isolated: true}).Isolated
	if again := report(&pb.LocalTrouble{Epoch: 1, Isolated: true}).Isolated; again != began || began == 0 || Isolation(c.state(), "b") != began {
		t.Errorf("isolated since %d, then since %d, by Isolation since %d", began, again, Isolation(c.state(), "b"))
	}
	if own := Isolation(c.state(), "a"); own != 0 {
		t.Errorf("its own isolation counts: %d", own)
	}
	if r := report(&pb.LocalTrouble{Epoch: 1, Confirmed: 1 << 40}); r.Isolated != 0 || r.Confirmed != c.index {
		t.Errorf("reach is %v, want no isolation, and nothing confirmed later than now (%d)", r, c.index)
	}
	if r := report(&pb.LocalTrouble{Epoch: 1}); r.Confirmed < c.index-1 {
		t.Errorf("what was confirmed was taken back: %v", r)
	}
}

func TestLocalTroubleOfAnotherEpochIsStale(t *testing.T) {
	c := newCluster(t)
	for _, l := range []*pb.LocalTrouble{{Epoch: 2, Isolated: true}, {Epoch: 0, Isolated: true}} {
		if err := c.propose(trouble(l)); err == nil {
			t.Errorf("a report of epoch %d was accepted", l.Epoch)
		}
	}
	c.run("admit a")
	if err := c.propose(trouble(&pb.LocalTrouble{Epoch: 2, Isolated: true})); err != nil {
		t.Fatal(err)
	}
	c.run("admit a")
	if NodeByID(c.state(), "a").Reach.GetIsolated() == 0 {
		t.Error("a new epoch ended the isolation; only the node knows")
	}
}

func TestAnObstacleIsNoFailure(t *testing.T) {
	hindered := func(kind pb.OperationKind, o *pb.Operation) *pb.Command {
		return record(&pb.Result{
			Operation: o.GetId(), Kind: kind, Resource: "vip", Node: "a", Epoch: 1, Assignment: o.GetAssignment(),
			Outcome: pb.Outcome_OUTCOME_FAILED, Error: "interface eth0 has no carrier", Cause: "carrier-lost", Obstacle: true,
		})
	}
	t.Run("a start was not begun", func(t *testing.T) {
		c := newCluster(t)
		c.run("start vip a")
		if err := c.propose(hindered(pb.OperationKind_OPERATION_KIND_START, OperationOn(c.state(), "vip", "a"))); err != nil {
			t.Fatal(err)
		}
		if i := InstanceOf(c.state(), "vip", "a"); i.GetFailCount() != 0 || AssignmentOf(c.state(), "vip") != nil {
			t.Errorf("instance %v, assignment %v; want no failure and no owner", i, AssignmentOf(c.state(), "vip"))
		}
		c.run("start vip b")
	})
	t.Run("what runs has failed, and is stopped first", func(t *testing.T) {
		c := newCluster(t)
		c.run("start vip a\ndone vip a")
		owned := AssignmentOf(c.state(), "vip")
		before := len(c.state().Events)
		found := hindered(pb.OperationKind_OPERATION_KIND_MONITOR, &pb.Operation{Assignment: owned.Number})
		for range 2 {
			if err := c.propose(found); err != nil {
				t.Fatal(err)
			}
		}
		i := InstanceOf(c.state(), "vip", "a")
		if i.State != pb.InstanceState_INSTANCE_STATE_FAILED || i.FailCount != 0 || AssignmentOf(c.state(), "vip") == nil {
			t.Errorf("instance %v, want failed, not counted, and owned", i)
		}
		if got, want := told(c.state(), before), []string{"carrier-lost: vip cannot run on na: interface eth0 has no carrier"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if o := ObstacleOf(NodeByID(c.state(), "a"), "vip"); o.GetKind() != "carrier-lost" {
			t.Errorf("obstacle is %v", o)
		}
	})
}

func TestACauseNamesTheEvent(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a\ndone vip a")
	before := len(c.state().Events)
	if err := c.propose(record(&pb.Result{
		Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: "vip", Node: "a", Epoch: 1, Assignment: AssignmentOf(c.state(), "vip").Number,
		Outcome: pb.Outcome_OUTCOME_NOT_RUNNING, Error: "192.0.2.10 was removed from eth0 by another hand", Cause: "address-removed",
	})); err != nil {
		t.Fatal(err)
	}
	want := []string{"address-removed: monitor of vip on na failed: 192.0.2.10 was removed from eth0 by another hand"}
	if got := told(c.state(), before); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
