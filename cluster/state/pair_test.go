package state

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

func TestAPairIsTwoVotersWhosePolicyIsIgnore(t *testing.T) {
	c := newPair(t)
	if got := Peer(c.state(), "a") + Peer(c.state(), "b") + Peer(c.state(), "c"); got != "ba" {
		t.Errorf("the peers are %q, want b of a, a of b", got)
	}
	if got := Lost(c.state(), "a"); got != "" {
		t.Errorf("a lost %q before any fork", got)
	}
	f := c.fork()
	f.Silence = durationpb.New(Threshold(400_000_000))
	if err := c.goAlone(f); err != nil {
		t.Fatal(err)
	}
	if got := Peer(c.state(), "a") + Lost(c.state(), "b"); got != "" {
		t.Errorf("after the fork there is still %q", got)
	}
	if got := Lost(c.state(), "a"); got != "b" {
		t.Errorf("a lost %q, want b", got)
	}
	c.run("admit b")
	if got := Lost(c.state(), "a"); got != "b" {
		t.Errorf("b asked to come back, and a lost %q, want b", got)
	}
	c.run("confirm b")
	if got := Lost(c.state(), "a"); got != "" {
		t.Errorf("b has followed the fork, and a lost %q", got)
	}
	c.run("electorate a b\nproperty no-quorum-policy=stop")
	if got := Peer(c.state(), "a"); got != "" {
		t.Errorf("with policy stop the peer is %q", got)
	}
}

// One that was made a replica while it was away has not heard of it, and may serve.
func TestALostPeerIsLostInWhateverRole(t *testing.T) {
	c := newPair(t)
	if err := c.goAlone(c.fork()); err != nil {
		t.Fatal(err)
	}
	c.run("put b replica")
	if got := Lost(c.state(), "a"); got != "b" {
		t.Errorf("a lost %q, want b", got)
	}
	c.run("admit b")
	if got := Lost(c.state(), "a"); got != "b" {
		t.Errorf("b asked to come back, and a lost %q, want b", got)
	}
	c.run("confirm b")
	if got := Lost(c.state(), "a"); got != "" {
		t.Errorf("b has followed the fork, and a lost %q", got)
	}
}

// Of three voters a majority decides: the policy ends with the pair, in the same
// entry, and says so.
func TestAThirdVoterEndsThePolicyOfAPair(t *testing.T) {
	for _, line := range []string{"put d", "put d witness"} {
		c := newPair(t)
		c.run(line)
		if got := Property(c.state(), "no-quorum-policy"); got != "stop" {
			t.Errorf("%s: the policy is %s, want stop", line, got)
		}
		if last := c.state().Events[len(c.state().Events)-1]; !strings.Contains(last.Text, "now a majority decides") {
			t.Errorf("%s: the newest event is %q", line, last.Text)
		}
		if err := c.propose(change(setOptions(ofCluster, "no-quorum-policy", "ignore"))); err == nil {
			t.Errorf("%s: ignore was accepted", line)
		}
	}
	c := newPair(t)
	c.run("put d replica")
	if got := Property(c.state(), "no-quorum-policy"); got != "ignore" {
		t.Errorf("with a replica the policy is %s, want ignore", got)
	}
}

func TestPreferenceIsTheSameOnBothSides(t *testing.T) {
	tests := []struct {
		name, a, b string // attribute priority
		want       bool   // a goes first
	}{
		{"by name", "", "", true},
		{"by priority", "", "1", false},
		{"by priority, though it is lower than nothing", "-1", "", false},
		{"what is no number is none", "high", "", true},
		{"infinity", "INFINITY", "5", true},
	}
	for _, tt := range tests {
		st := &pb.State{Nodes: []*pb.Node{
			{Id: "1", Name: "a", Attributes: map[string]string{"priority": tt.a}},
			{Id: "0", Name: "b", Attributes: map[string]string{"priority": tt.b}},
		}}
		if got := Preferred(st, "1", "0"); got != tt.want || Preferred(st, "0", "1") == got {
			t.Errorf("%s: a before b %v, b before a %v; want %v and its opposite", tt.name, got, Preferred(st, "0", "1"), tt.want)
		}
	}
}
