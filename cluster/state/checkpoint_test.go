package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

func TestEveryConfigurationCanBeHadAgain(t *testing.T) {
	c := newCluster(t)
	want := map[uint64]*pb.Configuration{}
	for line := range strings.SplitSeq(`create web group=site
		property symmetric-cluster=false
		property stop-all-resources=true
		group site vip
		location site na 50
		colocation db site INFINITY
		meta site priority=5
		parameter db x=1
		parameter db x=2
		ungroup site web
		delete web
		unconstrain location-site-na-50`, "\n") {
		c.run(line)
		list := c.state().Checkpoints
		want[list[len(list)-1].Number] = proto.CloneOf(Configuration(c.state()))
		for number, w := range want {
			got, err := ConfigurationAt(c.state(), number)
			if err != nil || !proto.Equal(got, w) {
				t.Fatalf("after %s: checkpoint %d is %v\nwant %v\n%v", line, number, got, w, err)
			}
		}
	}
	first, err := ConfigurationAt(c.state(), 1)
	if err != nil || len(first.Resources) != 0 || len(first.Nodes) != 3 {
		t.Errorf("checkpoint 1 is %v, %v, want the cluster as it was made", first, err)
	}
}

func TestACheckpointTellsWhoChangedWhatAndWhen(t *testing.T) {
	c := newCluster(t)
	c.run("meta db priority=5")
	list := c.state().Checkpoints
	newest := list[len(list)-1]
	if newest.Actor != "root@na" || newest.Index != c.index || newest.At == nil || !strings.Contains(newest.Text, "priority=5") {
		t.Errorf("got %v", newest)
	}
}

func TestAChangeThatLeavesTheConfigurationMakesNoCheckpoint(t *testing.T) {
	c := newCluster(t)
	before := len(c.state().Checkpoints)
	c.run(`
		move vip nb
		clear vip
		restart vip
		cleanup vip
		parameter db x=1
		parameter db x=1`)
	if made := len(c.state().Checkpoints) - before; made != 1 {
		t.Errorf("%d checkpoints were made, want 1", made)
	}
}

func TestTheNewestHundredAreKept(t *testing.T) {
	c := newCluster(t)
	for i := range 250 {
		c.run(fmt.Sprintf("parameter db x=%d", i))
	}
	list := c.state().Checkpoints
	if len(list) != 100 || list[0].Change != nil || list[0].Number+99 != list[99].Number {
		t.Fatalf("%d are kept, from %v", len(list), list[0])
	}
	if oldest, err := ConfigurationAt(c.state(), list[0].Number); err != nil || oldest.Resources[0].Parameters["x"] != "150" {
		t.Errorf("the oldest is %v, %v", oldest, err)
	}
	_, err := ConfigurationAt(c.state(), list[0].Number-1)
	if want := fmt.Sprintf("checkpoint: there is no number %d; kept are %d to %d", list[0].Number-1, list[0].Number, list[99].Number); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestARestoredCheckpointIsAnother(t *testing.T) {
	c := newCluster(t)
	c.run("parameter db x=1")
	number := c.state().Checkpoints[len(c.state().Checkpoints)-1].Number
	want := proto.CloneOf(Configuration(c.state()))
	c.run(`
		create web
		property no-quorum-policy=stop`)
	old, err := ConfigurationAt(c.state(), number)
	if err != nil {
		t.Fatal(err)
	}
	restore := &pb.ReplaceConfiguration{Configuration: old, Checkpoint: number}
	if err := c.propose(change(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: restore}})); err != nil {
		t.Fatal(err)
	}
	if got := Configuration(c.state()); !proto.Equal(got, want) {
		t.Errorf("restored\n%v\nwant\n%v", got, want)
	}
	newest := c.state().Checkpoints[len(c.state().Checkpoints)-1]
	if newest.Number != number+3 || newest.Text != fmt.Sprintf("configuration of checkpoint %d restored", number) {
		t.Errorf("the newest checkpoint is %v", newest)
	}
}

