package state

import (
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// localTrouble takes in what a node says keeps it from serving. It counts only
// under the node's present epoch.
func (d *draft) localTrouble(l *pb.LocalTrouble) error {
	n := NodeByID(d.State, l.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", l.Node)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != l.Epoch:
		return refuse(Stale, "epoch", "", "%s is not admitted at epoch %d", n.Name, l.Epoch)
	}
	reach := &pb.Reach{Confirmed: min(max(l.Confirmed, n.Reach.GetConfirmed()), d.index)}
	if l.Isolated {
		if reach.Isolated = n.Reach.GetIsolated(); reach.Isolated == 0 {
			reach.Isolated = d.index
		}
	}
	obstacles := d.sorted(l.Obstacles)
	d.tellReach(n, reach)
	d.tellObstacles(n, obstacles)
	standings := d.standings(n, l.Standings)
	d.putNodeRecord(with(n, func(n *pb.Node) { n.Reach, n.Obstacles, n.Standings = reach, obstacles, standings }))
	return nil
}

// sorted returns the obstacles of known resources, one each, by resource.
func (d *draft) sorted(list []*pb.Obstacle) []*pb.Obstacle {
	out := slices.DeleteFunc(slices.Clone(list), func(o *pb.Obstacle) bool { return ResourceByID(d.State, o.GetResource()) == nil })
	slices.SortStableFunc(out, func(a, b *pb.Obstacle) int { return strings.Compare(a.Resource, b.Resource) })
	return slices.CompactFunc(out, func(a, b *pb.Obstacle) bool { return a.Resource == b.Resource })
}

func (d *draft) tellReach(n *pb.Node, now *pb.Reach) {
	was := n.Reach.GetIsolated() > 0
	targets := Property(d.State, "quorum.ping")
	switch {
	case was == (now.Isolated > 0):
	case was:
		d.record(&pb.Event{
			Kind: "node-reaches", Node: n.Name, Severity: pb.Severity_SEVERITY_INFO,
			Text: n.Name + " is no longer isolated",
		})
	default:
		d.record(&pb.Event{
			Kind: "node-isolated", Node: n.Name, Severity: pb.Severity_SEVERITY_WARNING,
			Text: fmt.Sprintf("%s is isolated: it reaches none of the ping targets (%s), and hosts nothing while another node that reaches one can", n.Name, targets),
		})
	}
}

func (d *draft) tellObstacles(n *pb.Node, now []*pb.Obstacle) {
	for _, o := range now {
		if known := ObstacleOf(n, o.Resource); known == nil || known.Kind != o.Kind {
			d.tellObstacle(n, o)
		}
	}
	for _, o := range n.Obstacles {
		if !slices.ContainsFunc(now, func(b *pb.Obstacle) bool { return b.Resource == o.Resource }) {
			d.record(&pb.Event{
				Kind: "obstacle-gone", Node: n.Name, Resource: o.Resource, Severity: pb.Severity_SEVERITY_INFO,
				Text: fmt.Sprintf("%s may run on %s again (it could not: %s)", o.Resource, n.Name, o.Text),
			})
		}
	}
}

func (d *draft) tellObstacle(n *pb.Node, o *pb.Obstacle) {
	d.record(&pb.Event{
		Kind: o.Kind, Node: n.Name, Resource: o.Resource, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s cannot run on %s: %s", o.Resource, n.Name, o.Text),
	})
}

// meetObstacle notes what an operation ran into, before the node's own report
// of it.
func (d *draft) meetObstacle(r *pb.Result) {
	n := NodeByID(d.State, r.Node)
	o := &pb.Obstacle{Resource: r.Resource, Kind: r.Cause, Text: failure(r)}
	if n == nil || ResourceByID(d.State, r.Resource) == nil {
		return
	}
	if known := ObstacleOf(n, r.Resource); known == nil || known.Kind != o.Kind {
		d.tellObstacle(n, o)
	}
	d.putNodeRecord(with(n, func(n *pb.Node) { n.Obstacles = put(n.Obstacles, o.Resource, byObstacle, o) }))
}

// ObstacleOf returns what keeps a resource off a node, or nil.
func ObstacleOf(n *pb.Node, resource string) *pb.Obstacle {
	i, found := slices.BinarySearchFunc(n.GetObstacles(), resource, byObstacle)
	if !found {
		return nil
	}
	return n.Obstacles[i]
}

func byObstacle(o *pb.Obstacle, resource string) int { return strings.Compare(o.Resource, resource) }

// Isolation is the newest log index at which a node other than the given one
// became isolated, and is so still; 0: none is.
func Isolation(s *pb.State, except string) uint64 {
	newest := uint64(0)
	for _, n := range s.GetNodes() {
		if n.Id != except && n.Admission == pb.Admission_ADMISSION_ADMITTED {
			newest = max(newest, n.Reach.GetIsolated())
		}
	}
	return newest
}
