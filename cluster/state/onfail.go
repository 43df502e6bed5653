package state

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// What the failure of an operation leads to ("Operation Properties", on-fail, in
// Pacemaker Explained 3.0). An instance keeps what its newest failure leads to, which
// the scheduler obeys, until it is cleaned up.
const (
	failRestart = "restart" // on the same node, or on another one
	failIgnore  = "ignore"  // nothing: a monitor's failure is only told
	failBlock   = "block"   // nothing is done any more, until a cleanup
	failStop    = "stop"    // it is stopped and starts nowhere, until a cleanup
	failStandby = "standby" // the node hosts nothing, until a cleanup
	failFence   = "fence"   // the node is fenced
	failDemote  = "demote"  // it is demoted, and goes on running
)

var failWords = []string{failRestart, failIgnore, failBlock, failStop, failStandby, failFence, failDemote}

// checkOnFail accepts what a failure can lead to. For which operations, mayFailTo says.
func checkOnFail(s string) (string, error) {
	if strings.EqualFold(strings.TrimSpace(s), "restart-container") {
		return "", fmt.Errorf("restart-container is for bundles, which are not there in this version; use %s", failRestart)
	}
	return oneOf(failWords...)(s)
}

// mayFailTo returns why the failure of an operation cannot lead to something; nil: it can.
func mayFailTo(o *pb.OperationSpec, policy string) error {
	field := "op " + o.Name
	switch {
	case policy == failDemote && o.Name != "promote" && !monitorsPromoted(o):
		return refuse(Invalid, field, "use it for promote, or a monitor with role=Promoted", "on-fail=demote is not possible for a failed %s", o.Name)
	case policy == failIgnore && o.Name != "monitor":
		return refuse(Invalid, field, "leave on-fail out", "on-fail=ignore is for a monitor: a failed %s leaves it unknown what runs", o.Name)
	case o.Name == "stop" && (policy == failRestart || policy == failStop):
		return refuse(Invalid, field, "use block, fence or standby", "on-fail=%s is not possible for a failed stop: it may still run there", policy)
	}
	return nil
}

// monitorsPromoted reports whether an operation is a monitor of what is promoted.
func monitorsPromoted(o *pb.OperationSpec) bool {
	role := strings.ToLower(o.Options["role"])
	return o.Name == "monitor" && o.Interval.AsDuration() > 0 && (role == "promoted" || role == "master")
}

// onFail is what a failed operation leads to beside a restart, or a blocked resource if
// it is a stop; empty: to nothing.
func (d *draft) onFail(o *pb.Operation, r *pb.Result) string {
	res := ResourceByID(d.State, o.Resource)
	spec := specOf(res, o.Kind, r)
	policy := spec.GetOptions()["on-fail"]
	if policy == "" && o.Kind == pb.OperationKind_OPERATION_KIND_DEMOTE {
		policy = onFailOfPromoted(res)
	}
	if common := d.OperationDefaults["on-fail"]; policy == "" && common != "" && mayFailTo(spec, common) == nil {
		policy = common
	}
	switch {
	case policy == failRestart, policy == failIgnore, policy == failDemote && !d.demotable(o, r):
		return ""
	case policy == failFence && o.Kind != pb.OperationKind_OPERATION_KIND_STOP && len(WaysToFence(d.State, o.Node)) == 0:
		return failStop // as in Pacemaker, where nothing can fence
	}
	return policy
}

// onFailedStop is what the failed stop of an instance leads to; empty: what the policy of
// fencing says.
func (d *draft) onFailedStop(i *pb.Instance) string {
	return d.onFail(&pb.Operation{Kind: pb.OperationKind_OPERATION_KIND_STOP, Resource: i.Resource, Node: i.Node}, &pb.Result{})
}

// specOf is what a resource says of an operation that failed; never nil. A monitor that
// does not say which one it is, is the first.
func specOf(r *pb.Resource, kind pb.OperationKind, res *pb.Result) *pb.OperationSpec {
	name := specNames[kind]
	for _, s := range r.GetOperations() {
		if s.Name == name && (res.Interval == nil || s.Interval.AsDuration() == res.Interval.AsDuration()) {
			return s
		}
	}
	return &pb.OperationSpec{Name: name}
}

