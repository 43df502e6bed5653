package forecast

import (
	"strings"
	"testing"
)

// settled is what all tables here begin with: web and db on n1, log on n2.
const settled = `
	create web
	location web n1 50
	create db
	location db n1 50
	create log
	location log n2 50`

func TestAForecastOfAChangeSaysWhatItChanges(t *testing.T) {
	tests := []struct{ name, change, want string }{
		{"nothing", "attribute n1 rack=1", ""},
		{"a start", "create new; location new n3 5", "start new n3\n"},
		{"a move", "location web n2 100", "move web n1 n2\n"},
		{"moves of what goes along", "colocation db web INFINITY; location web n2 200", "move db n1 n2\nmove web n1 n2\n"},
		{"a stop", "meta web target-role=Stopped", "stop web n1\n"},
		{"a deletion", "delete web", "stop web n1\n"},
		{"a restart", "parameter web ip=10.0.0.2", "restart web n1 n1\n"},
		{"one that was asked for", "restart web", "restart web n1 n1\n"},
		{"a standby", "standby n1", "move db n1 n2\nmove web n1 n3\n"},
		{"all of it", "property stop-all-resources=true", "stop db n1\nstop log n2\nstop web n1\n"},
		{"the same configuration", "again", ""},
		{"an empty configuration", "empty", "stop db n1\nstop log n2\nstop web n1\n"},
		{"a clone", "clone web", "start web n2\nstart web n3\n"},
		{"a clone on two nodes", "clone web clone-max=2; location web-clone n3 20", "start web n3\n"},
		{"a clone on another node", "clone web clone-max=1; location web-clone n3 200", "stop web n1\nstart web n3\n"},
		{"a clone of a group", "unconstrain location-db-n1-50; unconstrain location-web-n1-50; group g web db; clone g clone-max=2; location g-clone n2 20", "start db n2\nstart web n2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, settled)
			f := w.forecast(tt.change)
			if got := actions(f); got != tt.want {
				t.Errorf("%s\n got\n%swant\n%s", tt.change, got, tt.want)
			}
			for _, a := range f.Actions {
				if !strings.HasPrefix(a.Reason, a.Resource+" ") {
					t.Errorf("%v has no sentence for a reason", a)
				}
			}
		})
	}
}

// What a forecast says is what comes about.
func TestAForecastComesTrue(t *testing.T) {
	for _, change := range []string{
		"location web n2 100", "colocation db web -INFINITY", "standby n1", "delete web", "group g web db", "meta db target-role=Stopped",
		"create new", "colocation log web INFINITY", "property symmetric-cluster=false", "clone web", "clone web clone-max=2",
	} {
		w := newWorld(t, settled)
		want := w.forecast(change)
		w.change(w.edit(change))
		w.settle()
		rest := Between(w.state, w.state, noon)
		if len(rest.Actions)+len(rest.Steps) > 0 {
			t.Errorf("%s: something is left to do: %v", change, rest)
		}
		if places(rest) != places(want) {
			t.Errorf("%s: foretold\n%scame\n%s", change, places(want), places(rest))
		}
	}
}

func TestWhatComesAnywayIsNotOfTheChange(t *testing.T) {
	w := newWorld(t, settled)
	w.change(w.edit("location web n3 100")) // committed, not yet done
	if got := actions(w.forecast("location log n3 100")); got != "move log n2 n3\n" {
		t.Errorf("got\n%s", got)
	}
	if got := actions(Between(w.state, w.state, noon)); got != "move web n1 n3\n" {
		t.Errorf("anyway\n%s", got)
	}
}

const offRack1 = `location{resource:"web" score:-1000000 rule{conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"1"}}}}`

