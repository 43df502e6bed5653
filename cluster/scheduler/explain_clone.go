package scheduler

import "fmt"

// explainInstances says of instances, first of those that have a place, why they
// are where they are; given the name of a node, of those for that node.
func (g *graph) explainInstances(instances []*resource, node string) []string {
	var placed, others, more []string
	for _, r := range instances {
		switch name := g.nodes[r.seat].Name; {
		case node != "" && node != name:
			continue
		case r.placed >= 0:
			placed = append(placed, g.reason(r))
		default:
			others = append(others, g.reason(r))
		}
		if r.promotion != nil {
			more = append(more, g.promotionReason(r.promotion))
		}
		more = append(more, g.failuresOf(r, g.nodes[r.seat].Name)...)
	}
	for _, r := range instances {
		more = append(more, g.problems.blocking(r.Id)...)
	}
	return distinct(append(append(placed, others...), more...))
}

// whySeated says why a cloned resource has an instance on a node.
func (g *graph) whySeated(r *resource) string {
	for _, s := range r.siblings {
		if s.placed < 0 && s.score(s.seat) >= 0 && g.nodes[s.seat].bar == nil {
			return fmt.Sprintf("clone %s runs on %d nodes (clone-max); %s; %s", r.clone.Id, r.clone.max, g.weigh(r, r.seat), g.weigh(s, s.seat))
		}
	}
	return fmt.Sprintf("clone %s runs on every node that may run it", r.clone.Id)
}

// whyUnseated says why a cloned resource has no instance on a node, if it has some
// on others.
func (g *graph) whyUnseated(r *resource) string {
	name := g.nodes[r.seat].Name
	switch {
	case r.waitsFor != nil:
		return fmt.Sprintf("%s does not run on %s: %s, which must start before it, does not run there (%s)", r.Id, name, r.waitsFor.name(), r.waitsFor.id)
	case g.nodes[r.seat].bar != nil, r.own[r.seat] < 0, r.score(r.seat) < 0 && !r.full():
		return fmt.Sprintf("%s cannot run on %s: %s", r.Id, name, g.obstacle(r, r.seat))
	}
	return fmt.Sprintf("%s does not run on %s: clone %s runs on %d nodes (clone-max), and others score as high or higher", r.Id, name, r.clone.Id, r.clone.max)
}
