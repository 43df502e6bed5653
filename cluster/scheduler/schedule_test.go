package scheduler

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// A planCase is a state and the steps it takes, one a line.
type planCase struct{ name, state, want string }

func checkPlans(t *testing.T, cases []planCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			p := Schedule(parse(t, tt.state), noon)
			if got := p.String(); got != tt.want {
				t.Errorf("Schedule(%s)\n got %q\nwant %q\nproblems %q", tt.state, got, tt.want, p.Problems)
				for _, pl := range p.Placements {
					t.Logf("%s", pl.Reason())
				}
			}
		})
	}
}

func TestStartsAndStops(t *testing.T) {
	checkPlans(t, []planCase{
		{"starts what runs nowhere", "n1 online, n2 online; db", "start db n1\n"},
		{"stays where it runs", "n1 online, n2 online; db on n2", ""},
		{"goes where there is least to do", "n1 online, n2 online; a on n1; db", "start db n2\n"},
		{"returns to where it ran last", "n1 online, n2 online; db ran n2", "start db n2\n"},
		{"leaves a node in standby", "n1 online, n2 standby; db on n2", "stop db n2\nstart db n1\n"},
		{"leaves a stopped node", "n1 online, n2 stopped; db on n2", "stop db n2\nstart db n1\n"},
		{"replaces a gone owner", "n1 online, n2 gone; db", "start db n1\n"},
		{"a witness hosts nothing", "n1 witness, n2 online; db", "start db n2\n"},
		{"a node that never started hosts nothing", "n1 new, n2 online; db", "start db n2\n"},
		{"stops what is disabled", "n1 online; db on n1 target-role=Stopped", "stop db n1\n"},
		{"stops what is being deleted", "n1 online; db on n1 deleting", "stop db n1\n"},
		{"stops everything", "n1 online; db on n1; property stop-all-resources=true", "stop db n1\n"},
		{"recovers what failed", "n1 online, n2 online; db failed n2", "stop db n2\nstart db n2\n"},
		{"recovers what is no longer there", "n1 online, n2 online; db lost n2", "stop db n2\nstart db n2\n"},
		{"restarts on request", "n1 online; db restart n1", "stop db n1\nstart db n1\n"},
		{"restarts with a new configuration", "n1 online; db changed n1", "stop db n1\nstart db n1\n"},
		{"reloads where that is enough", "n1 online; db changed n1 reloadable", "reload db n1\n"},
		{"takes over what a probe found", "n1 online, n2 online; db found n2", "start db n2\n"},
		{"takes over nothing that failed", "n1 online; db broken n1", "stop db n1\nstart db n1\n"},
	})
}

func TestS4NoStartBeforeTheStop(t *testing.T) {
	checkPlans(t, []planCase{
		{"looks everywhere first", "n1 online, n2 online; db unknown n1 unknown n2", "probe db n1\nprobe db n2\nstart db n1\n"},
		{"looks on nodes that host nothing too", "n1 online, n2 standby; db unknown n2", "probe db n2\nstart db n1\n"},
		{"looks, but never at a witness", "n1 online, n2 witness; db unknown n2", "start db n1\n"},
		{"looks at what is in maintenance", "n1 online; db unknown n1 maintenance=true", "probe db n1\n"},
		{"stops first what runs twice", "n1 online, n2 online; db found n1 found n2", "stop db n1\nstop db n2\nstart db n1\n"},
		{"stops what runs beside the owner", "n1 online, n2 online; db found n1 on n2", "stop db n1\n"},
		{"waits for an orphan", "n1 online, n2 gone; db orphaned n2", ""},
		{"S5: a failed stop blocks", "n1 online, n2 online; db blocked n2", ""},
		{"S5: a failed stop blocks wherever it was", "n1 online, n2 stopped; db blocked n2", ""},
	})
}

func TestS4WhatWasLearnedInAnOlderEpochIsNotKnown(t *testing.T) {
	for name, forget := range map[string]func(*pb.State){
		"never probed":        func(s *pb.State) { s.Instances = nil },
		"admitted since then": func(s *pb.State) { s.Nodes[0].Epoch++; s.Nodes[1].Epoch++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, "n1 online, n2 online; db")
			forget(s)
			p := Schedule(s, noon)
			if got, want := p.String(), "probe db n1\nprobe db n2\nstart db n1\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got, want := ready(p), "probe db n1\nprobe db n2\n"; got != want {
				t.Errorf("ready: got %q, want %q", got, want)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	s := parse(t, "n1 online, n2 online; a; b unknown n1; c")
	s.OperationDefaults = map[string]string{"timeout": "7s"}
	s.Resources[0].Operations = []*pb.OperationSpec{{Name: "start", Timeout: durationpb.New(3 * time.Second)}}
	s.Resources[1].Operations = []*pb.OperationSpec{{Name: "monitor", Timeout: durationpb.New(4 * time.Second)}}
	want := map[string]time.Duration{"start a": 3 * time.Second, "probe b": 4 * time.Second, "start b": 7 * time.Second, "start c": 7 * time.Second}
	for _, step := range Schedule(s, noon).Steps {
		if what := verb(step.Kind) + " " + step.Resource; step.Timeout != want[what] {
			t.Errorf("%s may take %v, want %v", what, step.Timeout, want[what])
		}
	}
}

func TestMaintenance(t *testing.T) {
	checkPlans(t, []planCase{
		{"of the cluster", "n1 online, n2 standby; db failed n2; web; property maintenance-mode=true", ""},
		{"of a node", "n1 online, n2 maintenance; db failed n2; web", "start web n1\n"},
		{"of a resource", "n1 online, n2 standby; db on n2 maintenance=true", ""},
		{"of an unmanaged resource", "n1 online, n2 standby; db on n2 is-managed=false", ""},
		{"of a group", "n1 online, n2 standby; a on n2; b on n2; group g a b is-managed=false", ""},
	})
}

func TestOperationsInFlight(t *testing.T) {
	tests := []struct{ name, state, want, ready string }{
		{"a start is not planned twice", "n1 online, n2 online; db starting n1", "", ""},
		{"a stop is waited for", "n1 online, n2 standby; db stopping n2", "start db n1\n", ""},
		{"a probe is waited for", "n1 online, n2 online; db probing n2", "start db n1\n", ""},
		{"one probe of two", "n1 online, n2 online; db probing n2 unknown n1", "probe db n1\nstart db n1\n", "probe db n1\n"},
		{"a start is undone after it ended", "n1 online; db starting n1 target-role=Stopped", "stop db n1\n", ""},
		{"a start elsewhere is undone", "n1 online, n2 standby; db starting n2", "stop db n2\nstart db n1\n", ""},
		{"the next in a group waits", "n1 online; a starting n1; b; group g a b", "start b n1\n", ""},
		{"the one before in a group waits", "n1 standby; a on n1; b stopping n1; group g a b", "stop a n1\n", ""},
		{"a slow operation delays nothing else", "n1 online; a starting n1; b", "start b n1\n", "start b n1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Schedule(parse(t, tt.state), noon)
			if got := p.String(); got != tt.want {
				t.Errorf("Schedule(%s)\n got %q\nwant %q", tt.state, got, tt.want)
			}
			if got := ready(p); got != tt.ready {
				t.Errorf("Schedule(%s).Ready()\n got %q\nwant %q", tt.state, got, tt.ready)
			}
		})
	}
}
