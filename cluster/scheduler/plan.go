package scheduler

import (
	"fmt"
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
)

const (
	start  = pb.OperationKind_OPERATION_KIND_START
	stop   = pb.OperationKind_OPERATION_KIND_STOP
	probe  = pb.OperationKind_OPERATION_KIND_PROBE
	reload = pb.OperationKind_OPERATION_KIND_RELOAD

	promote = pb.OperationKind_OPERATION_KIND_PROMOTE
	demote  = pb.OperationKind_OPERATION_KIND_DEMOTE

	stopped = pb.InstanceState_INSTANCE_STATE_STOPPED
	running = pb.InstanceState_INSTANCE_STATE_RUNNING
	failed  = pb.InstanceState_INSTANCE_STATE_FAILED
)

// A job is what is to be done about one resource.
type job struct {
	*resource
	whyStop []string // by node; empty: no stop there
	starts  bool     // on the node it belongs on
	room    []*job   // other instances of a clone, which must have gone before it starts
	tasks   []*task
}

// plan returns the steps from the state to the placements.
func (g *graph) plan() []Step {
	jobs := make(map[*resource]*job, len(g.resources))
	for _, r := range g.resources {
		j := &job{resource: r, whyStop: make([]string, len(g.nodes))}
		for i, n := range g.nodes {
			if n.reachable() && !r.frozen() {
				j.whyStop[i] = g.whyStop(r, i)
			}
		}
		jobs[r] = j
	}
	g.restartFollowers(jobs)
	for _, r := range g.resources {
		jobs[r].starts = g.wantsStart(jobs[r])
	}
	g.dropStarts(jobs)
	g.limitStarts(jobs)
	return g.steps(jobs)
}

// owns reports whether a node owns a resource and can be told to give it up.
func (r *resource) owns(i int) bool { return r.owner == i && !r.assignment.Orphaned }

