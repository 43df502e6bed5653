package scheduler

import (
	"cmp"
	"fmt"
	"slices"

	pb "quorate/proto/quorate/v1"
)

// A rank says how bad a problem is.
type rank int

const (
	stuck        rank = iota // nothing happens without a person
	nowhere                  // no node may run it
	waiting                  // time will heal it
	worthKnowing             // it runs, but
)

type problem struct {
	rank     rank
	resource string // empty: of none
	text     string
}

type problems []problem

func (p *problems) add(k rank, resource, text string) {
	*p = append(*p, problem{k, resource, text})
}

// sentences returns all problems, worst first.
func (p problems) sentences() []string {
	slices.SortStableFunc(p, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.resource, b.resource))
	})
	var list []string
	for _, q := range p {
		list = append(list, q.text)
	}
	return list
}

// blocking returns why a resource cannot run or be stopped.
func (p problems) blocking(resource string) []string {
	var list []string
	for _, q := range p {
		if q.resource == resource && q.rank < worthKnowing {
			list = append(list, q.text)
		}
	}
	return list
}

// complain notes what a person must know about a placement.
func (g *graph) complain(r *resource) {
	if r.isRole() {
		g.complainUnpromoted(r)
		return
	}
	g.complainStandby(r)
	switch {
	case r.blocked >= 0:
		g.complainBlocked(r)
		return
	case r.unmanaged != "" && r.Deleting:
		g.problems.add(waiting, r.Id, fmt.Sprintf("%s is to be deleted, but is left alone: %s", r.Id, r.unmanaged))
	case r.current >= 0 && r.views[r.current].ByHand:
		g.complainByHand(r)
	case r.current >= 0 && g.whyHalted(r, r.current) != "":
		g.complainHalted(r)
	case r.endedBy >= 0:
		g.complainEnded(r)
	case r.unmanaged != "":
		g.complainFailed(r)
	case r.placed < 0 && r.unwanted == "" && !r.elsewhere():
		g.problems.add(nowhere, r.Id, g.whyNowhere(r))
	}
	if (r.placed >= 0 || r.elsewhere()) && !r.frozen() {
		g.complainGivenUp(r)
		g.complainObstacles(r)
		g.complainAwaited(r)
	}
}

// complainBlocked tells that the stop of a resource failed, and what that leads to: its
// node is fenced, or is reset by its watchdog, or a person must help (S5).
func (g *graph) complainBlocked(r *resource) {
	at := g.nodes[r.blocked].Name
	failed := fmt.Sprintf("%s is blocked: its stop on %s failed", r.Id, at)
	if e := r.views[r.blocked].LastError; e != "" {
		failed += ": " + e
	}
	f := g.fencingOf(g.nodes[r.blocked].Id)
	switch {
	case f != nil:
		g.problems.add(waiting, r.Id, failed+"; "+fencingText(f, at))
	case g.bites(r):
		g.problems.add(waiting, r.Id, fmt.Sprintf("%s; the watchdog of %s resets it (fencing=watchdog), and %s starts elsewhere then", failed, at, r.Id))
	default:
		g.problems.add(stuck, r.Id, fmt.Sprintf("%s, so it may still be active there; stop it by hand, then run `quorate resource cleanup %s`", failed, r.Id))
	}
}

// bites reports whether a failed stop has the watchdog of the owner reset it.
func (g *graph) bites(r *resource) bool {
	policy := g.defaults["on-fail"]
	for _, o := range r.Operations {
		if own, said := o.Options["on-fail"]; said && o.Name == "stop" {
			policy = own
		}
	}
	return r.assignment.GetWatchdog() && policy != onFailBlock && policy != onFailStandby
}

// complainByHand tells of what a person runs. A node that is gone may run it still.
func (g *graph) complainByHand(r *resource) {
	n := g.nodes[r.current]
	if !n.reachable() {
		g.problems.add(stuck, r.Id, fmt.Sprintf("%s was run by hand on %s, which is gone: make sure that it does not run there, then run `quorate resource cleanup %s`", r.Id, n.Name, r.Id))
		return
	}
	g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s is left alone, as it is run by hand on %s: `quorate resource debug-stop %s` there, or `quorate resource cleanup %s`, gives it back", r.Id, n.Name, r.Id, r.Id))
}

func (g *graph) complainFailed(r *resource) {
	for i, n := range g.nodes {
		if r.views[i].state == pb.InstanceState_INSTANCE_STATE_FAILED {
			g.problems.add(stuck, r.Id, fmt.Sprintf("%s failed on %s, but is left alone: %s", r.Id, n.Name, r.unmanaged))
		}
	}
}

// complainGivenUp tells of the nodes a resource may not run on for its failures.
func (g *graph) complainGivenUp(r *resource) {
	for i, n := range g.nodes {
		if v := r.views[i]; n.bar == nil && r.givenUp(i) {
			until := fmt.Sprintf("`quorate resource cleanup %s` gives it another chance", r.Id)
			if r.expiry > 0 && v.LastFailure != nil {
				until += ", or time at " + g.clock(v.LastFailure.AsTime().Add(r.expiry))
			}
			g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s may not run on %s: %s; %s", r.Id, n.Name, r.failures(i), until))
		}
	}
}
