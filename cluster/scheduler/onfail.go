package scheduler

import (
	"fmt"

	pb "quorate/proto/quorate/v1"
)

// What failures lead to beside a restart ("Operation Properties", on-fail, in Pacemaker
// Explained 3.0): as the state keeps it with the instance that failed.
const (
	onFailBlock   = "block"
	onFailStop    = "stop"
	onFailStandby = "standby"
	onFailFence   = "fence"
	onFailDemote  = "demote"
)

// unpackFailures notes what failed for good, and which nodes host nothing for a failure.
// It is over with a cleanup, or when the failure has expired.
func (g *graph) unpackFailures() {
	for _, r := range g.resources {
		for i, n := range g.nodes {
			v := &r.views[i]
			switch {
			case v.fails == 0 || r.isRole():
			case v.OnFail == onFailStandby && n.bar == nil:
				n.bar = &pb.Reason{Score: -infinity, Source: "standby", Text: fmt.Sprintf("%s is in standby since %s failed there (on-fail=standby)", n.Name, r.Id)}
			case v.OnFail == onFailStop && r.clone != nil:
				v.banned = "it failed there and is not started again (on-fail=stop)" + because(v.LastError)
			case v.OnFail == onFailStop && r.unwanted == "":
				r.endedBy = i
				r.unwanted = fmt.Sprintf("it failed on %s (on-fail=stop)", n.Name)
			}
		}
	}
}

// whyHalted returns why nothing is done about a resource that failed on a node; empty: it
// did not, or something is.
func (g *graph) whyHalted(r *resource, i int) string {
	n, v := g.nodes[i], &r.views[i]
	switch {
	case !n.reachable() || v.state != failed:
		return ""
	case v.OnFail == onFailBlock:
		return "it failed on " + n.Name + " (on-fail=block)"
	case v.OnFail == onFailFence && g.fencingOf(n.Id) != nil:
		return n.Name + " is being fenced for its failure (on-fail=fence)"
	}
	return ""
}

// complainHalted tells of a failure that somebody has to look at, or that fencing ends.
func (g *graph) complainHalted(r *resource) {
	n, v := g.nodes[r.current], &r.views[r.current]
	if v.OnFail == onFailFence {
		g.problems.add(waiting, r.Id, fmt.Sprintf("%s failed on %s%s, which is to be fenced for it (on-fail=fence): %s", r.Id, n.Name, because(v.LastError), fencingText(g.fencingOf(n.Id), n.Name)))
		return
	}
	g.problems.add(stuck, r.Id, fmt.Sprintf("%s is blocked: it failed on %s%s, and is left as it is (on-fail=block); mend it, then run `quorate resource cleanup %s`", r.Id, n.Name, because(v.LastError), r.Id))
}

// complainEnded tells of a resource that a failure has stopped for good.
func (g *graph) complainEnded(r *resource) {
	v := &r.views[r.endedBy]
	g.problems.add(stuck, r.Id, fmt.Sprintf("%s is stopped: it failed on %s%s, and is not started again (on-fail=stop) until `quorate resource cleanup %s`", r.Id, g.nodes[r.endedBy].Name, because(v.LastError), r.Id))
}

// complainStandby tells of the nodes that a resource's failure has put into standby.
func (g *graph) complainStandby(r *resource) {
	for i, n := range g.nodes {
		v := &r.views[i]
		if v.OnFail == onFailStandby && v.fails > 0 && n.bar != nil && n.bar.Source == "standby" && !n.Standby {
			g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s hosts nothing since %s failed there (on-fail=standby)%s; `quorate resource cleanup %s node=%s` ends that", n.Name, r.Id, because(v.LastError), r.Id, n.Name))
		}
	}
}
