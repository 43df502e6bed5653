package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// parseVoters reads "a stopped, b gone=30m owns, c replica; min-voters=2": nodes
// in the electorate, unless they are out of it, and properties. All else is well
// with them; gone says for how long.
func parseVoters(t *testing.T, text string) *pb.State {
	t.Helper()
	st := &pb.State{Electorate: &pb.Electorate{}, Properties: map[string]string{}}
	nodes, properties, _ := strings.Cut(text, ";")
	for _, p := range strings.Fields(properties) {
		name, value, _ := strings.Cut(p, "=")
		st.Properties[name] = value
	}
	for _, words := range strings.Split(nodes, ",") {
		f := strings.Fields(words)
		n := &pb.Node{Id: f[0], Name: f[0], Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED}
		votes := true
		for _, w := range f[1:] {
			word, value, _ := strings.Cut(w, "=")
			switch word {
			case "stopped":
				n.Stopped = true
			case "owns":
				st.Assignments = append(st.Assignments, &pb.Assignment{Resource: "vip", Node: n.Id})
			case "out":
				votes = false
			case "replica":
				n.Role = pb.Role_ROLE_REPLICA
			case "witness":
				n.Role = pb.Role_ROLE_WITNESS
			case "gone":
				n.Admission = pb.Admission_ADMISSION_GONE
				ago, err := time.ParseDuration(value)
				if err != nil {
					t.Fatal(err)
				}
				n.GoneAt = timestamppb.New(noon.Add(-ago))
			default:
				t.Fatalf("%q is no word for a node", w)
			}
		}
		st.Nodes = append(st.Nodes, n)
		if votes {
			st.Electorate.Voters = append(st.Electorate.Voters, n.Id)
		}
	}
	return st
}

func TestTheNextElectorate(t *testing.T) {
	tests := []struct {
		name, state, want string // want: the electorate, and when time may change it; empty: as it is
	}{
		{"all is well", "a, b, c", ""},
		{"one joins", "a, b, c out", "a b c"},
		{"one that is gone does not join", "a, b, c out gone=1s", ""},

		{"a role without a vote", "a replica, b, c", "b c"},
		{"not while the others could then decide nothing", "a replica, b, c gone=1h", ""},
		{"also when it is gone", "a replica gone=1h, b, c", "b c"},
		{"the gone one goes first", "a replica, b, c replica gone=1h", "a b"},

		{"a stopped node gives its vote back", "a stopped, b, c", "b c"},
		{"once it has handed over", "a stopped owns, b, c", ""},
		{"down to the last", "a stopped out, b stopped, c", "c"},
		{"which keeps its own", "a stopped out gone=1h, b stopped out gone=1h, c", ""},
		{"and when it is stopped, those who are there vote again", "a stopped out, b stopped out gone=1h, c stopped", "a c"},
		{"stopped all at once, they all keep it", "a stopped, b stopped, c stopped", ""},
		{"one of a pair", "a stopped, b", "b"},
		{"beside a witness", "a stopped, b, w witness", "b w"},
		{"the last beside a witness", "a stopped out, b stopped, w witness", "w"},
		{"not while another voter is gone", "a stopped, b, c gone=1h", ""},
		{"but if it is gone itself", "a stopped gone=1s, b, c", "b c"},
		{"started, it gets it back", "a out, b, c stopped out", "a b"},

		{"a dead voter keeps its vote", "a gone=1000h, b, c", ""},
		{"by default, whatever the timeout", "a gone=1000h, b, c; dead-voter-timeout=1h", ""},
		{"with enough living voters it loses it", "a gone=2h, b, c; dead-voter-timeout=1h min-voters=2", "b c"},
		{"in time", "a gone=20m, b, c; dead-voter-timeout=1h min-voters=2", "at 12:40"},
		{"not below their number", "a gone=2h, b, c; dead-voter-timeout=1h min-voters=3", ""},
		{"one after the other", "a gone=2h, b gone=3h, c, d, e; dead-voter-timeout=1h min-voters=3", "b c d e"},
		{"and the second too", "a out gone=2h, b gone=3h, c, d, e; dead-voter-timeout=1h min-voters=3", "c d e"},
		{"back, it gets it back", "a out, b, c; dead-voter-timeout=1h min-voters=2", "a b c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			voters, change, due := nextElectorate(parseVoters(t, tt.state), noon)
			got := ""
			if change {
				got = strings.Join(voters, " ")
			} else if !due.IsZero() {
				got = due.Format("at 15:04")
			}
			if got != tt.want {
				t.Errorf("nextElectorate(%s) = %q, want %q", tt.state, got, tt.want)
			}
		})
	}
}

