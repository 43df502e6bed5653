package scheduler

import (
	"fmt"
	"strings"
	"testing"
)

func TestClones(t *testing.T) {
	const three = "n1 online, n2 online, n3 online; "
	checkPlans(t, []planCase{
		{"start on every node", three + "web; clone c web", "start web n1\nstart web n2\nstart web n3\n"},
		{"and stay there", three + "web on n1 on n2 on n3; clone c web", ""},
		{"start on a node that is back", three + "web on n1 on n2; clone c web", "start web n3\n"},
		{"leave a node in standby", "n1 online, n2 standby, n3 gone, n4 witness; web on n1 on n2; clone c web", "stop web n2\n"},
		{"start on as many as clone-max says", three + "web; clone c web clone-max=2", "start web n1\nstart web n2\n"},
		{"on those of the highest score", three + "web; clone c web clone-max=2; c prefers n3=50 n2=10", "start web n2\nstart web n3\n"},
		{"stay where they run, of equals", three + "web on n2 on n3; clone c web clone-max=2", ""},
		{"and where they ran last", three + "web on n2 ran n3; clone c web clone-max=2", "start web n3\n"},
		{"S1: stop before another starts, if there are as many as may be", three + "web on n1 on n2; clone c web clone-max=2; c prefers n3=50 n2=10",
			"stop web n1\nstart web n3\n"},
		{"S1: look first, if there could be more than may be", three + "web on n1 unknown n2; clone c web clone-max=2; c prefers n1=9 n3=5 n2=-INFINITY",
			"probe web n2\nstart web n3\n"},
		{"do not wait to look where there is room", three + "web unknown n1 unknown n2 unknown n3; clone c web", "probe web n1\nstart web n1\nprobe web n2\nstart web n2\nprobe web n3\nstart web n3\n"},
		{"stop what is too many", three + "web on n1 on n2 on n3; clone c web clone-max=2", "stop web n3\n"},
		{"wait for what may outlive its node", "n1 gone, n2 online, n3 online; web orphaned n1 on n2; clone c web clone-max=2", ""},
		{"but not if there is room", "n1 gone, n2 online, n3 online; web orphaned n1 on n2; clone c web", "start web n3\n"},
		{"stop everywhere when disabled", "n1 online, n2 online; web on n1 on n2; clone c web target-role=Stopped", "stop web n1\nstop web n2\n"},
		{"are deleted everywhere", "n1 online, n2 online; web deleting on n1 on n2; clone c web", "stop web n1\nstop web n2\n"},
		{"run nowhere with a clone-max of 0", "n1 online, n2 online; web on n1; clone c web clone-max=0", "stop web n1\n"},
		{"recover each for itself", three + "web on n1 failed n2 on n3; clone c web", "stop web n2\nstart web n2\n"},
		{"give up the node that failed", "n1 online, n2 online; web on n1 fails=n2:1 migration-threshold=1; clone c web", ""},
		{"S5: a failed stop blocks that instance alone", "n1 online, n2 online; web blocked n1; clone c web", "start web n2\n"},
		{"a node in maintenance keeps its own", "n1 online, n2 maintenance; web on n2; clone c web", "start web n1\n"},
		{"are left alone with what is left on too many nodes", "n1 online, n2 online; a on n1 on n2; b found n1 found n2 is-managed=false; group g a b; clone c g clone-max=1", ""},
		{"but not with what is left on some", "n1 online, n2 online; a on n1; b on n1 is-managed=false; group g a b; clone c g", "start a n2\n"},
		{"take over what was found", "n1 online, n2 online; web found n1 found n2; clone c web", "start web n1\nstart web n2\n"},
		{"restart everywhere with a new configuration", "n1 online, n2 online; web changed n1 changed n2; clone c web",
			"stop web n1\nstart web n1\nstop web n2\nstart web n2\n"},
		{"start one after the other if ordered", "n1 online, n2 online; web; clone c web ordered=true", "start web n1\nstart web n2\n"},
		{"of a group start it on every node", "n1 online, n2 online; a; b; group g a b; clone c g", "start a n1\nstart a n2\nstart b n1\nstart b n2\n"},
		{"of a group stop it in reverse", "n1 online, n2 standby; a on n1 on n2; b on n1 on n2; group g a b; clone c g", "stop b n2\nstop a n2\n"},
		{"of a group restart what follows", "n1 online, n2 online; a on n1 failed n2; b on n1 on n2; group g a b; clone c g",
			"stop b n2\nstop a n2\nstart a n2\nstart b n2\n"},
	})
}

