package controller

import (
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// TestTimelineTellsOfAnAgentThatBeganAnew: killed and back before its silence was
// long enough to be found gone, it comes with a new epoch, which frees what it
// owned. Clients notice that.
func TestTimelineTellsOfAnAgentThatBeganAnew(t *testing.T) {
	owned := func(epoch, assigned, number uint64) *pb.State {
		st := &pb.State{
			Nodes:     []*pb.Node{{Id: "1", Name: "n1", Epoch: epoch, Admission: pb.Admission_ADMISSION_ADMITTED}},
			Resources: []*pb.Resource{{Id: "vip"}},
		}
		if number > 0 {
			st.Assignments = []*pb.Assignment{{Resource: "vip", Node: "1", Epoch: assigned, Number: number}}
			st.Instances = []*pb.Instance{{Resource: "vip", Node: "1", Epoch: assigned, State: pb.InstanceState_INSTANCE_STATE_RUNNING}}
		}
		return st
	}
	for name, states := range map[string][]*pb.State{
		"seen step by step": {owned(1, 1, 1), owned(2, 0, 0), owned(2, 2, 2)},
		"seen too late":     {owned(1, 1, 1), owned(2, 2, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			tl, now := newTimeline(), time.Now()
			var events []*pb.Event
			for i, st := range states {
				events = append(events, tl.observe(st, now.Add(time.Duration(i)*10*time.Millisecond))...)
			}
			if len(events) != 1 || events[0].Kind != "recovery" || events[0].Resource != "vip" || events[0].Node != "n1" {
				t.Errorf("told %v, want one recovery of vip on n1", events)
			}
		})
	}
}
