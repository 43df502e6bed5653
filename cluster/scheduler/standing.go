package scheduler

import (
	"fmt"
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
)

// awaits reports whether a move of a resource to a node would lose what the node
// has yet to hear, such as open connections, and until when it is worth waiting for
// that. What is nowhere has nothing to lose.
func (g *graph) awaits(r *resource, i int) (until time.Time, waits bool) {
	limit := r.GetTraits().GetCatchUp().AsDuration()
	if limit <= 0 || r.stay() < 0 || r.stay() == i {
		return time.Time{}, false
	}
	from := g.nodes[i].AdmittedAt.AsTime()
	if s := standingOf(g.nodes[i], r); s.GetReady() {
		return time.Time{}, false
	} else if since := s.GetSince().AsTime(); s != nil && since.After(from) {
		from = since
	}
	until = from.Add(limit)
	return until, until.After(g.now)
}

func standingOf(n *node, r *resource) *pb.Standing {
	i := slices.IndexFunc(n.Standings, func(s *pb.Standing) bool { return s.Resource == r.Id })
	if i < 0 {
		return nil
	}
	return n.Standings[i]
}

// mayStay reports whether a resource may go on where it is, so that its move is for
// the better and can wait.
func (r *resource) mayStay() bool {
	at := r.stay()
	return at >= 0 && r.own[at] >= 0 && !r.cutOff[at] && !r.frozen()
}

// defers reports whether an operator's move waits: of what moves with the
// resource, something has yet to be heard by the node. What waits is held.
func (g *graph) defers(r *resource, i int) bool {
	found := false
	for _, m := range g.company(r) {
		if until, waits := g.awaits(m, i); waits && m.mayStay() {
			m.held = &hold{better: i, until: until, unready: true}
			found = true
		}
	}
	return found
}

// company returns the resources that run on one node with a resource, that one
// first: those that mandatory colocations bind.
func (g *graph) company(r *resource) []*resource {
	all := []*resource{r}
	for n := 0; n < len(all); n++ {
		for _, c := range slices.Concat(all[n].with, all[n].dependents) {
			for _, m := range []*resource{c.dependent, c.primary} {
				if c.mandatory() && !slices.Contains(all, m) {
					all = append(all, m)
				}
			}
		}
	}
	return all
}

// whyAwaited says what a resource waits for that is held until a node is ready.
func (g *graph) whyAwaited(r *resource) string {
	n := g.nodes[r.held.better]
	what := ""
	if text := standingOf(n, r).GetText(); text != "" {
		what = " (" + text + ")"
	}
	return fmt.Sprintf("%s is not ready to take it over yet%s; it goes there as soon as it is, at %s at the latest", n.Name, what, g.clock(r.held.until))
}

// complainAwaited tells of a resource that waits.
func (g *graph) complainAwaited(r *resource) {
	if r.held != nil && r.held.unready && r.placed == r.stay() {
		g.problems.add(worthKnowing, r.Id, fmt.Sprintf("%s stays on %s for now: %s", r.Id, g.nodes[r.placed].Name, g.whyAwaited(r)))
	}
}