func TestConstraintsOnClones(t *testing.T) {
	const tutorial = "; clone c web; vip with c INFINITY; c then vip; default resource-stickiness=1"
	checkPlans(t, []planCase{
		{"an address waits for the proxy beside it", "n1 online, n2 online; vip; web on n2" + tutorial, "start web n1\nstart vip n1\n"},
		{"an address goes where the proxy runs already", "n1 gone, n2 online, n3 online; vip; web on n2 on n3" + tutorial, "start vip n2\n"},
		{"and waits for no proxy elsewhere", "n1 gone, n2 online, n3 online; vip ran n2; web on n2" + tutorial, "start vip n2\nstart web n3\n"},
		{"a proxy that starts elsewhere disturbs no address", "n1 online, n2 online; vip on n1; web on n1" + tutorial, "start web n2\n"},
		{"a proxy that fails elsewhere disturbs no address", "n1 online, n2 online; vip on n1; web on n1 failed n2" + tutorial, "stop web n2\nstart web n2\n"},
		{"an address is restarted with the proxy beside it", "n1 online, n2 online; vip on n1; web failed n1 on n2" + tutorial,
			"stop vip n1\nstop web n1\nstart web n1\nstart vip n1\n"},
		{"an address leaves a node that gave the proxy up", "n1 online, n2 online; vip on n1; web failed n1 on n2 fails=n1:1 migration-threshold=1" + tutorial,
			"stop vip n1\nstart vip n2\nstop web n1\n"},
		{"what is not bound to a clone waits for all of it", "n1 online, n2 online; db; web; clone c web; c then db", "start web n1\nstart web n2\nstart db n1\n"},
		{"and goes on while one runs", "n1 online, n2 online; db on n1; web failed n1 on n2; clone c web; c then db", "stop web n1\nstart web n1\n"},
		{"but not when none does", "n1 online, n2 online; db on n1; web failed n1 failed n2; clone c web; c then db",
			"stop db n1\nstop web n1\nstart web n1\nstop web n2\nstart web n2\nstart db n1\n"},
		{"a clone waits for what comes first", "n1 online, n2 online; db; web; clone c web; db then c", "start db n1\nstart web n1\nstart web n2\n"},
		{"a clone runs only where its partner does", "n1 online, n2 online; db on n2; web; clone c web; c with db INFINITY", "start web n2\n"},
		{"clones that interleave wait on each node for themselves", "n1 online, n2 online; a on n1 failed n2; b on n1 on n2; clone ca a; clone cb b interleave=true; ca then cb",
			"stop b n2\nstop a n2\nstart a n2\nstart b n2\n"},
		{"and run only where the first one does", "n1 online, n2 online; a; b; clone ca a; clone cb b interleave=true; ca then cb; ca prefers n1=-INFINITY",
			"start a n2\nstart b n2\n"},
		{"clones that do not wait for all", "n1 online, n2 online; a on n1; b; clone ca a; clone cb b; ca then cb", "start a n2\nstart b n1\nstart b n2\n"},
		{"a clone avoids a node", "n1 online, n2 online; web on n1 on n2; clone c web; c prefers n2=-INFINITY", "stop web n2\n"},
		{"what avoids a clone goes where there is none", "n1 online, n2 online; db; web; clone c web clone-max=1; c prefers n1=5; db with c -INFINITY",
			"start db n2\nstart web n1\n"},
		{"what needs one instance waits for one", "n1 online, n2 online; db; web on n1; clone c web; constraint id:\"o\" order{first:\"c\" then:\"db\" any_instance:true}", "start db n1\nstart web n2\n"},
		{"what needs all waits for all", "n1 online, n2 online; db; web on n1; clone c web; c then db", "start web n2\nstart db n1\n"},
		{"a score with a clone counts once", "n1 online, n2 online; db; web on n1; clone c web clone-max=1; db with c 10; db prefers n2=15", "start db n2\n"},
		{"fewer instances stay where the address is", "n1 online, n2 online, n3 online; vip on n2; web on n1 on n2 on n3; clone c web clone-max=1; vip with c INFINITY; c then vip; default resource-stickiness=1",
			"stop web n1\nstop web n3\n"},
		{"also where nothing is sticky", "n1 online, n2 online, n3 online; vip on n2; web on n1 on n2 on n3; clone c web clone-max=1; vip with c INFINITY; c then vip",
			"stop web n1\nstop web n3\n"},
		{"an address that may not be somewhere keeps no proxy from there", "n1 online, n2 online; vip; web" + tutorial + "\nvip prefers n1=-INFINITY",
			"start web n2\nstart vip n2\nstart web n1\n"},
	})
}

