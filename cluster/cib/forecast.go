package cib

import (
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// Forecast says a decision in the words of the API, without what nodes score:
// see [NodeScores].
func Forecast(out *engine.Outcome) *pb.Forecast {
	f := &pb.Forecast{Fenced: out.FencedNodes(), Problems: out.Problems}
	slices.Sort(f.Fenced)
	if !out.Next.IsZero() {
		f.Next = timestamppb.New(out.Next)
	}
	placement, instances := out.Placement(), single(out)
	for _, id := range slices.Sorted(maps.Keys(placement)) {
		p := &pb.PlacementForecast{Resource: id}
		for _, at := range placement[id] {
			p.Places = append(p.Places, &pb.Place{Node: at.Node, Role: at.Role})
		}
		if in := instances[id]; in != nil {
			p.Reason = in.Reason
		}
		f.Placements = append(f.Placements, p)
	}
	for i := range out.Actions {
		f.Actions = append(f.Actions, actionOf(&out.Actions[i]))
	}
	for _, s := range out.Steps {
		if s.Operation == "stonith" {
			s.Operation = "fence"
		}
		step := &pb.PlannedStep{Operation: s.Operation, Resource: s.Resource, Node: s.Node, Pseudo: s.Pseudo, Reason: s.Reason}
		for _, i := range s.After {
			step.After = append(step.After, uint32(i))
		}
		f.Steps = append(f.Steps, step)
	}
	return f
}

// single returns the instances that alone go by an id.
func single(out *engine.Outcome) map[string]*engine.Instance {
	byID := make(map[string]*engine.Instance, len(out.Instances))
	for i := range out.Instances {
		id := out.Instances[i].ID()
		if _, several := byID[id]; several {
			byID[id] = nil
		} else {
			byID[id] = &out.Instances[i]
		}
	}
	return byID
}

// NodeScores says what each node is worth to an instance.
func NodeScores(in *engine.Instance) []*pb.NodeScore {
	var scores []*pb.NodeScore
	for _, s := range in.Scores {
		score := &pb.NodeScore{Node: s.Node, Score: int64(s.Score)}
		for _, r := range s.Reasons {
			score.Reasons = append(score.Reasons, &pb.Reason{Score: int64(r.Score), Source: r.Source})
		}
		scores = append(scores, score)
	}
	return scores
}

func actionOf(a *engine.Action) *pb.Action {
	action := &pb.Action{
		Action: a.Action, Resource: a.Resource, From: a.From, To: a.To, FromRole: a.FromRole, ToRole: a.ToRole,
		Reason: a.Reason, Blocked: a.Blocked, Node: a.Node, How: a.How,
	}
	if a.Number >= 0 && a.Resource != "" {
		action.Instance = a.Resource + ":" + strconv.Itoa(a.Number)
	}
	return action
}
