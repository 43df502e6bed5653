package state

import (
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestClones(t *testing.T) {
	runScenarios(t, []scenario{
		{"run on each node at once", `
			clone vip
			start vip a
			done vip a
			start vip b
			done vip b`, `
			db
			vip owned by a#1 owned by b#2: a running, b running
		`},
		{"S1: never twice on one node", `
			clone vip
			start vip a
			! start vip a: a start of vip on na is under way
			done vip a
			! start vip a: na owns vip`, `
			db
			vip owned by a#1: a running
		`},
		{"S1: never on more nodes than clone-max", `
			clone vip clone-max=2
			start vip a
			done vip a
			start vip c
			! start vip b: na owns vip
			done vip c
			stop vip a
			! start vip b: na owns vip
			done vip a
			start vip b`, `
			db
			vip owned by b#3 owned by c#2: a stopped, c running; start on b
		`},
		{"nowhere with a clone-max of 0", `
			clone vip clone-max=0
			! start vip a: vip may run on no node, as its clone-max is 0`, `
			db
			vip
		`},
		{"S4: what is not known to be stopped counts", `
			clone vip clone-max=1
			start vip a
			done vip a
			admit a
			! start vip b: vip is not probed yet on na
			start vip a`, `
			db
			vip owned by a#2: a unknown; start on a
		`},
		{"S5: a failed stop counts, too", `
			clone vip clone-max=1
			start vip a
			done vip a
			stop vip a
			failed vip a
			! start vip b: na owns vip`, `
			db
			vip owned by a#1 revoking: a blocked INFINITY
		`},
		{"what may outlive its node's lease counts until it is freed", `
			clone db clone-max=2
			start db a
			done db a
			start db b
			done db b
			gone a b=450ms c=450ms
			! start db c: na owns db
			free db a
			start db c`, `
			db owned by b#2 owned by c#3: a unknown, b running; start on c
			vip
		`},
		{"what nobody owns may outlive it on each node", `
			clone db
			probe db a
			done db a
			probe db b
			done db b
			gone a b=450ms c=450ms
			! admit b from=0: is at epoch 1, not 0
			start db c
			done db c`, `
			db owned by a#1 orphaned owned by c#2: a unknown, b running, c running
			vip
		`},
		{"a new epoch ends the right of its node alone", `
			clone vip
			start vip a
			done vip a
			start vip b
			done vip b
			admit a`, `
			db
			vip owned by b#2: a unknown, b running
		`},
		{"results count for the instance that they name", `
			clone vip
			start vip a
			done vip a
			start vip b
			done vip b
			report vip b failed
			stop vip b
			done vip b`, `
			db
			vip owned by a#1: a running, b stopped 1
		`},
		{"what runs is cloned as it runs, and back", `
			start vip a
			done vip a
			clone vip
			start vip b
			done vip b
			! unclone vip: vip runs on 2 nodes, and without its clone it may run on one; let it run on one first, with clone-max=1
			stop vip a
			done vip a
			unclone vip-clone`, `
			db
			vip owned by b#2: a stopped, b running
		`},
		{"what two machines may still run is no clone, and other things change", `
			put d
			electorate a b c d
			admit d
			confirm a
			confirm b
			confirm c
			confirm d
			put e
			electorate a b c d e
			admit e
			confirm a
			confirm b
			confirm c
			confirm d
			confirm e
			meta db fencing=power
			start db a
			done db a
			probe db b
			done db b
			gone a c=1s d=1s e=1s
			gone b c=1s d=1s e=1s
			meta vip priority=1`, `
			db owned by a#1 orphaned owned by b#2 orphaned: a unknown, b unknown
			vip
		`},
		{"a group is cloned with its members", `
			create web group=site
			create log group=site
			clone site clone-max=2
			start web a
			done web a
			start web b
			done web b
			! start web c: na owns web
			start log c
			! ungroup site web: web runs on 2 nodes
			ungroup site log`, `
			db
			log owned by c#3; start on c
			vip
			web owned by a#1 owned by b#2: a running, b running
		`},
		{"a deleted one goes once it is stopped everywhere", `
			clone vip
			location vip-clone na 5
			start vip a
			done vip a
			start vip b
			done vip b
			delete vip-clone
			stop vip a
			done vip a
			! start vip a: vip is being deleted
			stop vip b
			done vip b`, `
			db
		`},
	})
}

func TestConstraintsFollowTheirResourceIntoItsClone(t *testing.T) {
	c := newCluster(t)
	c.run(`
		create web
		colocation vip web INFINITY
		order web vip
		location web na 5
		clone web
		! colocation web vip 5: web is part of clone web-clone; name web-clone
		! location web nb 5: name web-clone`)
	said := func(id, want string) {
		t.Helper()
		got := ConstraintByID(c.state(), id)
		if got == nil || describeConstraint(got) != want {
			t.Errorf("%s says %v, want %q", id, got, want)
		}
	}
	said("colocation-vip-web-INFINITY", "vip with web-clone, score INFINITY")
	said("order-web-vip-mandatory", "web-clone then vip, mandatory")
	said("location-web-na-5", "web-clone on na with score 5")
	c.run(`unclone web`)
	said("order-web-vip-mandatory", "web then vip, mandatory")
	c.run(`
		clone web
		delete web`)
	if n := len(c.state().Constraints); n != 0 || len(c.state().Clones) != 0 {
		t.Errorf("%d constraints and the clones %v are left of what was deleted", n, c.state().Clones)
	}
}

func TestWhatCannotBeClonedSaysWhy(t *testing.T) {
	newCluster(t).run(`
		create web group=site
		create log
		location log na 5
		! clone none: there is no resource or group "none"
		! clone web: web is in group site; clone the group
		! clone vip clone-node-max=2: meta attribute of clones clone-node-max: "2" is not available in this version, in which a node runs one instance of a clone; use 1
		! clone vip globally-unique=true: instances are not told apart by a number in this version; use false
		! clone vip promotable=maybe: "maybe" is not a boolean
		! clone vip promoted-node-max=2: "2" is not available in this version; use 1
		! clone vip clone-max=many: "many" is not a count
		! clone vip clone-maximum=2: there is no such meta attribute of clones; did you mean "clone-max"
		clone vip globally-unique=false clone-node-max=1 priority=5
		! clone vip: vip is part of clone vip-clone already
		! clone vip-clone: vip-clone is a clone itself
		! create vip-clone: there is a clone vip-clone already
		! group site vip: vip is cloned as vip-clone; dissolve the clone first with
		! meta vip clone-max=2: there is no such meta attribute; clone-max is a meta attribute of clones
		! parameter vip-clone ip=1: vip-clone is a clone, which has meta attributes alone; update vip
		meta vip-clone clone-max=2
		! move vip-clone nb: vip-clone is a clone, which runs on several nodes
		! move vip nb: vip-clone is a clone, which runs on several nodes
		! unclone log: log is not cloned
		! unclone none: there is no resource or group "none"
		clone site
		! group site log: constraint location-log-na-5: it names log, which is part of clone site-clone; delete it first`)
}

// A configuration that is replaced, as by `config checkpoint restore`, keeps what
// runs of a clone that it has, and is refused without the clone while that runs on
// several nodes.
func TestAReplacedConfigurationHasItsClones(t *testing.T) {
	c := newCluster(t)
	single := Configuration(c.state())
	c.run(`
		clone vip clone-max=2
		location vip-clone na 5
		start vip a
		done vip a
		start vip b
		done vip b`)
	cloned := Configuration(c.state())
	if err := c.propose(change(replacing(cloned))); err != nil || len(AssignmentsOf(c.state(), "vip")) != 2 {
		t.Errorf("the same configuration again: %v, and then:\n%s", err, summary(c.state()))
	}
	if err := c.propose(change(replacing(single))); err == nil {
		t.Error("two instances have lost their clone")
	}
	c.run(`
		stop vip a
		done vip a`)
	if err := c.propose(change(replacing(single))); err != nil || len(c.state().Clones) != 0 {
		t.Errorf("one instance: %v", err)
	}
	if got := Meta(c.state(), "vip", "clone-max"); got != "" {
		t.Errorf("clone-max is still %q", got)
	}
}

func replacing(c *pb.Configuration) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: c}}}
}
