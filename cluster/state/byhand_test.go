package state

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

// looked lets everybody know that vip runs nowhere.
const looked = "probe vip a\nnotrunning vip a\nprobe vip b\nnotrunning vip b\nprobe vip c\nnotrunning vip c\n"

func TestByHand(t *testing.T) {
	runScenarios(t, []scenario{
		{"S1: a start by hand counts as a node that may run it", looked + `
			byhand start vip a
			! start vip b: vip is run by hand on na
			! byhand start vip b: vip may run on two nodes then: vip is run by hand on na
			byhand ended start vip a
			probe vip a
			done vip a
			! start vip b: vip is run by hand on na`,
			`db
			vip: a running by hand, b stopped, c stopped`},
		{"S1: also when its node is gone", looked + `
			byhand start vip a
			byhand ended start vip a
			gone a b=450ms c=460ms
			! start vip b: vip is run by hand on na
			cleanup vip
			start vip b`,
			`db
			vip owned by b#1: a unknown, b stopped, c stopped; start on b`},
		{"S1: not of what another node runs", looked + `
			start vip b
			! byhand start vip a: vip may run on two nodes then: nb owns vip
			done vip b
			! byhand start vip a: vip may run on two nodes then: nb owns vip
			byhand start vip a force`,
			`db
			vip owned by b#1: a stopped by hand, b running, c stopped`},
		{"S1: not of what may run where nobody has looked", `
			probe vip a
			notrunning vip a
			probe vip b
			notrunning vip b
			! byhand start vip a: nobody knows yet whether vip runs on nc`,
			`db
			vip: a stopped, b stopped`},
		{"not of what runs or changes there", looked + `
			start vip a
			! byhand start vip a: a start of vip on na is under way
			done vip a
			! byhand start vip a: the cluster runs vip on na already
			! byhand stop vip a: the cluster runs vip on na, and would undo the stop
			meta vip is-managed=false
			byhand stop vip a`,
			`db
			vip owned by a#1: a running, b stopped, c stopped`},
		{"a stop by hand gives it back", looked + `
			byhand start vip a
			byhand ended start vip a
			byhand stop vip a
			byhand ended stop vip a
			probe vip a
			notrunning vip a
			start vip b`,
			`db
			vip owned by b#1: a stopped, b stopped, c stopped; start on b`},
		{"one that failed does not", looked + `
			byhand start vip a
			byhand failed start vip a
			byhand stop vip a
			byhand failed stop vip a`,
			`db
			vip: a unknown by hand, b stopped, c stopped`},
		{"a cleanup gives it back, and has it looked for", looked + `
			byhand start vip a
			byhand ended start vip a
			cleanup vip`,
			`db
			vip: a unknown, b stopped, c stopped`},
		{"of a clone as many as may run", looked + `
			clone vip clone-max=2
			start vip b
			done vip b
			byhand start vip a
			! byhand start vip c: vip may run on two nodes then`,
			`db
			vip owned by b#1: a stopped by hand, b running, c stopped`},
		{"not of a witness", looked + `
			put c witness
			! byhand start vip c: nc is a witness`,
			`db
			vip: a stopped, b stopped, c stopped`},
		{"not under another epoch", looked + `
			gone a b=450ms c=460ms
			! byhand start vip a: na is not admitted`,
			`db
			vip: a stopped, b stopped, c stopped`},
		{"what is not known is refused", looked + `
			! byhand monitor vip a: is nothing that is done by hand
			! byhand start web a: there is no resource`,
			`db
			vip: a stopped, b stopped, c stopped`},
	})
}

func TestS1APromotionByHandCounts(t *testing.T) {
	c := newCluster(t)
	c.run(semicolons(looked + `
		! byhand promote vip a: vip is in no promotable clone
		clone vip promotable=true
		start vip a; done vip a; start vip b; done vip b
		byhand promote vip a
		! promote vip b: vip may be promoted on na
		! byhand promote vip b: vip may be promoted on two nodes then
		byhand ended promote vip a`))
	if a := AssignmentAt(c.state(), "vip", "a"); !a.GetPromoted() {
		t.Errorf("assignment %v, want the right to be promoted: it ends with the lease", a)
	}
	c.run(semicolons(`
		byhand demote vip a; byhand ended demote vip a
		promote vip b`))
	if i := InstanceOf(c.state(), "vip", "a"); i.GetByHand() || i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING {
		t.Errorf("after the demotion: %v, want it given back and running", i)
	}
	c.run("! byhand promote vip c: vip is stopped on nc")
}
