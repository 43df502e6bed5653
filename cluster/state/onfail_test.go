package state

import (
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestOnFail(t *testing.T) {
	runScenarios(t, []scenario{
		{"a monitor's failure is kept with what it leads to", `
			op vip monitor 10s on-fail=block
			op vip monitor 20s on-fail=standby
			op vip monitor 30s
			start vip a
			done vip a
			report vip a failed 20s`,
			`db
			vip owned by a#1: a failed 1 on-fail=standby`},
		{"without an interval it is the first one's", `
			op vip monitor 10s on-fail=block
			op vip monitor 20s on-fail=standby
			start vip a
			done vip a
			report vip a failed`,
			`db
			vip owned by a#1: a failed 1 on-fail=block`},
		{"a restart is nothing more", `
			op vip monitor 10s on-fail=restart
			start vip a
			done vip a
			report vip a failed 10s`,
			`db
			vip owned by a#1: a failed 1`},
		{"a start's", `
			op vip start 0s on-fail=stop
			start vip a
			failed vip a`,
			`db
			vip owned by a#1: a failed INFINITY on-fail=stop`},
		{"it stays until a cleanup", `
			op vip start 0s on-fail=stop
			start vip a
			failed vip a
			stop vip a
			done vip a
			cleanup vip`,
			`db
			vip: a stopped`},
		{"a start that succeeds ends a block", `
			op vip monitor 10s on-fail=block
			start vip a
			done vip a
			report vip a failed 10s
			admit a
			probe vip a
			notrunning vip a
			start vip a
			done vip a`,
			`db
			vip owned by a#2: a running 1`},
		{"a stop's: blocked as ever, and its node in standby", `
			op vip stop 0s on-fail=standby
			start vip a
			done vip a
			stop vip a
			timeout vip a`,
			`db
			vip owned by a#1 revoking: a blocked INFINITY on-fail=standby`},
		{"fence is stop where nothing can fence", `
			op vip monitor 10s on-fail=fence
			start vip a
			done vip a
			report vip a failed 10s`,
			`db
			vip owned by a#1: a failed 1 on-fail=stop`},
		{"a default, unless the operation says otherwise", `
			opdefault on-fail=standby
			op db start 0s on-fail=restart
			start vip a
			failed vip a
			start db a
			failed db a`,
			`db owned by a#2: a failed INFINITY
			vip owned by a#1: a failed INFINITY on-fail=standby`},
		{"what a probe finds leads to nothing", `
			opdefault on-fail=stop
			probe vip a
			failed vip a`,
			`db
			vip: a failed 1`},
	})
}

func TestOnFailFencesItsNode(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(`
		device d1 pcmk_host_list=na
		op vip monitor 10s on-fail=fence
		start vip a; done vip a; report vip a failed 10s`))
	f := FencingUnderWay(c.state(), "a")
	if f == nil || !strings.Contains(f.Reason, "monitor of vip there failed (on-fail=fence): because") {
		t.Fatalf("fencing %v, want one for the failure", f)
	}
	c.run("fenced a")
	if i := InstanceOf(c.state(), "vip", "a"); i.State != pb.InstanceState_INSTANCE_STATE_STOPPED || i.OnFail != "" || AssignmentOf(c.state(), "vip") != nil {
		t.Errorf("after the fencing: %v", i)
	}
}

func TestACleanupCallsAFencingOffThatAFailureLedTo(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(`
		device d1 pcmk_host_list=na
		op vip monitor 10s on-fail=fence
		start vip a; done vip a; report vip a failed 10s
		cleanup db`))
	if FencingUnderWay(c.state(), "a") == nil {
		t.Fatal("another resource's cleanup ended it")
	}
	c.run("cleanup vip")
	if f := FencingUnderWay(c.state(), "a"); f != nil {
		t.Errorf("it goes on: %v", f)
	}
}

func TestOnFailDemotesWhatIsPromotedAndRuns(t *testing.T) {
	tests := []struct {
		name, script string
		state        pb.InstanceState
		onFail       string
	}{
		{"a monitor", "report vip a failed 9s", pb.InstanceState_INSTANCE_STATE_RUNNING, "demote"},
		{"one that is done", "report vip a failed 9s; demote vip a; done vip a", pb.InstanceState_INSTANCE_STATE_RUNNING, ""},
		{"one that runs no more", "report vip a notrunning 9s", pb.InstanceState_INSTANCE_STATE_FAILED, ""},
		{"one that cannot be demoted", "report vip a failed 9s; demote vip a; failed vip a", pb.InstanceState_INSTANCE_STATE_FAILED, "standby"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run(semicolons(looked + `
				clone vip promotable=true
				op vip monitor 9s role=Promoted on-fail=demote
				op vip monitor 8s role=Promoted on-fail=standby
				op vip promote 0s on-fail=demote
				start vip a; done vip a; promote vip a; done vip a
				` + tt.script))
			if i := InstanceOf(c.state(), "vip", "a"); i.State != tt.state || i.OnFail != tt.onFail {
				t.Errorf("%v, want %v on-fail=%q", i, tt.state, tt.onFail)
			}
		})
	}
	c := newCluster(t)
	c.run(semicolons(looked + `
		clone vip promotable=true
		op vip promote 0s on-fail=demote
		start vip a; done vip a; promote vip a; failed vip a`))
	if i := InstanceOf(c.state(), "vip", "a"); i.State != pb.InstanceState_INSTANCE_STATE_RUNNING || i.OnFail != "demote" || !i.Promoted {
		t.Errorf("a promotion that failed: %v", i)
	}
}

func TestWhatAFailureCannotLeadToIsRefusedS8(t *testing.T) {
	c := newCluster(t)
	c.run(`
		! op vip stop 0s on-fail=restart: use block, fence or standby
		! op vip stop 0s on-fail=stop: use block, fence or standby
		! op vip stop 0s on-fail=ignore: leaves it unknown what runs
		! op vip start 0s on-fail=ignore: leaves it unknown what runs
		! op vip start 0s on-fail=demote: a monitor with role=Promoted
		! op vip monitor 10s on-fail=demote: a monitor with role=Promoted
		! op vip monitor 10s on-fail=restart-container: for bundles
		! op vip monitor 10s on-fail=panic: use restart
		! opdefault on-fail=fence: fence is no default
		! opdefault on-fail=demote: demote is no default
		op vip monitor 10s role=Promoted on-fail=demote
		op vip promote 0s on-fail=demote
		op vip stop 0s on-fail=standby`)
}

func TestOperationsObeyTheDefaults(t *testing.T) {
	c := newCluster(t)
	c.run(`
		op vip monitor 10s on-fail=standby
		op vip start 0s
		opdefault on-fail=block
		opdefault timeout=33s
		opdefault start-delay=5s`)
	r := Obeying(c.state(), ResourceByID(c.state(), "vip"))
	want := map[string]string{"monitor": "standby 5s 33s", "start": "block 5s 0s", "stop": "block 5s 0s"}
	for _, o := range r.Operations {
		got := o.Options["on-fail"] + " " + o.Options["start-delay"] + " " + o.Timeout.AsDuration().String()
		if got != want[o.Name] {
			t.Errorf("%s: %q, want %q", o.Name, got, want[o.Name])
		}
	}
	if len(r.Operations) != len(want) {
		t.Errorf("%v", r.Operations)
	}
	if own := ResourceByID(c.state(), "vip").Operations; len(own) != 2 {
		t.Errorf("the state's own resource was changed: %v", own)
	}
}