func TestWhatAnInstanceWaitsFor(t *testing.T) {
	tests := []struct{ name, state, ready string }{
		{"S1: a stop, if there are as many as may be", "n1 online, n2 online; web on n1; clone c web clone-max=1; c prefers n2=50", "stop web n1\n"},
		{"ordered: the one before", "n1 online, n2 online; web; clone c web ordered=true", "start web n1\n"},
		{"ordered: the one under way", "n1 online, n2 online; web starting n1; clone c web ordered=true", ""},
		{"not ordered: nothing", "n1 online, n2 online; web; clone c web", "start web n1\nstart web n2\n"},
		{"the look on its own node", "n1 online, n2 online; web probing n1; clone c web", "start web n2\n"},
		{"a look elsewhere, if there is no room", "n1 online, n2 online; web probing n1; clone c web clone-max=1; c prefers n2=5", ""},
		{"the address beside it, to stop", "n1 online, n2 online; vip on n1; web on n1 on n2; clone c web target-role=Stopped; vip with c INFINITY; c then vip",
			"stop vip n1\nstop web n2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ready(Schedule(parse(t, tt.state), noon)); got != tt.ready {
				t.Errorf("Schedule(%s).Ready()\n got %q\nwant %q", tt.state, got, tt.ready)
			}
		})
	}
}

func TestEachInstanceHasAPlacement(t *testing.T) {
	p := Schedule(parse(t, "n1 online, n2 online, n3 standby, n4 witness; web on n3 on n1; db on n2; clone c web"), noon)
	var got strings.Builder
	for _, pl := range p.Placements {
		fmt.Fprintf(&got, "%s of %q on %q, is on %q: %s\n", pl.Resource, p.names[pl.Instance], p.names[pl.Node], p.names[pl.Current], pl.Reason())
	}
	want := `db of "" on "n2", is on "n2": db runs on n2: it runs on n2, and no node scores higher (n1 scores 0 too)
web of "n1" on "n1", is on "n1": web runs on n1: clone c runs on every node that may run it
web of "n2" on "n2", is on "": web starts on n2: clone c runs on every node that may run it
web of "n3" on "", is on "n3": web cannot run on n3: n3 is in standby
`
	if got.String() != want {
		t.Errorf("placements\n%swant\n%s", got.String(), want)
	}
}

func TestExplainSaysWhyOfEachInstance(t *testing.T) {
	const all = "n1 online, n2 online, n3 standby; web on n1 on n2 fails=n2:1; clone c web"
	const two = "n1 online, n2 online, n3 online; web on n1 on n2; clone c web clone-max=2; c prefers n1=50 n2=20"
	tests := []struct{ name, state, resource, node, want string }{
		{"of all", all, "c", "", `
			web runs on n1: clone c runs on every node that may run it
			web runs on n2: clone c runs on every node that may run it
			web cannot run on n3: n3 is in standby
			web failed on n2 once, last at 2026-01-01 11:00:00: no answer`},
		{"by what is in it", all, "web", "n3", `
			web cannot run on n3: n3 is in standby`},
		{"as many as may be", two, "c", "n1", `
			web runs on n1: clone c runs on 2 nodes (clone-max); n1 scores 51 (+50 by location-c-n1-50, +1 by stickiness); n3 scores 0`},
		{"not on a node", two, "c", "n3", `
			web does not run on n3: clone c runs on 2 nodes (clone-max), and others score as high or higher`},
		{"disabled", all + " target-role=Stopped", "c", "n1", `
			web is to be stopped: it is disabled (target-role=Stopped)`},
		{"beside nothing", "n1 online, n2 online; db on n1; web on n1; clone c web; c with db INFINITY", "c", "n2", `
			web cannot run on n2: db does not run there (-INFINITY, colocation-c-db-INFINITY)`},
		{"what runs with a clone", "n1 online, n2 gone; vip on n1; web on n1; clone c web; vip with c INFINITY", "vip", "", `
			vip runs on n1: it is colocated with web (INFINITY, colocation-vip-c-INFINITY)
			vip cannot run on n2: n2 is gone`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sentences, _ := Explain(parse(t, tt.state), noon, tt.resource, tt.node)
			got, want := strings.Join(sentences, "\n"), strings.ReplaceAll(strings.TrimSpace(tt.want), "\t", "")
			if got != want {
				t.Errorf("%s not on %q\n got\n%s\nwant\n%s", tt.resource, tt.node, got, want)
			}
		})
	}
}
