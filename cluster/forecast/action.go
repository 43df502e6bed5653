package forecast

import (
	"fmt"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// action returns what becomes of a resource that runs as it does now, in the
// words of Pacemaker's reports; nil: nothing.
func action(now, then *outlook, resource string) *pb.Action {
	from, to := now.runs(resource), then.ends(resource)
	a := &pb.Action{Resource: resource, From: state.NodeName(now.State, from), To: state.NodeName(then.State, to)}
	a.Action = name(then, resource, from, to)
	if wanted := then.places[resource]; a.Action == "" && wanted.Node != to && len(wanted.Blocked) > 0 {
		a.Action, a.To, a.Blocked = name(then, resource, from, wanted.Node), state.NodeName(then.State, wanted.Node), true
		a.Reason = wanted.Blocked[0]
		return a
	}
	if a.Action == "" {
		return nil
	}
	a.Reason = reason(then, a, from)
	return a
}

// name tells actions apart by where a resource is and where it will be.
func name(then *outlook, resource, from, to string) string {
	switch {
	case from == to && to == "":
		return ""
	case from == "":
		return "start"
	case to == "":
		return "stop"
	case from != to:
		return "move"
	case then.stops(resource, from) && state.InstanceOf(then.State, resource, from).GetState() == pb.InstanceState_INSTANCE_STATE_FAILED:
		return "recover"
	case then.stops(resource, from):
		return "restart"
	case then.step(resource, reload) != nil:
		return "reload"
	}
	return ""
}

// reason is the scheduler's, as a sentence.
func reason(then *outlook, a *pb.Action, from string) string {
	p := then.places[a.Resource]
	switch a.Action {
	case "restart", "recover":
		return fmt.Sprintf("%s is restarted on %s%s", a.Resource, a.To, because(then.stepAt(a.Resource, stop, from)))
	case "reload":
		return fmt.Sprintf("%s takes over its configuration on %s as it runs%s", a.Resource, a.To, because(then.step(a.Resource, reload)))
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
