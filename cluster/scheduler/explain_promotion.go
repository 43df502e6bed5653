package scheduler

import (
	"fmt"
	"slices"
	"strings"
)

// promotionReason is the sentence that says why an instance is promoted, or not.
func (g *graph) promotionReason(r *resource) string {
	name := g.nodes[r.seat].Name
	switch {
	case r.frozen():
		return fmt.Sprintf("%s is left as it is on %s: %s", r.base.Id, name, r.whyFrozen())
	case r.placed < 0:
		return g.whyUnpromoted(r)
	case r.held != nil:
		return fmt.Sprintf("%s %s promoted on %s: %s", r.base.Id, is(r), name, g.whyHeld(r))
	}
	return fmt.Sprintf("%s %s promoted on %s: %s", r.base.Id, is(r), name, g.worths(r))
}

func is(r *resource) string {
	if r.current == r.seat {
		return "is"
	}
	return "will be"
}

// whyUnpromoted says why an instance is not promoted.
func (g *graph) whyUnpromoted(r *resource) string {
	said := fmt.Sprintf("%s is not promoted on %s: ", r.base.Id, g.nodes[r.seat].Name)
	switch {
	case r.unwanted != "":
		return said + r.unwanted
	case r.waitsFor != nil && !slices.Contains(r.waitsFor.firsts, r.base):
		return fmt.Sprintf("%s%s, which must start before it, runs nowhere (%s)", said, r.waitsFor.name(), r.waitsFor.id)
	case r.forbidden != nil:
		return fmt.Sprintf("%s%s, which it must run with, runs nowhere (%s)", said, r.forbidden.primary.Id, r.forbidden.id)
	case r.base.placed != r.seat:
		return said + "it is not to run there"
	case r.elsewhere():
		return fmt.Sprintf("%s%s, and promoted-max is %d", said, g.worths(r), r.clone.max)
	}
	return said + g.worths(r)
}

// worths lists what the instances of a promotable clone are worth as promoted ones,
// the best first.
func (g *graph) worths(r *resource) string {
	ranked := slices.DeleteFunc(slices.Clone(r.siblings), func(s *resource) bool { return s.base.placed < 0 || s.base.as == nil })
	slices.SortStableFunc(ranked, func(a, b *resource) int { return b.as.Promotion - a.as.Promotion })
	var texts []string
	for _, s := range ranked {
		texts = append(texts, fmt.Sprintf("%s %s", g.nodes[s.seat].Name, scoreText(s.as.Promotion)))
	}
	if r.placed < 0 && r.as.Promotion < 0 && g.promotionScore(r) == "" {
		return fmt.Sprintf("its agent has set no promotion score there (as promoted it scores %s)", strings.Join(texts, ", "))
	}
	return fmt.Sprintf("as promoted it scores %s", strings.Join(texts, ", "))
}

// promotionScore is what the agent has set for the instance on its node.
func (g *graph) promotionScore(r *resource) string {
	n := g.nodes[r.seat]
	name := "master-" + r.base.Id
	if score, set := n.Transient[name]; set {
		return score
	}
	return n.Attributes[name]
}

// complainUnpromoted tells of a promotable clone that runs, and is promoted nowhere.
func (g *graph) complainUnpromoted(r *resource) {
	nobody := !slices.ContainsFunc(r.siblings, func(s *resource) bool { return s.placed >= 0 || s.current >= 0 || s.frozen() })
	runs := slices.ContainsFunc(r.siblings, func(s *resource) bool { return s.base.placed >= 0 })
	if r == r.siblings[0] && nobody && runs && r.unwanted == "" && r.clone.max > 0 {
		g.problems.add(worthKnowing, "", fmt.Sprintf("%s is promoted nowhere: %s", r.base.Id, g.worths(r)))
	}
}
