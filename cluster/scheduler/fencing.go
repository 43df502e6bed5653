package scheduler

import (
	"fmt"

	pb "quorate/proto/quorate/v1"
)

// fencingOf returns the fencing of a node that has yet to switch it off; nil: there
// is none.
func (g *graph) fencingOf(node string) *pb.Fencing {
	for _, f := range g.fencings {
		if f.Node == node && f.Phase == pb.FencingPhase_FENCING_PHASE_OFF {
			return f
		}
	}
	return nil
}

// complainUnfenced tells that a resource waits for its node to be off for certain.
func (g *graph) complainUnfenced(r *resource, at string) {
	f := g.fencingOf(r.assignment.Node)
	k := waiting
	if f == nil || f.Failures > 0 {
		k = stuck
	}
	g.problems.add(k, r.Id, fmt.Sprintf("%s waits until %s is off for certain (fencing=power): %s", r.Id, at, fencingText(f, at)))
}

// fencingText says how a fencing stands, and what a person can do about it.
func fencingText(f *pb.Fencing, at string) string {
	word := fmt.Sprintf("if you know that %s is off, run `quorate stonith confirm %s`", at, at)
	for i := len(f.GetAttempts()) - 1; i >= 0; i-- {
		if a := f.Attempts[i]; a.Error != "" {
			return fmt.Sprintf("%s could not be fenced in %d attempts, the last by %s: %s; it is tried again; %s", at, f.Failures, a.Device, a.Error, word)
		}
	}
	return fmt.Sprintf("%s is being fenced; %s", at, word)
}