func TestInterruptions(t *testing.T) {
	tests := []struct {
		name, before, change string
		want                 string // resources that are asked about
	}{
		{"a move of what is named", "", "location web n2 100", ""},
		{"of what must run with it", "colocation db web INFINITY", "location db n2 200", ""},
		{"of the rest of its group", "group g web db", "location g n2 200", ""},
		{"a restart of what is named", "", "parameter web ip=10.0.0.2", ""},
		{"a restart of what follows it", "order web db", "parameter web ip=10.0.0.2", "db"},
		{"that, when they are together", "order web db\ncolocation db web INFINITY", "parameter web ip=10.0.0.2", ""},
		{"what gives way", "meta web priority=5", "colocation db web -INFINITY; location web n1 100", ""},
		{"what gives way and is not named", "colocation log web -INFINITY", "location web n2 1000", "log"},
		{"what is named and runs nowhere", "", "location web n1 -INFINITY; location web n2 -INFINITY; location web n3 -INFINITY", "web"},
		{"what has to run with something stopped", "meta log target-role=Stopped", "colocation db log INFINITY", "db"},
		{"disable", "order web db", "meta web target-role=Stopped", ""},
		{"delete", "colocation db web INFINITY", "delete web", ""},
		{"restart", "order web db", "restart web", ""},
		{"standby", "location web n2 -INFINITY\nlocation web n3 -INFINITY", "standby n1", ""},
		{"unstandby", "standby n1", "unstandby n1", ""},
		{"stop-all-resources", "", "property stop-all-resources=true", ""},
		{"symmetric-cluster", "location web n2 1\nlocation web n3 1", "property symmetric-cluster=false", ""},
		{"symmetric-cluster, of what no constraint allows", "create new", "property symmetric-cluster=false", "new"},
		{"a move by hand of what another must not meet", "colocation web log -INFINITY", "move log n1", "web"},
		{"a rule that is made", "attribute n1 rack=1", "constraint " + offRack1, ""},
		{"an attribute that a rule asks for", "constraint " + offRack1, "attribute n1 rack=1", "web"},
		{"a set that brings together", "", "constraint colocation{score:1000000 sets{resources:[\"web\",\"log\",\"db\"]}}", ""},
		{"what must run with one of a set", "constraint colocation{score:1000000 sets{resources:[\"web\",\"db\"]}}", "location db n3 2000", ""},
		{"an order of two that run", "", "order web log", ""},
		{"a constraint that goes", "location web n2 100", "unconstrain location-web-n2-100", ""},
		{"a failback policy", "default failback=manual\nstandby n1\nunstandby n1", "default failback=score", ""},
		{"a stickiness", "default failback=manual\nstandby n1\nunstandby n1\ndefault resource-stickiness=1000\ndefault failback=score", "default resource-stickiness=0", "db web"},
		{"the same configuration", "", "again", ""},
		{"an empty configuration", "", "empty", "db log web"},
		{"a clone on fewer nodes", "clone web", "meta web-clone clone-max=1", ""},
		{"a clone that goes from a node", "clone web", "location web-clone n3 -INFINITY", ""},
		{"a clone that goes from all nodes", "clone web", "location web-clone n1 -INFINITY; location web-clone n2 -INFINITY; location web-clone n3 -INFINITY", "web web web"},
		{"a clone that goes for another's sake", "clone web", "colocation db web-clone -INFINITY", "db"},
		{"a clone disabled", "clone web", "meta web-clone target-role=Stopped", ""},
		{"a clone dissolved", "clone web clone-max=1", "unclone web-clone", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newWorld(t, settled+"\n"+tt.before).forecast(tt.change)
			var got []string
			for _, text := range f.Interruptions {
				got = append(got, strings.Fields(text)[0])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: asks about %q\n%s\nwant %s\n%s", tt.change, got, strings.Join(f.Interruptions, "\n"), tt.want, actions(f))
			}
		})
	}
}

// What a command names may have to wait at its new place, for what lingers
// elsewhere: it belongs somewhere all the same.
func TestAStopForAWhileIsAMove(t *testing.T) {
	w := newWorld(t, settled+"\nlinger mail\nlocation mail n3 1000\nlocation mail n2 500")
	w.lose("n3")
	w.settle()
	f := w.forecast("colocation web mail INFINITY")
	if actions(f) != "stop web n1\n" || len(f.Interruptions) > 0 {
		t.Errorf("got\n%sasked about %q", actions(f), f.Interruptions)
	}
}
