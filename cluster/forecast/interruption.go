package forecast

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate/cluster/constraint"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// interruptions says, a sentence each, what edits interrupt and were hardly meant
// to. The rule, which docs/safety.md tells users:
//
//   - Whoever asks for a stop means all that comes of it: disable, delete,
//     restart, standby, stop of a node, stop-all-resources.
//   - Whoever names a resource, a group, a constraint or a node means that what
//     is named is moved or restarted, and what must run where it does; of a clone
//     that some instances stop. That it belongs nowhere then is not meant.
//   - All else that stops, moves or restarts although it runs was not meant. A
//     whole configuration, from a file or a checkpoint, names nothing.
//
// A resource that fails or is not managed is not interrupted.
func interruptions(now, then *outlook, edits []*pb.Edit, actions []*pb.Action) []string {
	m := meaningOf(now.State, then.State, edits)
	if m.stop {
		return nil
	}
	var list []string
	for _, a := range actions {
		switch {
		case a.From == "" || a.Blocked || !runsNow(now.State, a):
		case a.Action == "stop" && !then.belongs(a.Resource):
			list = append(list, fmt.Sprintf("%s would stop on %s (%s)", a.Resource, a.From, a.Reason))
		case m.any || m.named[a.Resource]:
		case a.Action == "stop" && state.CloneOf(then.State, a.Resource) != nil:
			list = append(list, fmt.Sprintf("%s would stop on %s (%s)", a.Resource, a.From, a.Reason))
		case a.Action == "stop": // it belongs somewhere, and cannot start there at once
			list = append(list, fmt.Sprintf("%s would stop on %s for a while (%s)", a.Resource, a.From, a.Reason))
		case a.Action == "demote":
			list = append(list, fmt.Sprintf("%s would be demoted on %s (%s)", a.Resource, a.From, a.Reason))
		case a.Action == "move":
			list = append(list, fmt.Sprintf("%s would move from %s to %s (%s)", a.Resource, a.From, a.To, a.Reason))
		case a.Action == "restart":
			list = append(list, fmt.Sprintf("%s would restart on %s (%s)", a.Resource, a.From, a.Reason))
		}
	}
	return list
}

func runsNow(s *pb.State, a *pb.Action) bool {
	n := state.NodeByName(s, a.From)
	return n != nil && state.InstanceOf(s, a.Resource, n.Id).GetState() == pb.InstanceState_INSTANCE_STATE_RUNNING
}

// A meaning is what whoever asks for edits has in mind.
type meaning struct {
	before, after *pb.State
	stop          bool            // it asks for a stop
	any           bool            // whatever moves is meant to
	named         map[string]bool // resources that may move or restart
}

func meaningOf(before, after *pb.State, edits []*pb.Edit) *meaning {
	m := &meaning{before: before, after: after, named: make(map[string]bool)}
	for _, e := range edits {
		m.add(e)
	}
	m.follow()
	return m
}

func (m *meaning) add(e *pb.Edit) {
	switch k := e.Kind.(type) {
	case *pb.Edit_SetOptions:
		o := k.SetOptions
		m.stop = m.stop || o.Set["stop-all-resources"] == "true"
		_, set := o.Set["failback"]
		m.any = m.any || set || slices.Contains(o.Unset, "failback") // it says when to return
	case *pb.Edit_CreateResource:
		m.name(k.CreateResource.GetResource().GetId(), k.CreateResource.Group)
	case *pb.Edit_UpdateResource:
		m.stop = m.stop || strings.EqualFold(k.UpdateResource.SetMeta["target-role"], "stopped")
		m.name(k.UpdateResource.Id)
	case *pb.Edit_CloneResource:
		m.name(k.CloneResource.GetClone().GetMember())
	case *pb.Edit_KeepServers:
		m.name(k.KeepServers.Resource)
	case *pb.Edit_UncloneResource:
		m.name(k.UncloneResource.Id)
	case *pb.Edit_AddToGroup:
		m.name(append(slices.Clone(k.AddToGroup.Resources), k.AddToGroup.Group)...)
	case *pb.Edit_RemoveFromGroup:
		m.name(append(slices.Clone(k.RemoveFromGroup.Resources), k.RemoveFromGroup.Group)...)
	case *pb.Edit_CreateConstraint:
		m.nameAll(k.CreateConstraint.Constraint)
	case *pb.Edit_DeleteConstraint:
		m.nameAll(state.ConstraintByID(m.before, k.DeleteConstraint.Id))
	case *pb.Edit_UpdateNode:
		u := k.UpdateNode
		m.stop = m.stop || u.GetStandby() || u.GetStopped()
		m.any = m.any || u.Standby != nil || u.Stopped != nil || u.Maintenance != nil
	case *pb.Edit_MoveResource:
		m.name(k.MoveResource.Id)
	case *pb.Edit_Cleanup:
		m.any = m.any || k.Cleanup.Resource == ""
		m.name(k.Cleanup.Resource)
	case *pb.Edit_DeleteResource, *pb.Edit_RestartResource:
		m.stop = true
	}
}

// nameAll names the resources of a constraint.
func (m *meaning) nameAll(c *pb.Constraint) {
	m.name(constraint.Names(c)...)
}

// name adds resources and what is in groups and clones, as they are or will be.
func (m *meaning) name(ids ...string) {
	for _, id := range ids {
		for _, s := range []*pb.State{m.before, m.after} {
			for _, r := range state.Members(s, id) {
				m.named[r] = true
			}
		}
	}
}

// follow names what must run where a named resource does: by a group, or by a
// colocation of INFINITY, in either direction.
func (m *meaning) follow() {
	beside := make(map[string][]string)
	bind := func(list []string) {
		for _, r := range list[min(1, len(list)):] {
			beside[r] = append(beside[r], list[0])
			beside[list[0]] = append(beside[list[0]], r)
		}
	}
	for _, s := range []*pb.State{m.before, m.after} {
		for _, g := range s.Groups {
			bind(g.Members)
		}
		for _, c := range s.Constraints {
			l := c.GetColocation()
			if l.GetScore() < state.Infinity || l.NodeAttribute != "" {
				continue
			}
			for _, p := range constraint.Colocations(l) {
				bind(slices.Concat(state.Members(s, p.Dependent), state.Members(s, p.Primary)))
			}
		}
	}
	for found := slices.Collect(maps.Keys(m.named)); len(found) > 0; found = found[1:] {
		for _, r := range beside[found[0]] {
			if !m.named[r] {
				m.named[r] = true
				found = append(found, r)
			}
		}
	}
}
