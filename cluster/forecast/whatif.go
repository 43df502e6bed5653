package forecast

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Simulate returns what the cluster would do if things were otherwise than they
// are now: then is what the state would be by edits, to which w adds what might
// happen. An error is a *[state.Refusal] that names what is wrong with w.
func Simulate(now, then *pb.State, w *pb.WhatIf, at time.Time) (*pb.Forecast, error) {
	then, err := suppose(then, w, at)
	if err != nil {
		return nil, err
	}
	f := between(look(now, at), look(then, at))
	if why := silenced(then, w.GetQuorum()); why != "" {
		f = silence(look(now, at), why)
	}
	f.Configuration = state.Difference(state.Configuration(now), state.Configuration(then))
	return f, nil
}

// suppose lets happen what w says, in the order of its fields.
func suppose(s *pb.State, w *pb.WhatIf, at time.Time) (*pb.State, error) {
	if q := w.GetQuorum(); q != "" && q != "yes" && q != "no" {
		return nil, &state.Refusal{Code: state.Invalid, Field: "quorum", Problem: fmt.Sprintf("%q is neither yes nor no", q), Fix: "write yes or no"}
	}
	var steps []func(*pb.State) (*pb.State, error)
	for _, name := range slices.Sorted(maps.Keys(w.GetSet())) {
		steps = append(steps, edit(at, &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: setting(name, w.GetSet()[name])}}))
	}
	for _, name := range w.GetNodeUp() {
		steps = append(steps, func(s *pb.State) (*pb.State, error) { return state.SupposeBack(s, name, at) })
	}
	for _, name := range w.GetNodeDown() {
		steps = append(steps, func(s *pb.State) (*pb.State, error) { return state.SupposeLost(s, name, at) })
	}
	for _, name := range w.GetStandby() {
		yes := true
		steps = append(steps, edit(at, &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: name, Standby: &yes}}}))
	}
	for _, word := range w.GetFail() {
		resource, node, _ := strings.Cut(word, "@")
		steps = append(steps, func(s *pb.State) (*pb.State, error) { return state.SupposeFailed(s, resource, node, at) })
	}
	var err error
	for _, step := range steps {
		if s, err = step(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func setting(name, value string) *pb.SetOptions {
	o := &pb.SetOptions{Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER}
	if value == "" {
		o.Unset = []string{name}
		return o
	}
	o.Set = map[string]string{name: value}
	return o
}

// edit is a step that makes one edit, as if a person had asked for it.
func edit(at time.Time, e *pb.Edit) func(*pb.State) (*pb.State, error) {
	return func(s *pb.State) (*pb.State, error) {
		c := &pb.Command{ProposedAt: timestamppb.New(at), Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{e}}}}
		next, _, err := state.Step(s, s.ConfigurationIndex+1, c)
		return next, err
	}
}

// silenced says why nothing would run at all; empty: there is a quorum. The
// scheduler is not asked without one: nobody would carry its plans out.
func silenced(s *pb.State, quorum string) string {
	quorate, up, all := state.Quorate(s)
	if quorum == "yes" || quorum == "" && quorate {
		return ""
	}
	policy := state.Property(s, "no-quorum-policy")
	switch {
	case quorum == "no" && policy == "ignore":
		return ""
	case quorum == "no":
		return fmt.Sprintf("there is no quorum, and no-quorum-policy is %s", policy)
	}
	return fmt.Sprintf("there is no quorum (%d of %d voters are up), and no-quorum-policy is %s", up, all, policy)
}

// silence is the forecast of a cluster without a quorum: each node stops what it
// owns when its lease ends (S3).
func silence(now *outlook, why string) *pb.Forecast {
	f := &pb.Forecast{Problems: []string{"Nothing runs: " + why}}
	for _, p := range now.Placements {
		reason := fmt.Sprintf("%s runs nowhere: %s", p.Resource, why)
		placeIn(f, &p).Reason = reason
		if p.Current != "" {
			f.Actions = append(f.Actions, &pb.Action{
				Action: "stop", Resource: p.Resource, From: state.NodeName(now.State, p.Current), Reason: reason,
			})
			f.Steps = append(f.Steps, &pb.PlannedStep{
				Operation: "stop", Resource: p.Resource, Node: state.NodeName(now.State, p.Current), Reason: reason,
			})
		}
	}
	return f
}
