package forecast

import (
	"cmp"
	"fmt"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// action returns what becomes of a resource that runs as it does now, or of an
// instance of it, in the words of Pacemaker's reports; nil: nothing.
func action(now, then *outlook, wanted *scheduler.Placement) *pb.Action {
	s := subjectOf(wanted)
	from, to := now.runs(s), then.ends(s)
	a := &pb.Action{Resource: s.resource, From: state.NodeName(now.State, from), To: state.NodeName(then.State, to)}
	a.Action = name(then, s, from, to)
	if a.Action == "" && wanted.Node != to && len(wanted.Blocked) > 0 {
		a.Action, a.To, a.Blocked = name(then, s, from, wanted.Node), state.NodeName(then.State, wanted.Node), true
		a.Reason = wanted.Blocked[0]
		return a
	}
	if a.Action == "" {
		return nil
	}
	a.Reason = reason(then, a, wanted, from)
	return a
}

// name tells actions apart by where a resource is and where it will be.
func name(then *outlook, s subject, from, to string) string {
	switch {
	case from == to && to == "":
		return ""
	case from == "":
		return "start"
	case to == "":
		return "stop"
	case from != to:
		return "move"
	case then.stops(s.resource, from) && state.InstanceOf(then.State, s.resource, from).GetState() == pb.InstanceState_INSTANCE_STATE_FAILED:
		return "recover"
	case then.stops(s.resource, from):
		return "restart"
	case then.step(s, reload) != nil:
		return "reload"
	case then.step(s, promote) != nil:
		return "promote"
	case then.step(s, demote) != nil:
		return "demote"
	}
	return ""
}

// reason is the scheduler's, as a sentence.
func reason(then *outlook, a *pb.Action, p *scheduler.Placement, from string) string {
	switch a.Action {
	case "restart", "recover":
		return fmt.Sprintf("%s is restarted on %s%s", a.Resource, a.To, because(then.stepAt(a.Resource, stop, from)))
	case "reload":
		return fmt.Sprintf("%s takes over its configuration on %s as it runs%s", a.Resource, a.To, because(then.step(subjectOf(p), reload)))
	case "promote", "demote":
		if s := cmp.Or(then.step(subjectOf(p), promote), then.step(subjectOf(p), demote)); s != nil {
			return s.Reason
		}
	case "stop":
		if s := then.stepAt(a.Resource, stop, from); s != nil {
			return s.Reason
		}
	}
	return p.Reason()
}

func (o *outlook) stepAt(resource string, k pb.OperationKind, node string) *scheduler.Step {
	for i, s := range o.steps[resource] {
		if s.Kind == k && s.Node == node {
			return &o.steps[resource][i]
		}
	}
	return nil
}

func because(s *scheduler.Step) string {
	if s == nil || s.Reason == "" {
		return ""
	}
	return ": " + s.Reason
}
