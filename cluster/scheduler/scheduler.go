// Package scheduler decides what the cluster should do next.
//
// [Schedule] maps one state and one time to one [Plan] with its explanation. It
// visits nodes, resources and constraints in the order of their names, so equal
// inputs give equal plans on every node, and a recorded input can be replayed
// years later. It is pure: no clock, no I/O, no randomness, no goroutine.
//
// Where a resource belongs is [quorate/cluster/scheduler/engine]'s to say, with
// Pacemaker's semantics; how it gets there, and what a failback policy, an
// operator's move or a node's trouble mean for it, is said here.
//
// For every input (see properties_test.go): no start before the old owner's
// stop or the end of its right, nor while it is unknown what runs on an
// admitted node (S4); a failed stop keeps its resource where it is (S5); every
// placement has a reason (S6); the state that a finished plan leaves needs no
// further plan. Whether there is a quorum is the caller's to know.
package scheduler

import (
	"fmt"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A Plan says where resources belong and what must be done to get them there.
type Plan struct {
	Placements []Placement // by resource id, of a clone then by node name
	Steps      []Step      // each after all that it waits for
	// Next is the earliest later instant at which the plan may differ although
	// the state does not: a failure-timeout or a failback policy's delay ends.
	// Zero: there is none.
	Next     time.Time
	Problems []string // sentences, worst first

	names map[string]string // node id -> name
}

// A Placement says where a resource belongs, and why. A cloned one has a placement
// for each node that could host it: whether its instance there belongs there.
type Placement struct {
	Resource string
	Instance string   // id of the node that an instance of a clone is for; empty: it is in no clone
	Node     string   // id; empty: nowhere
	Current  string   // id of the node that runs or owns it; empty: none
	Promoted bool     // it is to be promoted there
	Blocked  []string // sentences: why it cannot run or be stopped

	g *graph
	r *resource
}

// Reason is the deciding one, a sentence.
func (p *Placement) Reason() string { return p.g.reason(p.r) }

// Scores are those of all nodes, by name.
func (p *Placement) Scores() []*pb.NodeScore { return p.g.nodeScores(p.r) }

// A Step is one operation of a plan.
type Step struct {
	Kind     pb.OperationKind
	Resource string
	Node     string        // id
	After    []int         // indexes of the steps that must be done before, all smaller
	Waits    []uint64      // ids of the operations in flight that must be done before
	Reason   string        // a sentence
	Timeout  time.Duration // zero: the agent's default
}

// Ready returns the steps that may be dispatched now.
func (p *Plan) Ready() []Step {
	var ready []Step
	for _, s := range p.Steps {
		if len(s.After) == 0 && len(s.Waits) == 0 {
			ready = append(ready, s)
		}
	}
	return ready
}

// String prints the steps, one a line, as "start db n1".
func (p *Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s %s\n", verb(s.Kind), s.Resource, p.names[s.Node])
	}
	return b.String()
}

func verb(k pb.OperationKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "OPERATION_KIND_"))
}

// Schedule decides what is to be done about a state, which it does not modify.
// The windows of failback policies are in the time zone of now.
func Schedule(s *pb.State, now time.Time) *Plan {
	g := unpack(s, now)
	g.decide()
	p := &Plan{names: make(map[string]string)}
	for _, n := range g.nodes {
		p.names[n.Id] = n.Name
	}
	p.Steps = g.plan()
	p.Placements = g.placements()
	p.Problems = g.problems.sentences()
	p.Next = g.next
	return p
}
