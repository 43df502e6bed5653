package state

import (
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

// semicolons puts the commands of a script on lines of their own.
func semicolons(script string) string { return strings.ReplaceAll(script, "; ", "\n") }

func TestS1AtMostPromotedMaxArePromoted(t *testing.T) {
	tests := []struct{ name, script string }{
		{"one at a time", `
			clone pg promotable=true
			start pg a; done pg a; start pg b; done pg b
			promote pg a
			! promote pg b: pg may be promoted on na
			done pg a
			! promote pg b: pg may be promoted on na
			demote pg a
			! promote pg b: pg may be promoted on na
			done pg a
			promote pg b`},
		{"as many as may", `
			clone pg promotable=true promoted-max=2
			start pg a; done pg a; start pg b; done pg b; start pg c; done pg c
			promote pg a; done pg a; promote pg b; done pg b
			! promote pg c: pg may be promoted on na`},
		{"not what is in no promotable clone", `
			clone pg
			start pg a; done pg a
			! promote pg a: in no promotable clone`},
		{"not what does not run", `
			clone pg promotable=true
			! promote pg a: na does not own pg
			start pg a
			! promote pg a: a start of pg on na is under way`},
		{"a promotion that was refused is none", `
			clone pg promotable=true
			start pg a; done pg a; start pg b; done pg b
			promote pg a; refused pg a
			promote pg b`},
		{"one that failed may be one", `
			clone pg promotable=true
			start pg a; done pg a; start pg b; done pg b
			promote pg a; failed pg a
			! promote pg b: pg may be promoted on na
			stop pg a; done pg a
			promote pg b`},
		{"nobody knows what runs where nobody looked", `
			clone pg promotable=true
			start pg a; done pg a; promote pg a; done pg a; start pg b; done pg b
			admit a
			! promote pg b: pg may be promoted on na
			probe pg a; done pg a
			promote pg b`},
		{"until the lease of a silent node has ended", `
			clone pg promotable=true
			start pg a; done pg a; promote pg a; done pg a; start pg b; done pg b
			gone a b=450ms c=460ms
			promote pg b`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run("create pg\nprobe pg a\nnotrunning pg a\nprobe pg b\nnotrunning pg b\nprobe pg c\nnotrunning pg c")
			c.run(semicolons(tt.script))
		})
	}
}

func TestS4APromotedOneMayOutliveItsLease(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(`
		create pg lapse=20s
		probe pg a; notrunning pg a; probe pg b; notrunning pg b; probe pg c; notrunning pg c
		clone pg promotable=true
		start pg a; done pg a; promote pg a; done pg a; start pg b; done pg b
		gone a b=450ms c=460ms
		! promote pg b: pg may be promoted on na
		free pg a
		promote pg b`))
	if InstanceOf(c.state(), "pg", "a").Promoted {
		t.Error("what was freed counts as promoted")
	}
}

func TestARoleThatChangedByItselfIsLearned(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(`
		create pg
		probe pg a; notrunning pg a; probe pg b; notrunning pg b; probe pg c; notrunning pg c
		clone pg promotable=true
		start pg a; done pg a; promote pg a; done pg a`))
	report := func(promoted bool) {
		t.Helper()
		a := AssignmentAt(c.state(), "pg", "a")
		r := &pb.Result{
			Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: "pg", Node: "a", Epoch: a.Epoch, Assignment: a.Number,
			Outcome: pb.Outcome_OUTCOME_OTHER_ROLE, Promoted: promoted, Error: "it is another",
		}
		if err := c.propose(&pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: r}}}); err != nil {
			t.Fatal(err)
		}
		i := InstanceOf(c.state(), "pg", "a")
		if i.Promoted != promoted || i.State != pb.InstanceState_INSTANCE_STATE_RUNNING || i.FailCount == 0 {
			t.Errorf("told that it is promoted: %t, it is %v", promoted, i)
		}
	}
	report(false)
	if AssignmentAt(c.state(), "pg", "a").Promoted {
		t.Error("the right to be promoted outlived the role")
	}
	report(true)
}

func TestWhatIsPromotedStaysInItsClone(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(`
		create pg
		probe pg a; notrunning pg a; probe pg b; notrunning pg b; probe pg c; notrunning pg c
		clone pg promotable=true
		start pg a; done pg a; promote pg a; done pg a
		! meta pg-clone promotable=false: demote it first
		! unclone pg-clone: demote it first
		constrain colocation{resource:"vip" with:"pg-clone" with_role:INSTANCE_ROLE_PROMOTED score:5}
		demote pg a; done pg a
		! meta pg-clone promotable=false: it is about what is promoted
		unconstrain colocation-vip-pg-clone-5
		meta pg-clone promotable=false`))
}
