package state

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

// The functions below answer what if: what the state would be after something
// that nobody commanded had happened. They are for forecasts alone. Each
// returns a state of its own, or a *[Refusal] that names what is not there.

// supposed is a draft of what has happened at a time.
func supposed(s *pb.State, at time.Time) *draft {
	return newDraft(s, s.ConfigurationIndex, &pb.Command{ProposedAt: timestamppb.New(at)})
}

// SupposeLost is the state after a node was lost, and what may have outlived its
// lease there has ended: by time, or by the fencing of the node if that is possible.
func SupposeLost(s *pb.State, name string, at time.Time) (*pb.State, error) {
	d := supposed(s, at)
	n := NodeByName(s, name)
	if n == nil {
		return nil, d.noSuchNode(name)
	}
	if n.Admission == pb.Admission_ADMISSION_ADMITTED {
		d.end(n, "supposed")
	}
	if f := FencingUnderWay(d.State, n.Id); f.GetPhase() == pb.FencingPhase_FENCING_PHASE_OFF && len(WaysToFence(d.State, n.Id)) > 0 {
		d.isOff(f, "supposed")
	}
	d.Assignments = without(d.Assignments, func(a *pb.Assignment) bool {
		return a.Node == n.Id && !a.Unfenced && InstanceOf(d.State, a.Resource, a.Node).GetState() != pb.InstanceState_INSTANCE_STATE_BLOCKED // S5
	})
	return d.State, nil
}

// SupposeBack is the state after a node has started, takes work, and was found
// to run nothing.
func SupposeBack(s *pb.State, name string, at time.Time) (*pb.State, error) {
	d := supposed(s, at)
	n := NodeByName(s, name)
	if n == nil {
		return nil, d.noSuchNode(name)
	}
	if n.Admission != pb.Admission_ADMISSION_ADMITTED {
		lease := n.Lease
		if lease == nil {
			lease = durationpb.New(time.Second) // any: no time passes in a forecast
		}
		if err := d.admit(&pb.Admit{Node: n.Id, FromEpoch: n.Epoch, Nonce: n.Nonce + 1, Lease: lease}); err != nil {
			return nil, err
		}
		d.foundNothing(n.Id)
	}
	d.putNodeRecord(with(NodeByID(d.State, n.Id), func(n *pb.Node) {
		n.Stopped, n.Reach, n.Obstacles, n.Standings = false, nil, nil, d.allReady()
	}))
	return d.State, nil
}

// allReady is the word of a node that has had the time to hear all that it needs.
func (d *draft) allReady() (list []*pb.Standing) {
	for _, r := range d.Resources {
		if r.Traits.GetCatchUp() != nil {
			list = append(list, &pb.Standing{Resource: r.Id, Ready: true, Since: d.at})
		}
	}
	return list
}

// foundNothing notes that every resource was looked for on a node, in vain.
// Failures stay on record.
func (d *draft) foundNothing(node string) {
	epoch := NodeByID(d.State, node).Epoch
	list := without(d.Instances, func(i *pb.Instance) bool { return i.Node == node })
	for _, r := range d.Resources {
		found := &pb.Instance{Resource: r.Id, Node: node}
		if known := InstanceOf(d.State, r.Id, node); known != nil {
			found = with(known, func(i *pb.Instance) { i.Revision, i.Restart = 0, 0 })
		}
		found.Epoch = epoch
		d.setState(found, pb.InstanceState_INSTANCE_STATE_STOPPED)
		list = append(list, found)
	}
	slices.SortFunc(list, func(a, b *pb.Instance) int { return byPlace(a, place{b.Resource, b.Node}) })
	d.Instances = list
}

// SupposeFailed is the state after a resource failed: where it runs, which
// where may name, or else at a start on where.
func SupposeFailed(s *pb.State, resource, where string, at time.Time) (*pb.State, error) {
	d := supposed(s, at)
	r := ResourceByID(s, resource)
	a := AssignmentOf(s, resource)
	if n := NodeByName(s, where); n != nil {
		a = AssignmentAt(s, resource, n.Id)
	}
	switch {
	case GroupByID(s, resource) != nil:
		return nil, refuse(Invalid, "fail", "name one of "+strings.Join(Members(s, resource), ", "), "%s is a group", resource)
	case CloneByID(s, resource) != nil:
		return nil, refuse(Invalid, "fail", "name "+strings.Join(Members(s, resource), " or "), "%s is a clone", resource)
	case r == nil:
		return nil, d.noSuchResource("fail", resource)
	case where == "" && a == nil:
		return nil, refuse(Precondition, "fail", "name the node, as in "+resource+"@"+nodeForExample(s), "%s runs nowhere now", resource)
	case where == "":
		where = NodeName(s, a.Node)
	}
	n := NodeByName(s, where)
	if n == nil {
		return nil, d.noSuchNode(where)
	}
	o := &pb.Operation{Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: resource, Node: n.Id, Epoch: n.Epoch, Assignment: a.GetNumber()}
	if a.GetNode() == n.Id {
		d.learn(o, &pb.Result{Kind: o.Kind, Outcome: pb.Outcome_OUTCOME_FAILED, Error: "supposed"})
		return d.State, nil
	}
	d.failToStart(o)
	return d.State, nil
}

// failToStart counts a start that failed and was cleared away.
func (d *draft) failToStart(o *pb.Operation) {
	i := &pb.Instance{Resource: o.Resource, Node: o.Node}
	if known := InstanceOf(d.State, o.Resource, o.Node); known != nil {
		i = with(known, func(*pb.Instance) {})
	}
	o.Kind = pb.OperationKind_OPERATION_KIND_START
	i.Epoch = o.Epoch
	d.learnStart(i, o, &pb.Result{Kind: o.Kind, Outcome: pb.Outcome_OUTCOME_FAILED, Error: "supposed"})
	d.stopped(i)
	d.putInstance(i)
}

func nodeForExample(s *pb.State) string {
	if len(s.Nodes) == 0 {
		return "NODE"
	}
	return s.Nodes[0].Name
}

// Quorate reports whether the electorate could decide with the nodes that are
// admitted, and how many voters there are of how many. Of a pair that may go on
// by halves, one is enough.
func Quorate(s *pb.State) (quorate bool, up, all int) {
	voters := s.GetElectorate().GetVoters()
	for _, id := range voters {
		if NodeByID(s, id).GetAdmission() == pb.Admission_ADMISSION_ADMITTED {
			up++
		}
	}
	pair := len(voters) > 0 && Peer(s, voters[0]) != ""
	return up > len(voters)/2 || pair && up > 0, up, len(voters)
}