var specNames = map[pb.OperationKind]string{
	pb.OperationKind_OPERATION_KIND_START: "start", pb.OperationKind_OPERATION_KIND_STOP: "stop",
	pb.OperationKind_OPERATION_KIND_MONITOR: "monitor", pb.OperationKind_OPERATION_KIND_RELOAD: "reload-agent",
	pb.OperationKind_OPERATION_KIND_PROMOTE: "promote", pb.OperationKind_OPERATION_KIND_DEMOTE: "demote",
}

// onFailOfPromoted is what a failed demotion leads to of which nobody says anything: what
// the failure of what is promoted does.
func onFailOfPromoted(r *pb.Resource) string {
	for _, s := range r.GetOperations() {
		policy := s.Options["on-fail"]
		if monitorsPromoted(s) && s.Options["enabled"] != "false" && policy != failDemote && policy != failIgnore {
			return policy
		}
	}
	return ""
}

// demotable reports whether what failed is promoted and runs, so that a demotion may
// mend it.
func (d *draft) demotable(o *pb.Operation, r *pb.Result) bool {
	promoted := o.Kind == pb.OperationKind_OPERATION_KIND_PROMOTE || InstanceOf(d.State, o.Resource, o.Node).GetPromoted()
	return promoted && Promotable(d.State, o.Resource) && r.Outcome != pb.Outcome_OUTCOME_NOT_RUNNING
}

// failTo notes what a failure leads to, and has the node fenced if it is that. What an
// earlier failure led to stays, if it has not been forgiven.
func (d *draft) failTo(i *pb.Instance, o *pb.Operation, r *pb.Result) {
	policy := ""
	if o.Kind != pb.OperationKind_OPERATION_KIND_PROBE && r.Outcome != pb.Outcome_OUTCOME_OTHER_ROLE {
		policy = d.onFail(o, r)
	}
	if o.Kind == pb.OperationKind_OPERATION_KIND_STOP {
		if policy == failStandby {
			i.OnFail = policy
		}
		return // the rest is learnStop's
	}
	if policy != "" || d.failCount(i) == 0 {
		i.OnFail = policy
	}
	if policy == failFence {
		d.askFencing(NodeByID(d.State, i.Node), false, "", fmt.Sprintf("the %s of %s there failed (on-fail=fence): %s", kindName(o.Kind), i.Resource, failure(r)))
	}
}

// failedState is the state of an instance after a failure: one that is to be demoted goes
// on running.
func (d *draft) failedState(i *pb.Instance) pb.InstanceState {
	if i.OnFail == failDemote && i.Promoted {
		return pb.InstanceState_INSTANCE_STATE_RUNNING
	}
	return pb.InstanceState_INSTANCE_STATE_FAILED
}

// awaitsFencing reports whether the fencing of its node is for what became of an instance.
func awaitsFencing(i *pb.Instance) bool {
	return i.State == pb.InstanceState_INSTANCE_STATE_BLOCKED || i.State == pb.InstanceState_INSTANCE_STATE_FAILED && i.OnFail == failFence
}

// Obeying returns a resource whose operations say of themselves what the defaults for
// operations say. A stop is named although it was not, if there is a default for what its
// failure leads to.
func Obeying(s *pb.State, r *pb.Resource) *pb.Resource {
	if len(s.GetOperationDefaults()) == 0 {
		return r
	}
	return with(r, func(r *pb.Resource) {
		if !slices.ContainsFunc(r.Operations, func(o *pb.OperationSpec) bool { return o.Name == "stop" }) {
			r.Operations = append(r.Operations, &pb.OperationSpec{Name: "stop"})
		}
		for _, o := range r.Operations {
			obey(o, s.OperationDefaults)
		}
	})
}

func obey(o *pb.OperationSpec, defaults map[string]string) {
	for name, value := range defaults {
		_, own := o.Options[name]
		switch {
		case own, name == "interval":
		case name == "timeout": // that of an order comes with it
			if d, err := ParseDuration(value); err == nil && o.Timeout.AsDuration() == 0 && o.Name == "monitor" {
				o.Timeout = durationpb.New(d)
			}
		case name == "on-fail" && mayFailTo(o, value) != nil:
		default:
			if o.Options == nil {
				o.Options = make(map[string]string)
			}
			o.Options[name] = value
		}
	}
}
