package state

import (
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

func TestThreshold(t *testing.T) {
	for lease, want := range map[time.Duration]time.Duration{
		400 * time.Millisecond: 450 * time.Millisecond,
		10 * time.Second:       11*time.Second + 10*time.Millisecond,
		1:                      10*time.Millisecond + 2, // rounded up
	} {
		if got := Threshold(lease); got != want {
			t.Errorf("Threshold(%v) = %v, want %v", lease, got, want)
		}
	}
}

func TestNodeGone(t *testing.T) {
	runScenarios(t, []scenario{
		{"rule 14: valid testimonies of a majority", `
			start vip a
			done vip a
			gone a b=450ms c=460ms
			start vip b`,
			`db
			vip owned by b#2: a stopped; start on b`},
		{"rule 14: what is not valid changes nothing", `
			start vip a
			done vip a
			! gone a b=450ms: 1 voters testify, and a majority is 2
			! gone a b=450ms c=449ms: nc heard na 449ms ago, within 450ms
			! gone a b=450ms b=450ms: nb is counted twice
			! gone a b=450ms a=450ms: na testifies about itself
			! gone a b=450ms z=450ms: z is not in the electorate
			! gone a epoch=2 b=450ms c=450ms: not admitted at epoch 2 (it is admitted at 1)
			! gone a epoch=0 b=450ms c=450ms: not admitted at epoch 0
			! gone z b=450ms c=450ms: z is not a member`,
			`db
			vip owned by a#1: a running`},
		{"rule 14: only once", `
			gone a b=450ms c=450ms
			! gone a b=450ms c=450ms: it is gone at 1`,
			`db
			vip`},
		{"rule 14: testimonies are counted in the electorate of that index", `
			put c replica
			electorate a b
			confirm a
			confirm b
			confirm c
			! gone a b=450ms c=450ms: nc is not in the electorate`,
			`db
			vip`},
		{"rule 14: a replica can be gone", `
			put d replica
			admit d
			gone d a=1s b=1s`,
			`db
			vip`},
		{"its operations are dropped", `
			start vip a
			gone a b=1s c=1s
			! done vip a: under id 999`,
			`db
			vip`},
		{"rule 15: what outlives the lease is orphaned until it is freed", `
			start db a
			done db a
			gone a b=1s c=1s
			! start db b: na owns db
			! free vip: vip is not owned
			free db
			start db b`,
			`db owned by b#2: a unknown; start on b
			vip`},
		{"rule 15: also when its start was under way", `
			start db a
			gone a b=1s c=1s`,
			`db owned by a#1 orphaned
			vip`},
		{"a live owner is not freed", `
			start db a
			done db a
			! free db: db has a live owner, na`,
			`db owned by a#1: a running
			vip`},
		{"S5: a failed stop is not freed by time, but by the operator's word", `
			start db a
			done db a
			stop db a
			failed db a
			gone a b=1s c=1s
			! free db: the stop of db on na failed
			cleanup db
			free db`,
			`db: a unknown
			vip`},
		{"S4: what nobody owns but may run on a gone node is orphaned too", `
			probe db a
			done db a
			gone a b=1s c=1s
			! start db b: na owns db`,
			`db owned by a#1 orphaned: a unknown
			vip`},
		{"S4: what a new epoch has not probed may run", `
			start db a
			done db a
			admit a
			gone a b=1s c=1s
			! start db b: na owns db`,
			`db owned by a#2 orphaned: a unknown
			vip`},
		{"S4: of two gone nodes that may run it the later one counts", `
			probe db a
			done db a
			probe db b
			done db b
			put d
			electorate a b c d
			admit d
			confirm a
			confirm b
			confirm c
			confirm d
			put e
			electorate a b c d e
			gone a b=1s c=1s d=1s
			gone b c=1s d=1s e=1s`,
			`db owned by b#2 orphaned: a unknown, b unknown
			vip`},
		{"a live owner keeps what a gone node may run", `
			start db a
			done db a
			admit b
			gone b a=1s c=1s`,
			`db owned by a#1: a running
			vip`},
		{"a deleted resource goes with its node", `
			start vip a
			done vip a
			delete vip
			gone a b=1s c=1s`,
			`db`},
	})
}

func TestAdmit(t *testing.T) {
	runScenarios(t, []scenario{
		{"rule 5: it frees what the node owned under older epochs", `
			start vip a
			done vip a
			start db a
			done db a
			admit a`,
			`db: a unknown
			vip: a unknown`},
		{"rule 5: also when the start was under way", `
			start vip a
			admit a
			! done vip a: under id 999
			! start vip b: vip is not probed yet on na`,
			`db
			vip: a unknown`},
		{"rule 16: a gone node comes back under a new epoch, and its orphans are probed", `
			start db a
			done db a
			gone a b=1s c=1s
			admit a
			! start db b: db is not probed yet on na
			probe db a
			done db a
			start db a`,
			`db owned by a#2: a running; start on a
			vip`},
		{"rule 16: compare-and-set on the epoch", `
			! admit a from=0: na is at epoch 1, not 0
			! admit a from=2: na is at epoch 1, not 2
			admit a from=1
			! admit a from=1: na is at epoch 2, not 1`,
			`db
			vip`},
		{"others keep what they own", `
			start vip b
			done vip b
			admit a`,
			`db
			vip owned by b#1: b running`},
		{"a stranger is not admitted", `
			! admit z: z is not a member`,
			`db
			vip`},
	})
}

func TestAdmitNotesWhoIsThere(t *testing.T) {
	c := newCluster(t)
	c.run("gone a b=1s c=1s\nadmit a boot=boot2")
	n := NodeByID(c.state(), "a")
	if n.Epoch != 2 || n.Admission != pb.Admission_ADMISSION_ADMITTED || n.BootId != "boot2" || n.ElectorateConfirmed != 0 ||
		n.Nonce != 7 || n.GoneAt != nil || n.AdmittedAt.AsTime() != noon.Add(time.Duration(c.index)*time.Second) {
		t.Errorf("node is %v", n)
	}
	if n.Stopped {
		t.Errorf("an enabled node waits for `cluster start` after a boot")
	}
}

func TestDisabledNodeWaitsAfterABootAlone(t *testing.T) {
	disable := func(c *cluster) {
		yes := true
		if err := c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: "na", Disabled: &yes}}})); err != nil {
			t.Fatal(err)
		}
	}
	for script, want := range map[string]bool{
		"admit a":            false, // the agent alone was started anew
		"admit a boot=boot2": true,
	} {
		c := newCluster(t)
		disable(c)
		c.run(script)
		if got := NodeByID(c.state(), "a").Stopped; got != want {
			t.Errorf("disabled, then %q: stopped is %t, want %t", script, got, want)
		}
	}
}

