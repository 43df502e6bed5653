package state

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

// keptEvents is how many events the state remembers.
const keptEvents = 1000

// A draft is a state in the making. Its lists, maps and messages belong to the
// old state until they are replaced: nothing reached through a draft may be
// modified but what the draft itself made.
type draft struct {
	*pb.State
	index      uint64
	at         *timestamppb.Timestamp // the proposer's clock; may be nil
	actor      string
	dispatched []*pb.Operation
}

func newDraft(s *pb.State, index uint64, c *pb.Command) *draft {
	d := &draft{State: shallow(s), index: index, at: c.ProposedAt, actor: c.Actor}
	d.Level = max(s.Level, c.Level)
	return d
}

// shallow copies a state and shares all that it holds.
func shallow(s *pb.State) *pb.State {
	c := &pb.State{
		Level:              s.Level,
		ClusterId:          s.ClusterId,
		ClusterName:        s.ClusterName,
		Properties:         s.Properties,
		ResourceDefaults:   s.ResourceDefaults,
		OperationDefaults:  s.OperationDefaults,
		Nodes:              s.Nodes,
		Electorate:         s.Electorate,
		Resources:          s.Resources,
		Groups:             s.Groups,
		Clones:             s.Clones,
		Constraints:        s.Constraints,
		Tokens:             s.Tokens,
		Removed:            s.Removed,
		Assignments:        s.Assignments,
		Instances:          s.Instances,
		Operations:         s.Operations,
		Events:             s.Events,
		LastAssignment:     s.LastAssignment,
		LastOperation:      s.LastOperation,
		LastEvent:          s.LastEvent,
		ConfigurationIndex: s.ConfigurationIndex,
		Forks:              s.Forks,
		Checkpoints:        s.Checkpoints,
		Devices:            s.Devices,
		Levels:             s.Levels,
		Secrets:            s.Secrets,
		Fencings:           s.Fencings,
		Conditions:         s.Conditions,
		LastFencing:        s.LastFencing,
		Alerts:             s.Alerts,
		AlertConditions:    s.AlertConditions,
		AlertsTold:         s.AlertsTold,
		Accepted:           s.Accepted,
	}
	if unknown := s.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		c.ProtoReflect().SetUnknown(unknown)
	}
	return c
}

// put returns a copy of a sorted list in which e takes the place of key.
func put[T, K any](list []T, key K, compare func(T, K) int, e T) []T {
	i, found := slices.BinarySearchFunc(list, key, compare)
	after := i
	if found {
		after++
	}
	out := make([]T, 0, len(list)+1)
	out = append(out, list[:i]...)
	out = append(out, e)
	return append(out, list[after:]...)
}

// rewrite returns a copy of a list with every element replaced by what f makes
// of it; nil drops it. f returns its argument for what stays as it is.
func rewrite[T any](list []*T, f func(*T) *T) []*T {
	out := make([]*T, 0, len(list))
	for _, e := range list {
		if e = f(e); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// without returns a copy of a list that lacks what drop holds for.
func without[T any](list []*T, drop func(*T) bool) []*T {
	return rewrite(list, func(e *T) *T {
		if drop(e) {
			return nil
		}
		return e
	})
}

// with returns a changed clone of a message.
func with[T proto.Message](m T, change func(T)) T {
	c := proto.CloneOf(m)
	change(c)
	return c
}

func (d *draft) putNodeRecord(n *pb.Node) {
	d.Nodes = put(d.Nodes, n.Name, byName, n)
}

func (d *draft) putResource(r *pb.Resource) {
	d.Resources = put(d.Resources, r.Id, byID, r)
}

func (d *draft) putGroup(g *pb.Group) {
	d.Groups = put(d.Groups, g.Id, byID, g)
}

func (d *draft) putClone(c *pb.Clone) {
	d.Clones = put(d.Clones, c.Id, byID, c)
}

func (d *draft) putConstraint(c *pb.Constraint) {
	d.Constraints = put(d.Constraints, c.Id, byID, c)
}

func (d *draft) putAssignment(a *pb.Assignment) {
	d.Assignments = put(d.Assignments, place{a.Resource, a.Node}, byOwner, a)
}

func (d *draft) putInstance(i *pb.Instance) {
	d.Instances = put(d.Instances, place{i.Resource, i.Node}, byPlace, i)
}

// dropAssignment ends one right to a resource.
func (d *draft) dropAssignment(number uint64) {
	d.Assignments = without(d.Assignments, func(a *pb.Assignment) bool { return a.Number == number })
}

// record adds an event, with its id, time and index filled in.
func (d *draft) record(e *pb.Event) {
	d.LastEvent++
	e.Id, e.Index = d.LastEvent, d.index
	if e.At == nil {
		e.At = d.at
	}
	kept := d.Events[max(0, len(d.Events)+1-keptEvents):]
	d.Events = append(slices.Clone(kept), e)
}

func (d *draft) recordAll(r *pb.Record) error {
	if len(r.Events) == 0 {
		return refuse(Invalid, "events", "", "there are none to record")
	}
	for _, e := range r.Events {
		d.record(e)
	}
	return nil
}

// finishDeletions removes the resources that were to be deleted and that
// nothing runs of any more.
func (d *draft) finishDeletions() {
	for _, r := range d.Resources { // the list as it was: removeResource replaces it
		if r.Deleting && d.idle(r.Id) {
			d.removeResource(r.Id)
		}
	}
}

// idle reports whether a resource runs nowhere for certain: nobody owns it, no
// operation is under way, and it is stopped on every admitted node.
func (d *draft) idle(resource string) bool {
	if AssignmentOf(d.State, resource) != nil {
		return false
	}
	if slices.ContainsFunc(d.Operations, func(o *pb.Operation) bool { return o.Resource == resource }) {
		return false
	}
	return len(d.maybeActive(resource)) == 0
}

// maybeActive returns the instances of a resource that are not known to be
// stopped, on admitted nodes; those that a person started also on others.
func (d *draft) maybeActive(resource string) []*pb.Instance {
	var list []*pb.Instance
	from, _ := slices.BinarySearchFunc(d.Instances, place{resource, ""}, byPlace)
	for _, i := range d.Instances[from:] {
		if i.Resource != resource {
			break
		}
		if i.ByHand || i.State != pb.InstanceState_INSTANCE_STATE_STOPPED && d.admitted(i.Node) {
			list = append(list, i)
		}
	}
	return list
}

func (d *draft) admitted(node string) bool {
	n := NodeByID(d.State, node)
	return n != nil && n.Admission == pb.Admission_ADMISSION_ADMITTED
}

// oneLine makes an agent's words fit for a table.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
