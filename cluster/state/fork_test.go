package state

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/fork"
	pb "quorate/proto/quorate/v1"
)

// newPair is newCluster without c, whose policy lets one of two go on alone.
func newPair(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t)
	c.run(`
		put c replica
		electorate a b
		confirm a
		confirm b
		confirm c
		gone c a=1s b=1s
		remove c`)
	c.run("property no-quorum-policy=ignore")
	return c
}

// fork makes a's fork, as valid as can be.
func (c *cluster) fork() *pb.ForkAlone {
	return &pb.ForkAlone{
		Number: uint64(len(c.state().Forks)) + 1, Id: "x", Node: "a", Peer: "b", PeerEpoch: c.epoch("b"),
		Silence: durationpb.New(450 * time.Millisecond),
	}
}

func (c *cluster) goAlone(f *pb.ForkAlone) error {
	c.t.Helper()
	return c.propose(&pb.Command{Body: &pb.Command_Fork{Fork: f}})
}

func TestOneOfAPairGoesOnAlone(t *testing.T) {
	c := newPair(t)
	c.run(`
		start vip b
		done vip b
		start db b
		done db b`)
	if err := c.goAlone(c.fork()); err != nil {
		t.Fatal(err)
	}
	if want := trimmed("db owned by b#2 orphaned: b unknown\nvip: b stopped"); summary(c.state()) != want {
		t.Errorf("rule 15: got\n%swant\n%s", summary(c.state()), want)
	}
	st := c.state()
	if got := st.Electorate; !slices.Equal(got.Voters, []string{"a"}) || got.Version != 5 {
		t.Errorf("the electorate is %v, want a alone at version 5", got)
	}
	if got := NodeByID(st, "b").Admission; got != pb.Admission_ADMISSION_GONE {
		t.Errorf("the peer is %v", got)
	}
	if got := fork.History(st.Forks); !slices.Equal(got, []string{"x"}) || st.Forks[0].Index != c.index {
		t.Errorf("the forks are %v", st.Forks)
	}
	if got := st.Forks[0].Configuration; len(got.Resources) != 2 || got.Properties["no-quorum-policy"] != "ignore" {
		t.Errorf("the fork began with %v", got)
	}
	c.run(`
		start vip a
		admit b
		confirm b
		electorate a b`) // rule 20: a has confirmed by forking
}

func TestAForkThatWouldNotBeSafeIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*cluster, *pb.ForkAlone)
		want  Code
	}{
		{"rule 14: the silence is too short", func(_ *cluster, f *pb.ForkAlone) { f.Silence = durationpb.New(449 * time.Millisecond) }, Precondition},
		{"rule 14: of another epoch", func(c *cluster, _ *pb.ForkAlone) { c.run("admit b") }, Stale},
		{"rule 19: the peer has not confirmed the electorate", func(c *cluster, f *pb.ForkAlone) { c.run("admit b"); f.PeerEpoch++ }, Precondition},
		{"rule 19: nor has a replica", func(c *cluster, _ *pb.ForkAlone) { c.run("put d replica\nadmit d") }, Precondition},
		{"three vote", func(c *cluster, _ *pb.ForkAlone) { c.run("put d\nelectorate a b d") }, Precondition},
		{"one votes", func(c *cluster, _ *pb.ForkAlone) { c.run("put b replica\nelectorate a") }, Precondition},
		{"not a pair's policy", func(c *cluster, _ *pb.ForkAlone) { c.run("property no-quorum-policy=stop") }, Precondition},
		{"without itself", func(_ *cluster, f *pb.ForkAlone) { f.Peer = "a" }, Invalid},
		{"without a stranger", func(_ *cluster, f *pb.ForkAlone) { f.Peer = "z" }, Invalid},
		{"without an id", func(_ *cluster, f *pb.ForkAlone) { f.Id = "" }, Invalid},
		{"of another history", func(_ *cluster, f *pb.ForkAlone) { f.Number = 2 }, Stale},
	}
	for _, tt := range tests {
		c := newPair(t)
		f := c.fork()
		tt.spoil(c, f)
		var got Code
		if refusal, ok := c.goAlone(f).(*Refusal); ok {
			got = refusal.Code
		}
		if got != tt.want {
			t.Errorf("%s: answered %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOnlyTheNewestForksRememberTheirConfiguration(t *testing.T) {
	c := newPair(t)
	for i := range keptBases + 2 {
		f := c.fork()
		f.Id = string(rune('p' + i))
		if err := c.goAlone(f); err != nil {
			t.Fatal(err)
		}
		c.run("admit b\nconfirm b\nelectorate a b\nconfirm a\nconfirm b")
	}
	for i, f := range c.state().Forks {
		if kept := i >= 2; (f.Configuration != nil) != kept {
			t.Errorf("fork %d remembers %v, want that it does: %t", f.Number, f.Configuration, kept)
		}
	}
}
