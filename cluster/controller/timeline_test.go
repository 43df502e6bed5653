package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// TestTimelineTellsOfAnAgentThatBeganAnew: killed and back before its silence was
// long enough to be found gone, it comes with a new epoch, which frees what it
// owned. Clients notice that.
func TestTimelineTellsOfAnAgentThatBeganAnew(t *testing.T) {
	owned := func(epoch, assigned, number uint64) *pb.State {
		st := &pb.State{
			Events:    []*pb.Event{{Kind: "start", Resource: "vip", Node: "n1", Assignment: 1}},
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

// TestTimelineTellsOfAPassageThatItsLeaderTookAlong: the leader that saw why a
// resource left its node lost its term before it could tell, so that the next one
// tells at least that it moved, once.
func TestTimelineTellsOfAPassageThatItsLeaderTookAlong(t *testing.T) {
	state := func(known ...*pb.Event) *pb.State {
		return &pb.State{
			Events:      known,
			Nodes:       []*pb.Node{{Id: "1", Name: "n1", Epoch: 1}, {Id: "2", Name: "n2", Epoch: 1}},
			Resources:   []*pb.Resource{{Id: "vip"}},
			Assignments: []*pb.Assignment{{Resource: "vip", Node: "2", Epoch: 1, Number: 2}},
			Instances:   []*pb.Instance{{Resource: "vip", Node: "2", Epoch: 1, State: pb.InstanceState_INSTANCE_STATE_RUNNING}},
		}
	}
	for name, tt := range map[string]struct {
		known []*pb.Event
		want  string
	}{
		"it was on another node":       {[]*pb.Event{{Kind: "start", Resource: "vip", Node: "n1", Assignment: 1}}, "move"},
		"it was told":                  {[]*pb.Event{{Kind: "failover", Resource: "vip", Node: "n2", Assignment: 2}}, ""},
		"it was away and came back":    {[]*pb.Event{{Kind: "start", Resource: "vip", Node: "n2", Assignment: 1}}, "recovery"},
		"nothing was ever told":        {nil, "start"},
		"something else of it is told": {[]*pb.Event{{Kind: "operation-failed", Resource: "vip", Node: "n2"}}, "start"},
	} {
		t.Run(name, func(t *testing.T) {
			tl, now := newTimeline(), time.Now()
			got := ""
			for range 2 {
				for _, e := range tl.observe(state(tt.known...), now) {
					got += e.Kind
				}
			}
			if got != tt.want {
				t.Errorf("told %q, want %q", got, tt.want)
			}
		})
	}
}

// TestTimelineTellsOfEachInstanceOfAClone: instances start, are restarted and
// come back on their own nodes, and move nowhere.
func TestTimelineTellsOfEachInstanceOfAClone(t *testing.T) {
	st := &pb.State{
		Nodes: []*pb.Node{
			{Id: "1", Name: "n1", Epoch: 1, Admission: pb.Admission_ADMISSION_ADMITTED},
			{Id: "2", Name: "n2", Epoch: 1, Admission: pb.Admission_ADMISSION_ADMITTED},
		},
		Resources: []*pb.Resource{{Id: "web"}},
		Clones:    []*pb.Clone{{Id: "web-clone", Member: "web"}},
	}
	own := func(node string, number uint64) {
		st.Assignments = append(st.Assignments, &pb.Assignment{Resource: "web", Node: node, Epoch: 1, Number: number})
		st.Instances = append(st.Instances, &pb.Instance{
			Resource: "web", Node: node, Epoch: 1, Revision: 1, State: pb.InstanceState_INSTANCE_STATE_RUNNING,
		})
	}
	tl, now := newTimeline(), time.Now()
	look := func(want ...string) {
		t.Helper()
		now = now.Add(10 * time.Millisecond)
		seen := proto.CloneOf(st)
		var got []string
		for _, e := range tl.observe(seen, now) {
			st.Events = append(st.Events, e)
			got = append(got, e.Kind+" "+e.Node)
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	look()
	own("1", 1)
	own("2", 2)
	look("start n1", "start n2")
	st.Assignments[1].Revoking = true
	look()
	st.Assignments, st.Instances = st.Assignments[:1], st.Instances[:1]
	look()
	own("2", 3)
	look("recovery n2")
	st.Assignments[1].Revoking = true
	st.Operations = []*pb.Operation{{Kind: pb.OperationKind_OPERATION_KIND_STOP, Resource: "web", Node: "2", Reason: "web cannot run on n2: n2 is in standby"}}
	look()
	st.Assignments, st.Instances, st.Operations = st.Assignments[:1], st.Instances[:1], nil
	look("stop n2")
	own("2", 4)
	look("recovery n2")
	if text := st.Events[len(st.Events)-1].Text; !strings.Contains(text, "web was started on n2 again") {
		t.Errorf("after a standby the event is %q", text)
	}
	st.Nodes[1].Admission = pb.Admission_ADMISSION_GONE
	st.Assignments, st.Instances = st.Assignments[:1], st.Instances[:1]
	look()
	st.Nodes[1].Admission = pb.Admission_ADMISSION_ADMITTED
	look()
	own("2", 5)
	look("recovery n2")
	if text := st.Events[len(st.Events)-1].Text; !strings.Contains(text, "web was started on n2 again") {
		t.Errorf("the last event is %q", text)
	}
}
