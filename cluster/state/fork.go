package state

import (
	"fmt"
	"slices"
	"time"

	"quorate/cluster/fork"
	pb "quorate/proto/quorate/v1"
)

// keptBases is how many of the newest forks remember the configuration that
// they began with.
const keptBases = 4

// forkAlone makes one node of a pair the only voter, and the other one gone.
//
// It needs no majority: that is what a pair lacks without its peer. What stands
// in for it, and what does not:
//
//   - The node has testified, durably, that the peer was silent for longer than
//     its lease, and acks that epoch never again (rule 13). Every admitted node
//     counts its lease by both voters (rule 19), the peer too, so no lease of
//     theirs lives on without this node's acks. Of one that has not confirmed
//     that, the peer included, it is not known: the fork waits.
//   - That the peer does not extend its lease by itself, or has stopped, is known
//     by fencing or by asking the network for what it served. That was done
//     before (package pair), and cannot be judged here.
//
// The node counts as having confirmed the new electorate at once (rule 20). It
// has acked each of its own beats, so by the new electorate, which is itself, no
// lease of its is shorter than it was by the old one: there is no guard to cut.
func (d *draft) forkAlone(f *pb.ForkAlone) error {
	silence := f.Silence.AsDuration().Round(time.Millisecond)
	node, peer := NodeByID(d.State, f.Node), NodeByID(d.State, f.Peer)
	if err := d.checkFork(f, node, peer); err != nil {
		return err
	}
	base := Configuration(d.State)
	d.Electorate = &pb.Electorate{Version: d.Electorate.Version + 1, Voters: []string{node.Id}}
	if node.Admission == pb.Admission_ADMISSION_ADMITTED {
		d.putNodeRecord(with(node, func(n *pb.Node) { n.ElectorateConfirmed = d.Electorate.Version }))
	}
	d.addFork(&pb.Fork{
		Number: f.Number, Id: f.Id, Node: node.Id, Peer: peer.Id, At: d.at, Index: d.index, Configuration: base,
	})
	d.record(&pb.Event{
		Kind: "fork", Node: node.Name, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s goes on alone: %s was silent for %v (fork %d). Until %s is back this node decides by itself",
			node.Name, peer.Name, silence, f.Number, peer.Name),
	})
	if peer.Admission == pb.Admission_ADMISSION_ADMITTED {
		d.end(peer, fmt.Sprintf("%s goes on without it after %v of silence", node.Name, silence))
	}
	if f.FencedBy != "" {
		d.fenced(peer.Id, f.FencedBy)
	}
	return nil
}

// checkFork checks that the node is one of two, that the cluster may go on by
// halves, and that no lease can outlive the step.
func (d *draft) checkFork(f *pb.ForkAlone, node, peer *pb.Node) error {
	switch {
	case node == nil || peer == nil || node == peer:
		return refuse(Invalid, "fork", "", "it names no two members")
	case f.Id == "" || slices.Contains(fork.History(d.Forks), f.Id):
		return refuse(Invalid, "fork id", "", "%q is not new", f.Id)
	case f.Number != uint64(len(d.Forks))+1:
		return refuse(Stale, "fork", "", "there were %d forks, and this one says to be number %d", len(d.Forks), f.Number)
	case len(d.Electorate.GetVoters()) != 2 || !Votes(d.State, node.Id) || !Votes(d.State, peer.Id):
		return refuse(Precondition, "fork", "", "the voters are not %s and %s alone", node.Name, peer.Name)
	case Property(d.State, "no-quorum-policy") != "ignore":
		return refuse(Precondition, "fork", "set no-quorum-policy=ignore to let one of two nodes go on alone",
			"no-quorum-policy is %s", Property(d.State, "no-quorum-policy"))
	case peer.Epoch != f.PeerEpoch:
		return refuse(Stale, "fork", "", "%s is at epoch %d, not %d", peer.Name, peer.Epoch, f.PeerEpoch)
	case f.Silence.AsDuration() < Threshold(peer.Lease.AsDuration()):
		return refuse(Precondition, "fork", "", "%s was heard %v ago, within %v",
			peer.Name, f.Silence.AsDuration(), Threshold(peer.Lease.AsDuration()))
	}
	return d.confirmed(node.Id)
}

// confirmed checks that every admitted node, but for one, counts its lease by
// the present electorate (rule 19).
func (d *draft) confirmed(except string) error {
	for _, n := range d.Nodes {
		if n.Id != except && n.Admission == pb.Admission_ADMISSION_ADMITTED && n.ElectorateConfirmed != d.Electorate.Version {
			return refuse(Precondition, "electorate", "wait for it, or until it is gone",
				"%s has not yet confirmed version %d", n.Name, d.Electorate.Version)
		}
	}
	return nil
}

// addFork adds a fork to the history. Old ones forget their configurations.
func (d *draft) addFork(f *pb.Fork) {
	forks := append(slices.Clone(d.Forks), f)
	if old := len(forks) - 1 - keptBases; old >= 0 && forks[old].Configuration != nil {
		forks[old] = with(forks[old], func(f *pb.Fork) { f.Configuration = nil })
	}
	d.Forks = forks
}

// Configuration is the part of a state that people write. It shares what it
// holds with the state.
func Configuration(s *pb.State) *pb.Configuration {
	c := &pb.Configuration{
		Properties: s.GetProperties(), ResourceDefaults: s.GetResourceDefaults(), OperationDefaults: s.GetOperationDefaults(),
		Groups: s.GetGroups(), Clones: s.GetClones(), Constraints: s.GetConstraints(), Levels: s.GetLevels(),
		Alerts: s.GetAlerts(),
	}
	for _, f := range s.GetDevices() {
		c.Devices = append(c.Devices, &pb.FencingDevice{
			Id: f.Id, Type: f.Type, Parameters: f.Parameters, Operations: f.Operations, Disabled: f.Disabled,
		})
	}
	for _, n := range s.GetNodes() {
		c.Nodes = append(c.Nodes, &pb.NodeConfiguration{
			Name: n.Name, Standby: n.Standby, Maintenance: n.Maintenance, Attributes: n.Attributes,
			Utilization: n.Utilization,
		})
	}
	for _, r := range s.GetResources() {
		if !r.Deleting {
			c.Resources = append(c.Resources, &pb.Resource{
				Id: r.Id, Agent: r.Agent, Parameters: r.Parameters, Meta: r.Meta, Operations: r.Operations,
				Utilization: r.Utilization, ServerOrders: r.ServerOrders,
			})
		}
	}
	return c
}
