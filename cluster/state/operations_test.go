package state

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestOperations(t *testing.T) {
	runScenarios(t, []scenario{
		{"a start gives an owner and a number", `
			start vip a
			done vip a`,
			`db
			vip owned by a#1: a running`},
		{"S1: no second owner", `
			start vip a
			! start vip b: na owns vip
			done vip a
			! start vip b: na owns vip`,
			`db
			vip owned by a#1: a running`},
		{"S4: no start before the stop is done", `
			start vip a
			done vip a
			stop vip a
			! start vip b: na owns vip
			done vip a
			start vip b`,
			`db
			vip owned by b#2: a stopped; start on b`},
		{"S4: no start while another node may run it", `
			probe vip a
			done vip a
			! start vip b: vip is running on na
			start vip a`,
			`db
			vip owned by a#1: a running; start on a`},
		{"S4: no start while a node is not probed since it came back", `
			start vip a
			done vip a
			admit a
			! start vip b: vip is not probed yet on na
			probe vip a
			notrunning vip a
			start vip b`,
			`db
			vip owned by b#2: a stopped; start on b`},
		{"S4: no start while a stop of nobody's is under way", `
			stop vip a
			! start vip b: a stop of vip on na is under way
			done vip a
			start vip b`,
			`db
			vip owned by b#1: a stopped; start on b`},
		{"one operation of a resource on a node at a time", `
			probe vip a
			! start vip a: a probe of vip on na is under way
			probe vip b`,
			`db
			vip; probe on a; probe on b`},
		{"rule 21: an order for another epoch is stale", `
			! start vip a 2: not admitted at epoch 2
			! start vip a 0: not admitted at epoch 0`,
			`db
			vip`},
		{"a failed start keeps its owner until a stop, and bans the node", `
			start vip a
			failed vip a
			! start vip b: na owns vip
			stop vip a
			done vip a
			start vip b`,
			`db
			vip owned by b#2: a stopped INFINITY; start on b`},
		{"a failed start counts once where it is not fatal", `
			property start-failure-is-fatal=no
			start vip a
			timeout vip a`,
			`db
			vip owned by a#1: a failed 1`},
		{"a refused start ends its right and changes nothing else", `
			probe vip a
			notrunning vip a
			start vip a
			refused vip a
			start vip b`,
			`db
			vip owned by b#2: a stopped; start on b`},
		{"S5: a failed stop blocks the resource and keeps its owner", `
			start vip a
			done vip a
			stop vip a
			timeout vip a
			! start vip b: na owns vip`,
			`db
			vip owned by a#1 revoking: a blocked INFINITY`},
		{"S5: a probe does not unblock what it finds running", `
			start vip a
			done vip a
			stop vip a
			failed vip a
			probe vip a
			done vip a`,
			`db
			vip owned by a#1 revoking: a blocked INFINITY`},
		{"S5: a later stop unblocks", `
			start vip a
			done vip a
			stop vip a
			failed vip a
			stop vip a
			done vip a
			start vip b`,
			`db
			vip owned by b#2: a stopped INFINITY; start on b`},
		{"a refused stop leaves everything as it was", `
			start vip a
			done vip a
			stop vip a
			refused vip a`,
			`db
			vip owned by a#1 revoking: a running`},
		{"a failed probe of nobody's resource means that it may be active", `
			probe vip a
			failed vip a
			! start vip b: vip is failed on na`,
			`db
			vip: a failed 1`},
		{"what its owner does not run has failed, and needs a stop", `
			start vip a
			done vip a
			monitor vip a
			notrunning vip a`,
			`db
			vip owned by a#1: a failed 1`},
		{"a monitor that nobody ordered is believed of the present owner", `
			start vip a
			done vip a
			report vip a failed
			report vip a failed`,
			`db
			vip owned by a#1: a failed 1`},
		{"a report under another right is stale", `
			start vip a
			! report vip a failed: an operation of vip is under way there
			done vip a
			! report vip a failed 7: na does not own vip under epoch 1 and assignment 7
			! report vip b failed: nb does not own vip
			stop vip a
			! report vip a failed: na does not own vip`,
			`db
			vip owned by a#1 revoking: a running; stop on a`},
		{"a result that nobody waits for is stale", `
			! done vip a: is under way on na under id 999
			start vip a
			done vip a
			! done vip a: under id 999`,
			`db
			vip owned by a#1: a running`},
		{"a start cannot end in not running", `
			start vip a
			! notrunning vip a: a start cannot end in`,
			`db
			vip owned by a#1; start on a`},
		{"a failed reload fails the resource", `
			! reload vip a: na does not own vip
			start vip a
			done vip a
			reload vip a
			failed vip a`,
			`db
			vip owned by a#1: a failed 1`},
		{"cleanup forgets failures and has them probed", `
			start vip a
			failed vip a
			cleanup vip
			probe vip a
			notrunning vip a
			stop vip a
			done vip a`,
			`db
			vip: a stopped`},
		{"a witness hosts nothing", `
			put c witness
			! start vip c: nc is a witness`,
			`db
			vip`},
		{"a resource that is being deleted is only stopped", `
			start vip a
			done vip a
			delete vip
			! start vip b: vip is being deleted
			stop vip a`,
			`db
			vip deleting owned by a#1 revoking: a running; stop on a`},
		{"a deleted resource is gone once it is stopped", `
			start vip a
			done vip a
			delete vip
			! create vip: still being deleted
			stop vip a
			done vip a
			create vip`,
			`db
			vip`},
		{"a deleted resource waits for what is under way", `
			probe db a
			probe vip a
			delete db
			delete vip
			notrunning vip a`,
			`db deleting; probe on a`},
		{"a deleted resource that may run on a node not yet probed waits for that", `
			probe vip a
			done vip a
			admit a
			delete vip
			probe vip a
			notrunning vip a`,
			`db`},
	})
}

