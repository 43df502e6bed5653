package scheduler

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// addObstacle counts what the node says keeps it from running a resource.
func (g *graph) addObstacle(t *tally, r *resource, n *node) {
	if o := obstacleOf(n, r); o != nil {
		t.add(-infinity, o.Kind, o.Text)
	}
}

// complainObstacles tells of the nodes that cannot run a resource for now.
func (g *graph) complainObstacles(r *resource) {
	for _, n := range g.nodes {
		if o := obstacleOf(n, r); o != nil && n.bar == nil {
			g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s cannot run on %s: %s", r.Id, n.Name, o.Text))
		}
	}
}

func obstacleOf(n *node, r *resource) *pb.Obstacle {
	i := slices.IndexFunc(n.Obstacles, func(o *pb.Obstacle) bool { return o.Resource == r.Id })
	if i < 0 {
		return nil
	}
	return n.Obstacles[i]
}

// addIsolation takes a resource from the nodes that reach none of the ping
// targets, if it can run on one that does. Where the targets themselves are
// down, or this resource has no better node, nothing moves for that.
func (g *graph) addIsolation(list []tally) {
	since := g.isolated()
	if since == 0 {
		return
	}
	if !slices.ContainsFunc(g.nodes, func(n *node) bool { return n.reaches(since) && list[g.node(n.Id)].score >= 0 }) {
		return
	}
	for i, n := range g.nodes {
		if n.Reach.GetIsolated() > 0 {
			list[i].add(-infinity, "quorum.ping", "it reaches none of the ping targets")
		}
	}
}

// isolated returns the newest log index at which a node that might host
// something became isolated; 0: none is.
func (g *graph) isolated() uint64 {
	since := uint64(0)
	for _, n := range g.nodes {
		if n.reachable() {
			since = max(since, n.Reach.GetIsolated())
		}
	}
	return since
}

// reaches reports whether a node has reached a ping target after a log index:
// what it reached before may be out of its reach by now, too.
func (n *node) reaches(since uint64) bool {
	return n.bar == nil && n.Reach.GetIsolated() == 0 && n.Reach.GetConfirmed() >= since
}