func TestARemovedNodeIsInNoCheckpoint(t *testing.T) {
	c := newCluster(t)
	c.run(`
		put d replica
		parameter db x=1
		remove d force`)
	for _, k := range c.state().Checkpoints {
		at, err := ConfigurationAt(c.state(), k.Number)
		if err != nil || slices.ContainsFunc(at.Nodes, func(n *pb.NodeConfiguration) bool { return n.Name == "nd" }) {
			t.Errorf("checkpoint %d has the nodes %v, %v", k.Number, at.Nodes, err)
		}
	}
}

// A hundred configurations of 5,000 resources must not be a hundred times as
// large as one, neither in memory nor in a snapshot.
func TestAHundredConfigurationsTakeLittleRoom(t *testing.T) {
	s := &pb.State{ClusterId: "c"}
	for i := range 5000 {
		s.Resources = append(s.Resources, &pb.Resource{
			Id: fmt.Sprintf("r%04d", i), Agent: "ocf:heartbeat:IPaddr2", Parameters: map[string]string{"ip": fmt.Sprintf("10.0.%d.%d", i/250, i%250)},
		})
	}
	one := proto.Size(Configuration(s))
	for i := range uint64(150) {
		set := &pb.UpdateResource{Id: fmt.Sprintf("r%04d", i*7), SetParameters: map[string]string{"nic": "eth0"}}
		next, _, err := Step(s, i+1, change(&pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: set}}))
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	if all := proto.Size(&pb.State{Checkpoints: s.Checkpoints}); len(s.Checkpoints) != 100 || all > one/10 {
		t.Errorf("%d checkpoints take %d bytes, want a hundred in at most a tenth of the %d that one configuration takes", len(s.Checkpoints), all, one)
	}
}

// A field that Difference or narrow forgets would be restored wrongly.
func TestCheckpointsKnowEveryField(t *testing.T) {
	s := &pb.State{}
	fill(s.ProtoReflect(), 4)
	b, a := narrow(s, &pb.State{})
	if got := Configuration(b); !proto.Equal(got, Configuration(s)) || proto.Size(Configuration(a)) != 0 {
		t.Errorf("narrow keeps\n%v\nof\n%v", got, Configuration(s))
	}
	c := &pb.Configuration{}
	fill(c.ProtoReflect(), 4)
	gone, made := Difference(c, &pb.Configuration{}), Difference(&pb.Configuration{}, c)
	if !proto.Equal(gone.Before, c) || !proto.Equal(made.After, c) {
		t.Errorf("of\n%v\ndiffer\n%v\n%v", c, gone, made)
	}
}

func TestADifferenceCanBeUndone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawConfiguration(t), drawConfiguration(t)
		change := Difference(before, after)
		if (change == nil) != proto.Equal(before, after) {
			t.Fatalf("difference %v of\n%v\n%v", change, before, after)
		}
		if change == nil {
			return
		}
		change.After = namesOnly(change.After)
		if got := undone(after, change); !proto.Equal(got, before) {
			t.Fatalf("undone\n%v\nwant\n%v", got, before)
		}
	})
}

// drawConfiguration draws one with few names, so that two have much in common.
func drawConfiguration(t *rapid.T) *pb.Configuration {
	settings := rapid.MapOf(rapid.SampledFrom([]string{"p", "q", "r"}), rapid.SampledFrom([]string{"1", "2"}))
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID[string])
	c := &pb.Configuration{Properties: settings.Draw(t, "properties"), ResourceDefaults: settings.Draw(t, "defaults")}
	for _, id := range slices.Sorted(slices.Values(names.Draw(t, "resources"))) {
		c.Resources = append(c.Resources, &pb.Resource{Id: id, Parameters: settings.Draw(t, "parameters")})
	}
	for _, id := range slices.Sorted(slices.Values(names.Draw(t, "constraints"))) {
		c.Constraints = append(c.Constraints, &pb.Constraint{Id: id, Kind: &pb.Constraint_Location{Location: &pb.Location{Score: rapid.Int64Range(1, 2).Draw(t, "score")}}})
	}
	return c
}
