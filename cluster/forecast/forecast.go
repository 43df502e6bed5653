// Package forecast says what the cluster would do if its state were another one,
// and whether that interrupts what nobody meant to interrupt.
//
// It is pure: states and a time in, a [pb.Forecast] out. Nothing is carried out
// and nothing committed; the decisions are the scheduler's, of one state and of
// the other. A forecast assumes that every step succeeds.
package forecast

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// role is that of what runs, in Pacemaker's words.
func role(s *pb.State, resource string, promoted bool) string {
	switch {
	case promoted:
		return "Promoted"
	case state.Promotable(s, resource):
		return "Unpromoted"
	}
	return "Started"
}

// Between returns what the cluster would do about a state that takes the place
// of the present one, and what that changes for what runs now.
func Between(now, then *pb.State, at time.Time) *pb.Forecast {
	return between(look(now, at), look(then, at))
}

// An outlook is a state and the scheduler's plan for it.
type outlook struct {
	*pb.State
	*scheduler.Plan
	places map[string][]*scheduler.Placement // by resource; several only of a clone
	steps  map[string][]scheduler.Step       // by resource
}

// A subject is what runs on one node at a time: a resource, or if it is cloned the
// instance of it on a node.
type subject struct{ resource, node string }

func subjectOf(p *scheduler.Placement) subject { return subject{p.Resource, p.Instance} }

// of reports whether a node has to do with the subject.
func (s subject) of(node string) bool { return s.node == "" || s.node == node }

func look(s *pb.State, at time.Time) *outlook {
	o := &outlook{
		State: s, Plan: scheduler.Schedule(s, at),
		places: make(map[string][]*scheduler.Placement), steps: make(map[string][]scheduler.Step),
	}
	for i := range o.Placements {
		p := &o.Placements[i]
		o.places[p.Resource] = append(o.places[p.Resource], p)
	}
	for _, s := range o.Steps {
		o.steps[s.Resource] = append(o.steps[s.Resource], s)
	}
	return o
}

func between(now, then *outlook) *pb.Forecast {
	f := &pb.Forecast{Problems: then.Problems}
	if !then.Next.IsZero() {
		f.Next = timestamppb.New(then.Next)
	}
	for _, x := range then.Fencings {
		if x.Id > now.LastFencing && len(state.WaysToFence(then.State, x.Node)) > 0 {
			f.Fenced = append(f.Fenced, state.NodeName(then.State, x.Node))
		}
	}
	for i := range then.Placements {
		p := &then.Placements[i]
		place := placeIn(f, p)
		if node := then.ends(subjectOf(p)); node != "" {
			place.Places = append(place.Places, &pb.Place{Node: state.NodeName(then.State, node), Role: role(then.State, p.Resource, then.promoted(p, node))})
		}
		if a := action(now, then, p); a != nil {
			f.Actions = append(f.Actions, a)
		}
	}
	for _, s := range then.Steps {
		f.Steps = append(f.Steps, planned(then.State, s))
	}
	return f
}

// placeIn returns what a forecast says of a resource: for all instances of a clone
// it is the same.
func placeIn(f *pb.Forecast, p *scheduler.Placement) *pb.PlacementForecast {
	if n := len(f.Placements); n > 0 && f.Placements[n-1].Resource == p.Resource {
		return f.Placements[n-1]
	}
	f.Placements = append(f.Placements, &pb.PlacementForecast{Resource: p.Resource, Reason: p.Reason(), Scores: p.Scores()})
	return f.Placements[len(f.Placements)-1]
}

func planned(s *pb.State, step scheduler.Step) *pb.PlannedStep {
	p := &pb.PlannedStep{
		Operation: strings.ToLower(strings.TrimPrefix(step.Kind.String(), "OPERATION_KIND_")),
		Resource:  step.Resource, Node: state.NodeName(s, step.Node), Reason: step.Reason,
	}
	for _, i := range step.After {
		p.After = append(p.After, uint32(i))
	}
	return p
}

// runs returns the node that runs or owns a subject; empty: none does.
func (o *outlook) runs(s subject) string {
	for _, p := range o.places[s.resource] {
		if p.Current != "" && s.of(p.Current) {
			return p.Current
		}
	}
	return ""
}

// ends returns the node that runs a subject once the plan is done; empty: none.
// Where it belongs and where that is may differ: what is blocked stays.
func (o *outlook) ends(s subject) string {
	if s := o.step(s, start); s != nil {
		return s.Node
	}
	at := o.runs(s)
	if o.stops(s.resource, at) {
		return ""
	}
	return at
}

// promoted reports whether an instance is promoted once the plan is done.
func (o *outlook) promoted(p *scheduler.Placement, node string) bool {
	s := subjectOf(p)
	switch {
	case o.step(s, promote) != nil:
		return true
	case o.step(s, demote) != nil, o.step(s, stop) != nil:
		return false
	}
	return state.InstanceOf(o.State, p.Resource, node).GetPromoted()
}

// belongs reports whether a resource has a place on any node.
func (o *outlook) belongs(resource string) bool {
	return slices.ContainsFunc(o.places[resource], func(p *scheduler.Placement) bool { return p.Node != "" })
}

const (
	start  = pb.OperationKind_OPERATION_KIND_START
	stop   = pb.OperationKind_OPERATION_KIND_STOP
	reload = pb.OperationKind_OPERATION_KIND_RELOAD

	promote = pb.OperationKind_OPERATION_KIND_PROMOTE
	demote  = pb.OperationKind_OPERATION_KIND_DEMOTE
)

// step returns the step of a kind for a subject, or nil.
func (o *outlook) step(s subject, k pb.OperationKind) *scheduler.Step {
	for i, step := range o.steps[s.resource] {
		if step.Kind == k && s.of(step.Node) {
			return &o.steps[s.resource][i]
		}
	}
	return nil
}

// stops reports whether a resource is to be stopped on a node, or is being so.
func (o *outlook) stops(resource, node string) bool {
	if op := state.OperationOn(o.State, resource, node); op.GetKind() == stop {
		return true
	}
	for _, s := range o.steps[resource] {
		if s.Kind == stop && s.Node == node {
			return true
		}
	}
	return false
}
