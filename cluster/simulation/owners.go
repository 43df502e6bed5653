package simulation

import (
	"slices"
	"strings"
	"sync"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Owners follow, by the states that anybody applies, on which node each
// resource runs, to check that every change of it is explained (S6).
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
		if a.Orphaned || i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING || i.Epoch != a.Epoch {
			continue
		}
		if from := o.home[a.Resource]; from != "" && from != a.Node {
			o.changes = append(o.changes, passage{a.Resource, from, a.Node, s.Index})
		}
		o.home[a.Resource] = a.Node
	}
}

// unexplained returns a resource's last change of its owner that no event tells
// of. One that was followed by another before a leader came to tell may be missing.
func (o *owners) unexplained(s *pb.State) (passage, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := map[string]passage{}
	for _, c := range o.changes {
		last[c.resource] = c
	}
	for _, id := range resourceIDs() {
		if c, moved := last[id]; moved && !slices.ContainsFunc(s.Events, c.told) {
			return c, true
		}
	}
	return passage{}, false
}

// told reports whether an event tells of the passage, and why it was.
func (c passage) told(e *pb.Event) bool {
	switch e.Kind {
	case "start", "failover", "move", "recovery":
	default:
		return false
	}
	_, cause, _ := strings.Cut(e.Text, ": ")
	return e.Resource == c.resource && e.Node == c.to && e.Index >= c.index && cause != ""
}
