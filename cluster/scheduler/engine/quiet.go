package engine

import (
	"cmp"
	"slices"
)

// A live cluster moves nothing without a reason. When its input says so
// (Input.Quiet), the best nodes are told apart by other means than Pacemaker's:
// a resource without stickiness does not leave a node for an equal one, however
// many resources either has.

// A Tie says what decided between the nodes of the best score.
type Tie int

// What decides, the first that applies.
const (
	TieFavoured Tie = iota // a wish names the node
	TieActive              // it runs there
	TieCompany             // what must run with it runs there
	TieLoad                // few resources have their place there
	TieName                // or much is left of what they use
)

// favourite returns one of the best nodes of a ranked list: the one that a wish
// names, where the resource runs, where something runs that must run with it;
// otherwise the first, which has the fewest resources.
func (c *cluster) favourite(r *resource, list []*node) *node {
	best := list[0]
	if !c.usable(r.allowed, best) {
		return best
	}
	equals := list[:1]
	for len(equals) < len(list) && c.usable(r.allowed, list[len(equals)]) && r.allowed[list[len(equals)].index].score == r.allowed[best.index].score {
		equals = list[:len(equals)+1]
	}
	for i, n := range []*node{r.favoured, r.currentNode(), r.company()} {
		if n != nil && slices.Contains(equals, n) {
			r.tie = TieFavoured + Tie(i)
			return n
		}
	}
	r.tie = TieName
	if c.placement != "minimal" && slices.ContainsFunc(equals, func(n *node) bool { return n.assigned > best.assigned }) {
		r.tie = TieLoad
	}
	return best
}

// scale multiplies a score by a colocation's factor. Pacemaker makes of a small
// product 1 or -1 by the sign of the factor alone, so that a dependent draws its
// primary to a node that it avoids a little.
func (c *cluster) scale(score int, factor float32) int {
	n := scale(score, factor)
	if c.in.Quiet && (n > 0) != ((score > 0) == (factor > 0)) {
		return -n
	}
	return n
}

// keepsAllApart reports whether no instance of one clone may run beside any of
// another. Pacemaker lets each of an interleaved clone avoid one instance of the
// other, whose place is taken by the next round's: they chase each other for ever.
func (c *cluster) keepsAllApart(co *colocation) bool { return c.in.Quiet && co.score < 0 }

// sortByActivity lets what starts take no capacity from what runs, unless its
// priority is higher. How much a resource likes its place counts for nothing:
// that changes with every move.
func (c *cluster) sortByActivity() {
	slices.SortStableFunc(c.resources, func(a, b *resource) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), firstIf(a.isActive(false), b.isActive(false)))
	})
}

// company returns the node of the first resource that must run with r; nil: none
// runs.
func (r *resource) company() *node {
	for _, co := range r.dependents() {
		dependent := co.dependent
		if dependent.isGroup() {
			dependent = dependent.children[0]
		}
		if co.score >= infinity && dependent.kind == Primitive && len(dependent.active) > 0 {
			return dependent.currentNode()
		}
	}
	return nil
}
