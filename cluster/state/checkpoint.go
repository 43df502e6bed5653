package state

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// keptCheckpoints is how many configurations the state remembers.
const keptCheckpoints = 100

// checkpoint keeps the configuration that a change of a person led to, if it
// is another one than before. The first one of all is preceded by what was there.
//
// Invariant: the newest checkpoint is the present configuration, but for the
// nodes that came or went since; the numbers have no gaps.
func (d *draft) checkpoint(before *pb.State, text string) {
	change := changeOf(before, d.State)
	if change == nil {
		return
	}
	change.After = namesOnly(change.After)
	list := d.Checkpoints
	if len(list) == 0 {
		list = []*pb.Checkpoint{{Number: 1, Index: before.ConfigurationIndex, At: d.at, Text: "as it was before the first change"}}
	}
	list = append(slices.Clone(list), &pb.Checkpoint{
		Number: list[len(list)-1].Number + 1, Index: d.index, At: d.at, Actor: d.actor, Text: text, Change: change,
	})
	if more := len(list) - keptCheckpoints; more > 0 {
		list = list[more:]
		list[0] = with(list[0], func(c *pb.Checkpoint) { c.Change = nil }) // it led to one that is forgotten
	}
	d.Checkpoints = list
}

// changeOf is Difference for two states of which one was made of the other.
func changeOf(before, after *pb.State) *pb.ConfigurationChange {
	b, a := narrow(before, after)
	return Difference(Configuration(b), Configuration(a))
}

// narrow returns the parts of two states that are of the configuration and that
// they do not share: of thousands of resources, the few that one command changed.
func narrow(before, after *pb.State) (b, a *pb.State) {
	b = &pb.State{Properties: before.Properties, ResourceDefaults: before.ResourceDefaults, OperationDefaults: before.OperationDefaults}
	a = &pb.State{Properties: after.Properties, ResourceDefaults: after.ResourceDefaults, OperationDefaults: after.OperationDefaults}
	b.Nodes, a.Nodes = unshared(before.Nodes, after.Nodes)
	b.Resources, a.Resources = unshared(before.Resources, after.Resources)
	b.Groups, a.Groups = unshared(before.Groups, after.Groups)
	b.Clones, a.Clones = unshared(before.Clones, after.Clones)
	b.Constraints, a.Constraints = unshared(before.Constraints, after.Constraints)
	b.Devices, a.Devices = unshared(before.Devices, after.Devices)
	b.Levels, a.Levels = unshared(before.Levels, after.Levels)
	b.Alerts, a.Alerts = unshared(before.Alerts, after.Alerts)
	return b, a
}

// unshared returns the elements that only one of two lists holds.
func unshared[T any](before, after []*T) (b, a []*T) {
	if len(before) == len(after) && (len(before) == 0 || &before[0] == &after[0]) {
		return nil, nil // one list
	}
	in := func(list []*T) map[*T]bool {
		set := make(map[*T]bool, len(list))
		for _, e := range list {
			set[e] = true
		}
		return set
	}
	inAfter, inBefore := in(after), in(before)
	return without(before, func(e *T) bool { return inAfter[e] }), without(after, func(e *T) bool { return inBefore[e] })
}

// ConfigurationAt returns the configuration of a checkpoint, or a *[Refusal].
// Nodes that are no members any more are not in it; those that came later are,
// as they are now. It shares what it holds with the state.
func ConfigurationAt(s *pb.State, number uint64) (*pb.Configuration, error) {
	list := s.GetCheckpoints()
	at := slices.IndexFunc(list, func(c *pb.Checkpoint) bool { return c.Number == number })
	if at < 0 {
		return nil, noCheckpoint(list, number)
	}
	c := Configuration(s)
	for i := len(list) - 1; i > at; i-- {
		c = undone(c, list[i].Change)
	}
	c.Nodes = without(c.Nodes, func(n *pb.NodeConfiguration) bool { return NodeByName(s, n.Name) == nil })
	return c, nil
}

func noCheckpoint(list []*pb.Checkpoint, number uint64) error {
	if len(list) == 0 {
		return refuse(NotFound, "checkpoint", "", "there is none yet: the first change makes it")
	}
	return refuse(NotFound, "checkpoint", fmt.Sprintf("kept are %d to %d", list[0].Number, list[len(list)-1].Number),
		"there is no number %d", number)
}