// whyStop returns why a resource must be stopped on a node; empty: it must not,
// or its stop is under way, or it is not known yet whether it runs there.
func (g *graph) whyStop(r *resource, i int) string {
	v := &r.views[i]
	switch {
	case v.flies(stop), !v.active() && !r.owns(i) && !v.flies(start):
		return ""
	case r.placed != i:
		return g.whyLeave(r, i)
	case v.flies(start), v.unknown():
		return ""
	case v.state == failed:
		return "it failed there" + because(v.LastError)
	case r.owns(i) && v.state == stopped:
		return "it does not run there any more" + because(v.LastError)
	case r.owns(i) && r.assignment.Revoking:
		return "its stop was begun and has not succeeded"
	case !r.owns(i) && r.current < 0:
		return "it runs on several nodes"
	case v.Revision == 0:
		return "" // found running, and taken over as it is
	case v.Restart != r.Restart:
		return "a restart was asked for"
	case v.Revision != r.Revision && !r.Traits.GetReloadable():
		return "its configuration changed"
	}
	return ""
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// whyLeave returns why a resource must not run on a node it does not belong on.
func (g *graph) whyLeave(r *resource, i int) string {
	switch {
	case r.isRole():
		return g.promotionReason(r)
	case r.placed < 0:
		return g.whyNowhere(r)
	case i != r.current && r.current >= 0:
		return fmt.Sprintf("%s may run on one node only, which is %s", r.Id, g.nodes[r.current].Name)
	}
	return g.reason(r)
}

// ends reports whether a resource stops on a node, or is about to.
func (j *job) ends(i int) bool { return j.whyStop[i] != "" || j.views[i].flies(stop) }

// serves reports whether a resource runs where it belongs, as far as anybody
// knows, and goes on.
func (j *job) serves() bool {
	i := j.placed
	if i < 0 || j.ends(i) {
		return false
	}
	v := &j.views[i]
	return v.state == running || v.unknown() && j.owns(i)
}

// restartFollowers stops what must start after something that does not run yet.
func (g *graph) restartFollowers(jobs map[*resource]*job) {
	for again := true; again; {
		again = false
		for _, o := range g.orders {
			then := jobs[o.then]
			i := then.placed
			if !o.mandatory() || o.asymmetrical || i < 0 || then.frozen() || !then.views[i].active() || then.ends(i) {
				continue
			}
			if yetToStart(o.before(i), jobs) {
				then.whyStop[i] = fmt.Sprintf("%s must start before it (%s)", o.name(), o.id)
				again = true
			}
		}
	}
}

// yetToStart reports whether what must run before something has a place and runs,
// as far as anybody knows, on none. While one instance of a clone runs, what
// follows it goes on.
func yetToStart(firsts []*resource, jobs map[*resource]*job) bool {
	placed := false
	for _, r := range firsts {
		first := jobs[r]
		if first.placed < 0 {
			continue
		}
		if first.serves() || first.frozen() || first.views[first.placed].unknown() {
			return false
		}
		placed = true
	}
	return placed
}

// wantsStart reports whether a resource is to be started, now or after steps of
// its own. Nothing starts while another right to it may be alive (S4).
func (g *graph) wantsStart(j *job) bool {
	i := j.placed
	if i < 0 || j.frozen() || j.views[i].flies(start) && !j.ends(i) {
		return false
	}
	if j.owns(i) && j.serves() {
		return false
	}
	if j.assignment == nil || j.owner >= 0 && j.owns(j.owner) && j.ends(j.owner) {
		return true
	}
	g.complainOwned(j.resource)
	return false
}

// complainOwned tells that a resource waits for the right of a node that cannot
// be asked.
func (g *graph) complainOwned(r *resource) {
	at := g.nodeName(r.assignment.Node)
	if r.assignment.Unfenced {
		g.complainUnfenced(r, at)
		return
	}
	if r.owner >= 0 && r.views[r.owner].GetState() == pb.InstanceState_INSTANCE_STATE_BLOCKED && !r.assignment.Watchdog {
		g.problems.add(stuck, r.Id, fmt.Sprintf("%s is blocked: its stop on %s failed and %s is gone since; make sure that the machine is off, then run `quorate resource cleanup %s`", r.Id, at, at, r.Id))
		return
	}
	g.problems.add(waiting, r.Id, fmt.Sprintf("%s waits until what ran on %s may have ended: %s is gone, and %s may outlive its lease", r.Id, at, at, r.Id))
}

// dropStarts gives up the starts that others must precede which do not run and
// cannot start now.
func (g *graph) dropStarts(jobs map[*resource]*job) {
	comes := func(r *resource) bool { return jobs[r].starts || jobs[r].comes() }
	drop := func(j *job, needs []*resource, how, id string) bool {
		if !j.starts || len(needs) == 0 || slices.ContainsFunc(needs, comes) {
			return false
		}
		j.starts = false
		g.problems.add(waiting, j.Id, fmt.Sprintf("%s waits for %s, %s (%s)", j.Id, needs[0].Id, how, id))
		return true
	}
	for again := true; again; {
		again = false
		for _, o := range g.orders {
			if o.mandatory() {
				again = drop(jobs[o.then], o.before(o.then.placed), "which must start before it", o.id) || again
			}
		}
		for _, c := range g.colocations {
			if c.mandatory() && c.concerns(c.dependent.placed) {
				again = drop(jobs[c.dependent], []*resource{c.primary}, "which it must run with", c.id) || again
			}
		}
		again = g.dropPromotions(jobs) || again
	}
}

// comes reports whether a resource runs where it belongs, or is just starting.
func (j *job) comes() bool {
	return j.serves() || j.placed >= 0 && j.views[j.placed].flies(start) && !j.ends(j.placed)
}

// reloads reports whether a resource is to take over new parameters as it runs.
func (j *job) reloads() bool {
	if !j.serves() || j.frozen() || !j.owns(j.placed) || j.isRole() {
		return false
	}
	v := &j.views[j.placed]
	return v.state == running && v.flying == nil && v.Revision != 0 && v.Revision != j.Revision
}

// timeout returns how long an operation may take; zero: the agent's default.
func (g *graph) timeout(r *resource, k pb.OperationKind) time.Duration {
	name := verb(k)
	if k == probe {
		name = "monitor"
	}
	i := slices.IndexFunc(r.Operations, func(o *pb.OperationSpec) bool { return o.Name == name && o.Timeout.AsDuration() > 0 })
	if i >= 0 {
		return r.Operations[i].Timeout.AsDuration()
	}
	d, _ := parseDuration(g.defaults["timeout"])
	return d
}
