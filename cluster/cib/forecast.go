package cib

import (
	"maps"
	"slices"
	"strconv"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// Forecast says a decision in the words of the API.
func Forecast(out *engine.Outcome) *pb.Forecast {
	f := &pb.Forecast{Fenced: out.FencedNodes(), Problems: out.Problems}
	slices.Sort(f.Fenced)
	placement := out.Placement()
	for _, id := range slices.Sorted(maps.Keys(placement)) {
		p := &pb.PlacementForecast{Resource: id}
		for _, at := range placement[id] {
			p.Places = append(p.Places, &pb.Place{Node: at.Node, Role: at.Role})
		}
		if in := instanceOf(out, id); in != nil {
			p.Reason, p.Scores = in.Reason, NodeScores(in)
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

// instanceOf returns the only instance that goes by an id; nil: there are several.
func instanceOf(out *engine.Outcome, id string) *engine.Instance {
	var found *engine.Instance
	for i := range out.Instances {
		if out.Instances[i].ID() != id {
			continue
		}
		if found != nil {
			return nil
		}
		found = &out.Instances[i]
	}
	return found
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
