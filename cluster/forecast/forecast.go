// Package forecast says what the cluster would do if its state were another one,
// and whether that interrupts what nobody meant to interrupt.
//
// It is pure: states and a time in, a [pb.Forecast] out. Nothing is carried out
// and nothing committed; the decisions are the scheduler's, of one state and of
// the other. A forecast assumes that every step succeeds.
package forecast

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// started is the role of all that runs on a live cluster.
const started = "Started"

// Between returns what the cluster would do about a state that takes the place
// of the present one, and what that changes for what runs now.
func Between(now, then *pb.State, at time.Time) *pb.Forecast {
	return between(look(now, at), look(then, at))
}

// An outlook is a state and the scheduler's plan for it.
type outlook struct {
	*pb.State
	*scheduler.Plan
	places map[string]*scheduler.Placement
	steps  map[string][]scheduler.Step // by resource
}

func look(s *pb.State, at time.Time) *outlook {
	o := &outlook{
		State: s, Plan: scheduler.Schedule(s, at),
		places: make(map[string]*scheduler.Placement), steps: make(map[string][]scheduler.Step),
	}
	for i := range o.Placements {
		o.places[o.Placements[i].Resource] = &o.Placements[i]
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
	for _, p := range then.Placements {
		place := &pb.PlacementForecast{Resource: p.Resource, Reason: p.Reason(), Scores: p.Scores()}
		if node := then.ends(p.Resource); node != "" {
			place.Places = []*pb.Place{{Node: state.NodeName(then.State, node), Role: started}}
		}
		f.Placements = append(f.Placements, place)
		if a := action(now, then, p.Resource); a != nil {
			f.Actions = append(f.Actions, a)
		}
	}
	for _, s := range then.Steps {
		f.Steps = append(f.Steps, planned(then.State, s))
	}
	return f
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

// runs returns the node that runs or owns a resource; empty: none does.
func (o *outlook) runs(resource string) string {
	if p := o.places[resource]; p != nil {
		return p.Current
	}
	return ""
}

// ends returns the node that runs a resource once the plan is done; empty:
// none. Where it belongs and where that is may differ: what is blocked stays.
func (o *outlook) ends(resource string) string {
	if s := o.step(resource, start); s != nil {
		return s.Node
	}
	at := o.runs(resource)
	if o.stops(resource, at) {
		return ""
	}
	return at
}

const (
	start  = pb.OperationKind_OPERATION_KIND_START
	stop   = pb.OperationKind_OPERATION_KIND_STOP
	reload = pb.OperationKind_OPERATION_KIND_RELOAD
)

// step returns the step of a kind for a resource, or nil.
func (o *outlook) step(resource string, k pb.OperationKind) *scheduler.Step {
	for i, s := range o.steps[resource] {
		if s.Kind == k {
			return &o.steps[resource][i]
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
