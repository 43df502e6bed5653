package state

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

// ended records the operation of vip on a that is under way as failed, with a ban.
func (c *cluster) ended(outcome pb.Outcome, ban pb.Ban) error {
	o := OperationOn(c.state(), "vip", "a")
	return c.propose(record(&pb.Result{
		Operation: o.Id, Kind: o.Kind, Resource: o.Resource, Node: o.Node, Epoch: o.Epoch, Assignment: o.Assignment,
		Outcome: outcome, Revision: ResourceByID(c.state(), "vip").GetRevision(), Error: "no program", Ban: ban,
	}))
}

func TestABanIsKeptWithTheRevisionThatMetIt(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a")
	if err := c.ended(pb.Outcome_OUTCOME_FAILED, pb.Ban_BAN_NODE); err != nil {
		t.Fatal(err)
	}
	i := InstanceOf(c.state(), "vip", "a")
	if i.Ban != pb.Ban_BAN_NODE || i.BanRevision != ResourceByID(c.state(), "vip").Revision || i.LastError != "no program" {
		t.Errorf("after a hard error: %v", i)
	}
	if events := c.state().Events; events[len(events)-1].Kind != "operation-failed" || events[len(events)-2].Kind != "banned" {
		t.Errorf("events: %v", events[len(events)-2:])
	}
	c.run("stop vip a\ndone vip a")
	if i := InstanceOf(c.state(), "vip", "a"); i.Ban != pb.Ban_BAN_NODE {
		t.Errorf("a stop ended the ban: %v", i)
	}
	c.run("cleanup vip a")
	if i := InstanceOf(c.state(), "vip", "a"); i.Ban != pb.Ban_BAN_UNSPECIFIED {
		t.Errorf("a cleanup left the ban: %v", i)
	}
}

func TestAProbeThatLacksSomethingBansAndFindsNothingRunning(t *testing.T) {
	c := newCluster(t)
	c.run("probe vip a")
	if err := c.ended(pb.Outcome_OUTCOME_NOT_RUNNING, pb.Ban_BAN_NODE); err != nil {
		t.Fatal(err)
	}
	i := InstanceOf(c.state(), "vip", "a")
	if i.State != pb.InstanceState_INSTANCE_STATE_STOPPED || i.Ban != pb.Ban_BAN_NODE || i.FailCount != 0 {
		t.Errorf("after the probe: %v", i)
	}
	c.run("probe vip a\nnotrunning vip a\nstart vip a\ndone vip a")
	if i := InstanceOf(c.state(), "vip", "a"); i.Ban != pb.Ban_BAN_UNSPECIFIED {
		t.Errorf("what runs is banned: %v", i)
	}
}

func TestASuccessPronouncesNoBanS8(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a")
	if err := c.ended(pb.Outcome_OUTCOME_DONE, pb.Ban_BAN_NODE); err == nil {
		t.Error("a start that was done banned the node")
	}
}

func TestAChangeOfWhatCannotBeReloadedRestarts(t *testing.T) {
	c := newCluster(t)
	change := func(parameter string) (revised, restarts bool) {
		t.Helper()
		before := ResourceByID(c.state(), "vip")
		err := c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{
			Id: "vip", SetParameters: map[string]string{parameter: before.Parameters[parameter] + "x"},
			Traits: &pb.Traits{Reloadable: true, ReloadableParameters: []string{"port"}},
		}}}))
		if err != nil {
			t.Fatal(err)
		}
		after := ResourceByID(c.state(), "vip")
		return after.Revision != before.Revision, after.Restart != before.Restart
	}
	change("first") // which gives it the traits
	if revised, restarts := change("port"); !revised || restarts {
		t.Errorf("port: revised %v, restarts %v; want a reload", revised, restarts)
	}
	if revised, restarts := change("file"); !revised || !restarts {
		t.Errorf("file: revised %v, restarts %v; want a restart", revised, restarts)
	}
}