func (d *desk) change(edits ...*pb.Edit) {
	d.t.Helper()
	d.commit(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
}

func stopNode(name string, stopped bool) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: name, Stopped: &stopped}}}
}

// voting is who votes, in the state and in raft.
func (d *desk) voting() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var raft []string
	for _, s := range d.servers {
		if s.Voter {
			raft = append(raft, s.ID)
		}
	}
	slices.Sort(raft)
	return fmt.Sprintf("%v %v", d.store.Get().State.Electorate.Voters, raft)
}

// goOn lets a term run, all nodes that are there confirming each electorate.
func (d *desk) goOn() {
	d.t.Helper()
	for range 3 {
		for _, n := range d.store.Get().State.Nodes {
			if n.Admission == pb.Admission_ADMISSION_ADMITTED {
				d.confirm(n.Id)
			}
		}
		time.Sleep(time.Second)
	}
}

func TestNodesAreStoppedOneAfterTheOtherAndStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.create("vip", 0)
		_, end := d.lead()
		defer end()
		d.goOn()
		for _, step := range []struct{ node, owner, voting string }{
			{"a", "b", "[b c] [b c]"},
			{"b", "c", "[c] [c]"},
			{"c", "", "[a b c] [a b c]"},
		} {
			d.change(stopNode(step.node, true))
			d.goOn()
			if got := d.owner("vip"); got != step.owner || d.voting() != step.voting {
				t.Errorf("%s stopped: vip on %q, voters %s; want %q and %s", step.node, got, d.voting(), step.owner, step.voting)
			}
		}
		d.change(stopNode("b", false))
		d.goOn()
		if got := d.owner("vip"); got != "b" || d.voting() != "[b] [b]" {
			t.Errorf("b started: vip on %q, voters %s", got, d.voting())
		}
		d.change(stopNode("a", false), stopNode("c", false))
		d.goOn()
		if got := d.owner("vip"); got != "b" || d.voting() != "[a b c] [a b c]" {
			t.Errorf("all started: vip on %q, voters %s", got, d.voting())
		}
	})
}

// A stopped node may be switched off: it costs the others nothing.
func TestAStoppedNodeThatIsSwitchedOffIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		_, end := d.lead()
		defer end()
		d.goOn()
		d.change(stopNode("a", true))
		d.goOn()
		d.gone("a", "b", "c")
		d.change(stopNode("b", true))
		d.goOn()
		if d.voting() != "[c] [c]" {
			t.Errorf("voters %s, want c alone", d.voting())
		}
	})
}

func TestADeadVoterLosesItsVoteInTimeAndGetsItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "a", "b", "c")
		d.change(&pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
			Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{"dead-voter-timeout": "1h", "min-voters": "2"},
		}}})
		_, end := d.lead()
		defer end()
		d.goOn()
		d.gone("a", "b", "c")
		d.goOn()
		time.Sleep(59 * time.Minute)
		if d.voting() != "[a b c] [a b c]" {
			t.Fatalf("voters %s within the hour", d.voting())
		}
		time.Sleep(time.Minute)
		if d.voting() != "[b c] [b c]" {
			t.Errorf("voters %s after the hour", d.voting())
		}
		events := d.store.Get().State.Events
		if got, want := events[len(events)-1].Text, "the voters are now b, c: a lost its vote, being gone for 1h0m0s"; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		d.admit("a")
		d.goOn()
		if d.voting() != "[a b c] [a b c]" || !state.Votes(d.store.Get().State, "a") {
			t.Errorf("voters %s after its return", d.voting())
		}
	})
}