func TestDispatchIsAllOrNothing(t *testing.T) {
	c := newCluster(t)
	both := func(second *pb.Operation) *pb.Command {
		return &pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{
			Operations: []*pb.Operation{c.operation([]string{"start", "vip", "a"}), second},
		}}}
	}
	if err := c.propose(both(c.operation([]string{"start", "vip", "b"}))); err == nil {
		t.Errorf("S1: two starts of one resource in one dispatch were accepted")
	}
	if err := c.propose(both(c.operation([]string{"start", "none", "b"}))); err == nil {
		t.Errorf("a dispatch of a missing resource was accepted")
	}
	if err := c.propose(&pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{}}}); err == nil {
		t.Errorf("an empty dispatch was accepted")
	}
	if err := c.propose(both(c.operation([]string{"start", "db", "b"}))); err != nil {
		t.Fatalf("two starts of two resources: %v", err)
	}
	if got, want := summary(c.state()), "db owned by b#2; start on b\nvip owned by a#1; start on a\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestDispatchAnswersWithIdsAndAssignments(t *testing.T) {
	c := newCluster(t)
	ops := []*pb.Operation{c.operation([]string{"start", "db", "b"}), c.operation([]string{"probe", "vip", "a"})}
	_, applied, err := Step(c.state(), 100, &pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: ops}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(applied.Operations) != 2 || applied.Operations[0].Id != 1 || applied.Operations[0].Assignment != 1 ||
		applied.Operations[1].Id != 2 || applied.Operations[1].Assignment != 0 {
		t.Errorf("Dispatch answered %v, want start 1 with assignment 1 and probe 2 with none", applied.Operations)
	}
	if len(c.state().Operations) != 0 || ops[0].Id != 0 {
		t.Errorf("Step changed its arguments")
	}
}

