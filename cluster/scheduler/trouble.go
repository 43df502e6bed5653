package scheduler

import (
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// complainObstacles tells of the nodes that cannot run a resource for now.
func (g *graph) complainObstacles(r *resource) {
	for i, n := range g.nodes {
		if o := obstacleOf(n, r); o != nil && n.bar == nil && r.concerns(i) {
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

// isolate takes a resource from the nodes that reach none of the ping targets,
// if it can run on one that does. Where the targets themselves are down, or this
// resource has no better node, nothing moves for that.
func (g *graph) isolate() {
	since := g.isolated()
	for _, r := range g.resources {
		r.cutOff = make([]bool, len(g.nodes))
		if since == 0 || !g.reachedFor(r, since) {
			continue
		}
		for i, n := range g.nodes {
			r.cutOff[i] = n.Reach.GetIsolated() > 0
		}
	}
}

// reachedFor reports whether a node that may run a resource reaches a target.
func (g *graph) reachedFor(r *resource, since uint64) bool {
	for i, n := range g.nodes {
		if n.reaches(since) && r.own[i] >= 0 {
			return true
		}
	}
	return false
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