func TestRule25ALongerLeaseTakesLongerToBeGone(t *testing.T) {
	runScenarios(t, []scenario{
		{"only a silence longer than the new length counts", `
			length a 10s
			! gone a b=11s c=11s: heard na 11s ago, within 11.01s
			gone a b=11.01s c=11.01s`,
			`db
			vip`},
		{"it stays over epochs of the same boot", `
			length a 10s
			admit a
			! gone a b=1s c=1s: within 11.01s
			gone a b=12s c=12s
			admit a
			! gone a b=1s c=1s: within 11.01s`,
			`db
			vip`},
		{"a kernel booted since has forgotten what it was told", `
			length a 10s
			admit a boot=boot2
			gone a b=1s c=1s`,
			`db
			vip`},
		{"the node itself takes it back", `
			length a 10s
			length a 400ms
			gone a b=1s c=1s`,
			`db
			vip`},
		{"compare-and-set on the epoch", `
			! length a 10s epoch=0: na is not admitted at epoch 0 (it is admitted at 1)
			admit a
			! length a 10s epoch=1: it is admitted at 2
			gone a b=1s c=1s
			! length a 10s: it is gone at 2`,
			`db
			vip`},
		{"a shorter one that comes after a longer one is refused", `
			length a 10s
			length a 10s
			! length a 400ms from=1: it is at version 2, not 1
			! gone a b=1s c=1s: within 11.01s`,
			`db
			vip`},
		{"nobody waits for an agent for long", `
			! length a 0s: it is 0s
			! length a 2m: give a positive duration of at most 1m0s
			! length z 10s: z is not a member`,
			`db
			vip`},
	})
}

func TestElectorate(t *testing.T) {
	runScenarios(t, []scenario{
		{"rule 19: one voter at a time", `
			put d
			put e
			! electorate a b c d e: it would change by 2 voters
			! electorate a b d: it would change by 2 voters
			! electorate a b c: it would change by 0 voters
			! electorate a b c d d: a voter is named twice
			! electorate z a b c: z is not a member
			electorate a b c d`, "db\nvip"},
		{"rule 19: every admitted node has confirmed the present version", `
			put d
			electorate a b c d
			put e
			! electorate a b c d e: na has not yet confirmed version 4
			confirm a
			confirm b
			! electorate a b c d e: nc has not yet confirmed version 4
			gone c a=1s b=1s d=1s
			electorate a b c d e`, "db\nvip"},
		{"rule 19: under its present epoch", `
			put d
			admit b
			! electorate a b c d: nb has not yet confirmed version 3
			confirm b
			electorate a b c d`, "db\nvip"},
		{"only voters and witnesses vote", `
			put d replica
			! electorate a b c d: nd is a replica
			put d witness
			electorate a b c d`, "db\nvip"},
		{"one that shall not vote may be removed while another waits for it", `
			put b replica
			put c replica
			electorate a b`, "db\nvip"},
		{"rule 20: only an admitted node confirms", `
			put d
			! confirm d: nd is not admitted at epoch 0 (it is new at 0)
			gone c a=1s b=1s
			! confirm c: it is gone at 1`, "db\nvip"},
	})
}

func TestElectorateIsNotChangedByAnOlderVersion(t *testing.T) {
	c := newCluster(t)
	stale := []*pb.Command{
		{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{FromVersion: 2, Voters: []string{"a", "b"}}}},
		{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{Node: "a", Epoch: 1, Version: 2}}},
		{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{Node: "a", Epoch: 2, Version: 3}}},
	}
	for _, cmd := range stale {
		refusal, ok := c.propose(cmd).(*Refusal)
		if !ok || refusal.Code != Stale {
			t.Errorf("%v answered %v, want a stale refusal", cmd, refusal)
		}
	}
}
