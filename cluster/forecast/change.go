package forecast

import (
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Change returns what edits that lead from one state to another change in what
// the cluster does: not what it would do without them. Interruptions are what
// should be asked about (see [pb.Forecast]).
func Change(before, after *pb.State, edits []*pb.Edit, at time.Time) *pb.Forecast {
	now, then := look(before, at), look(after, at)
	f := between(now, then)
	f.Actions = without(f.Actions, between(now, now).Actions)
	f.Configuration = state.Difference(state.Configuration(before), state.Configuration(after))
	f.Interruptions = interruptions(now, then, edits, f.Actions)
	return f
}

// without returns the actions that are not among those that come anyway.
func without(actions, anyway []*pb.Action) []*pb.Action {
	type deed struct{ action, resource, from, to string }
	of := func(a *pb.Action) deed { return deed{a.Action, a.Resource, a.From, a.To} }
	known := make(map[deed]bool, len(anyway))
	for _, a := range anyway {
		known[of(a)] = true
	}
	var rest []*pb.Action
	for _, a := range actions {
		if !known[of(a)] {
			rest = append(rest, a)
		}
	}
	return rest
}