func TestResultMustFitItsOperation(t *testing.T) {
	fits := func(o *pb.Operation) *pb.Result {
		return &pb.Result{
			Operation: o.Id, Kind: o.Kind, Resource: o.Resource, Node: o.Node, Epoch: o.Epoch, Outcome: pb.Outcome_OUTCOME_DONE,
		}
	}
	tests := map[string]func(*pb.Result){
		"another id":       func(r *pb.Result) { r.Operation++ },
		"another kind":     func(r *pb.Result) { r.Kind = pb.OperationKind_OPERATION_KIND_STOP },
		"another resource": func(r *pb.Result) { r.Resource = "db" },
		"another node":     func(r *pb.Result) { r.Node = "b" },
		"another epoch":    func(r *pb.Result) { r.Epoch++ },
		"nobody's":         func(r *pb.Result) { r.Operation = 0 },
		"no outcome":       func(r *pb.Result) { r.Outcome = pb.Outcome_OUTCOME_UNSPECIFIED },
		"unknown outcome":  func(r *pb.Result) { r.Outcome = 99 },
	}
	for name, spoil := range tests {
		c := newCluster(t)
		c.run("start vip a")
		r := fits(OperationOn(c.state(), "vip", "a"))
		spoil(r)
		if err := c.propose(record(r)); err == nil {
			t.Errorf("%s: the result was accepted", name)
		}
		if err := c.propose(record(fits(OperationOn(c.state(), "vip", "a")))); err != nil {
			t.Errorf("after a wrong result (%s) the right one was refused: %v", name, err)
		}
	}
	if err := newCluster(t).propose(record(nil)); err == nil {
		t.Error("a missing result was accepted")
	}
}

func TestStartTellsWhatRuns(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a")
	o := OperationOn(c.state(), "vip", "a")
	if err := c.propose(record(&pb.Result{
		Operation: o.Id, Kind: o.Kind, Resource: "vip", Node: "a", Epoch: 1, Outcome: pb.Outcome_OUTCOME_DONE,
		Revision: 15, Restart: 3, Detail: "eth0, guard: agent",
	})); err != nil {
		t.Fatal(err)
	}
	i := InstanceOf(c.state(), "vip", "a")
	if i.Revision != 15 || i.Restart != 3 || i.Detail != "eth0, guard: agent" || i.Epoch != 1 || i.Since == nil {
		t.Errorf("instance is %v", i)
	}
	c.run("admit a\nprobe vip a\ndone vip a")
	i = InstanceOf(c.state(), "vip", "a")
	if i.State != pb.InstanceState_INSTANCE_STATE_RUNNING || i.Revision != 0 || i.Epoch != 2 {
		t.Errorf("found running by a probe under a new epoch: %v, want running, revision unknown, epoch 2", i)
	}
}

func TestFailuresTellWhy(t *testing.T) {
	tests := []struct {
		name   string
		result *pb.Result
		want   string
	}{
		{"the agent's words in one line", &pb.Result{Outcome: pb.Outcome_OUTCOME_FAILED, Error: "no such\n  file"}, "start of vip on na failed: no such file"},
		{"no words", &pb.Result{Outcome: pb.Outcome_OUTCOME_FAILED}, "start of vip on na failed: the agent gave no reason"},
		{"a timeout", &pb.Result{Outcome: pb.Outcome_OUTCOME_TIMED_OUT}, "start of vip on na failed: no end after 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run("start vip a")
			o := OperationOn(c.state(), "vip", "a")
			r := tt.result
			r.Operation, r.Kind, r.Resource, r.Node, r.Epoch = o.Id, o.Kind, o.Resource, o.Node, o.Epoch
			if err := c.propose(record(r)); err != nil {
				t.Fatal(err)
			}
			e := c.state().Events[len(c.state().Events)-1]
			if e.Text != tt.want || e.Kind != "operation-failed" || e.Node != "na" || e.Resource != "vip" || e.Index != c.index {
				t.Errorf("event %v, want the text %q", e, tt.want)
			}
		})
	}
}

func TestFailureTimeoutForgives(t *testing.T) {
	c := newCluster(t) // each command is a second after the one before
	c.run(`
		meta vip failure-timeout=10s
		start vip a
		done vip a
		report vip a failed
		report vip a done
		report vip a failed`)
	i := InstanceOf(c.state(), "vip", "a")
	if i.FailCount != 2 {
		t.Errorf("two failures within the timeout count %d", i.FailCount)
	}
	last := i.LastFailure.AsTime()
	for _, tt := range []struct {
		after string
		want  uint32
	}{{"9999ms", 2}, {"10s", 0}} {
		d, err := ParseDuration(tt.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := FailCount(c.state(), i, last.Add(d)); got != tt.want {
			t.Errorf("%s after the last failure the count is %d, want %d", tt.after, got, tt.want)
		}
	}
	c.index += 20
	c.run("report vip a done\nreport vip a failed")
	if got := InstanceOf(c.state(), "vip", "a").FailCount; got != 1 {
		t.Errorf("a failure after the timeout counts %d, want 1", got)
	}
}
