package forecast

import (
	"errors"
	"strings"
	"testing"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func TestSimulations(t *testing.T) {
	tests := []struct {
		name, before string
		what         *pb.WhatIf
		want         string
	}{
		{"nothing", "", &pb.WhatIf{}, ""},
		{"a node lost", "", &pb.WhatIf{NodeDown: []string{"n1"}}, "move db n1 n2\nmove web n1 n3\n"},
		{"one that runs nothing", "", &pb.WhatIf{NodeDown: []string{"n3"}}, ""},
		{"two of three lost", "", &pb.WhatIf{NodeDown: []string{"n1", "n3"}}, "stop db n1\nstop log n2\nstop web n1\n"},
		{"but with a quorum", "", &pb.WhatIf{NodeDown: []string{"n1", "n3"}, Quorum: "yes"}, "move db n1 n2\nmove web n1 n2\n"},
		{"no quorum", "", &pb.WhatIf{Quorum: "no"}, "stop db n1\nstop log n2\nstop web n1\n"},
		{"a standby", "", &pb.WhatIf{Standby: []string{"n2"}}, "move log n2 n3\n"},
		{"a failure", "", &pb.WhatIf{Fail: []string{"web"}}, "recover web n1 n1\n"},
		{"a failure that counts", "meta web migration-threshold=1", &pb.WhatIf{Fail: []string{"web"}}, "move web n1 n3\n"},
		{"a failure there", "", &pb.WhatIf{Fail: []string{"web@n1"}}, "recover web n1 n1\n"},
		{"a failed start elsewhere", "", &pb.WhatIf{Fail: []string{"web@n3"}, NodeDown: []string{"n1"}}, "move db n1 n2\nmove web n1 n2\n"},
		{"a node back", "standby n1\nunstandby n1\ndefault failback=manual", &pb.WhatIf{NodeUp: []string{"n1"}}, ""},
		{"lost, and back", "", &pb.WhatIf{NodeUp: []string{"n1"}, NodeDown: []string{"n2"}}, "move log n2 n3\n"},
		{"a property", "", &pb.WhatIf{Set: map[string]string{"stop-all-resources": "true"}}, "stop db n1\nstop log n2\nstop web n1\n"},
		{"a node of a clone lost", "clone web", &pb.WhatIf{NodeDown: []string{"n2"}}, "move log n2 n3\nstop web n2\n"},
		{"a node of a clone on two lost", "clone web clone-max=2\nlocation web-clone n3 20", &pb.WhatIf{NodeDown: []string{"n1"}},
			"move db n1 n2\nstop web n1\nstart web n2\n"},
		{"an instance of a clone fails", "clone web", &pb.WhatIf{Fail: []string{"web@n3"}}, "recover web n3 n3\n"},
		{"an instance of a clone fails for good", "clone web migration-threshold=1", &pb.WhatIf{Fail: []string{"web@n3"}}, "stop web n3\n"},
		{"no quorum for a clone", "clone web", &pb.WhatIf{Quorum: "no"}, "stop db n1\nstop log n2\nstop web n1\nstop web n2\nstop web n3\n"},
		{"one that is unset", "property symmetric-cluster=true", &pb.WhatIf{Set: map[string]string{"symmetric-cluster": ""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, settled+"\n"+tt.before)
			f, err := Simulate(w.state, w.state, tt.what, noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := actions(f); got != tt.want {
				t.Errorf("%v\n got\n%swant\n%s", tt.what, got, tt.want)
			}
			for _, a := range f.Actions {
				if !strings.HasPrefix(a.Reason, a.Resource+" ") {
					t.Errorf("%v has no sentence for a reason", a)
				}
			}
		})
	}
}

// A node that is really lost leads to what was foretold, and its return too.
func TestALostNodeIsAsSupposed(t *testing.T) {
	w := newWorld(t, settled)
	want, err := Simulate(w.state, w.state, &pb.WhatIf{NodeDown: []string{"n1"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	w.lose("n1")
	w.settle()
	if got := places(Between(w.state, w.state, noon)); got != places(want) {
		t.Errorf("foretold\n%scame\n%s", places(want), got)
	}
	back, err := Simulate(w.state, w.state, &pb.WhatIf{NodeUp: []string{"n1"}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := actions(back), "move db n2 n1\nmove web n3 n1\n"; got != want {
		t.Errorf("back\n%swant\n%s", got, want)
	}
	for _, s := range back.Steps {
		if s.Operation == "probe" {
			t.Errorf("%v is left to do", s)
		}
	}
}

func TestBadSuppositionsAreRefused(t *testing.T) {
	w := newWorld(t, settled+"\ngroup g web\nmeta db target-role=Stopped\nclone log")
	for want, what := range map[string]*pb.WhatIf{
		`node: there is no node "n9"`:               {NodeDown: []string{"n9"}},
		`node: there is no node "n8"`:               {NodeUp: []string{"n8"}},
		`node: there is no node "n7"`:               {Standby: []string{"n7"}},
		`fail: there is no resource or group "wbe"`: {Fail: []string{"wbe"}},
		`node: there is no node "n6"`:               {Fail: []string{"web@n6"}},
		`fail: g is a group; name one of web`:       {Fail: []string{"g"}},
		`fail: log-clone is a clone; name log`:      {Fail: []string{"log-clone"}},
		`fail: db runs nowhere now; name the node`:  {Fail: []string{"db"}},
		`quorum: "maybe" is neither yes nor no`:     {Quorum: "maybe"},
		`property no-quorum: there is no such`:      {Set: map[string]string{"no-quorum": "stop"}},
	} {
		_, err := Simulate(w.state, w.state, what, noon)
		if _, refused := errors.AsType[*state.Refusal](err); !refused || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\n got %v\nwant %s", what, err, want)
		}
	}
}

// With fencing=power a lost node is fenced, if anything can; else what ran there stays down.
func TestALostNodeIsFencedWherePowerIsNeeded(t *testing.T) {
	for _, tt := range []struct{ hosts, fenced, want string }{
		{"n1 n2 n3", "n1", "move db n1 n2\nmove web n1 n3\n"},
		{"n2", "", "stop db n1\nstop web n1\n"},
	} {
		w := newWorld(t, settled+"\nproperty fencing=power")
		w.change(&pb.Edit{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: &pb.FencingDevice{
			Id: "d", Type: "fence_test", Parameters: map[string]string{"pcmk_host_list": tt.hosts},
		}}}})
		f, err := Simulate(w.state, w.state, &pb.WhatIf{NodeDown: []string{"n1"}}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if got := actions(f); got != tt.want || strings.Join(f.Fenced, " ") != tt.fenced {
			t.Errorf("with a device for %s: fenced %v\n got\n%swant\n%s%v", tt.hosts, f.Fenced, got, tt.want, f.Problems)
		}
	}
}
