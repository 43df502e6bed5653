package simulation

import (
	"slices"
	"strings"
	"sync"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Owners follow, by the states that anybody applies, on which node each
// resource runs, to check that every change of it is explained (S6). Instances of a
// clone go nowhere.
type owners struct {
	mu      sync.Mutex
	index   uint64            // of the newest state looked at
	home    map[string]string // by resource: the node on which it ran last
	changes []passage
}

// A passage is a resource's way from one node to another.
type passage struct {
	resource, from, to string
	index              uint64 // at which it ran there
}

func (o *owners) follow(s state.Snapshot) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.Index <= o.index {
		return
	}
	o.index = s.Index
	if o.home == nil {
		o.home = map[string]string{}
	}
	for _, a := range s.State.Assignments {
		i := state.InstanceOf(s.State, a.Resource, a.Node)
		if a.Resource == cloned || a.Orphaned || i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING || i.Epoch != a.Epoch {
			continue
		}
		if from := o.home[a.Resource]; from != "" && from != a.Node {
			o.changes = append(o.changes, passage{a.Resource, from, a.Node, s.Index})
		}
		o.home[a.Resource] = a.Node
	}
}

// unexplained returns the last change of a resource's owner if the newest event
// about where it is names another node, or no cause. What came back to where it
// was before any leader came to tell needs none.
func (o *owners) unexplained(s *pb.State) (passage, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := map[string]passage{}
	for _, c := range o.changes {
		last[c.resource] = c
	}
	for _, id := range append(slices.Clone(addresses), service) {
		if c, moved := last[id]; moved && !c.told(s.Events) {
			return c, true
		}
	}
	return passage{}, false
}

// told reports whether the newest event tells of the passage, and why it was.
func (c passage) told(events []*pb.Event) bool {
	for _, e := range slices.Backward(events) {
		if e.Resource == c.resource && slices.Contains([]string{"start", "failover", "move", "recovery"}, e.Kind) {
			_, cause, _ := strings.Cut(e.Text, ": ")
			return e.Node == c.to && cause != ""
		}
	}
	return false
}
