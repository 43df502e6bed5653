package engine

// A note is one part of a resource's score on a node.
type note struct {
	node   *node
	score  int
	source string
}

// note remembers why a node is liked or not.
func (r *resource) note(n *node, score int, source string) {
	if score != 0 && source != "" {
		r.notes = append(r.notes, note{n, score, source})
	}
}

// noteColocation remembers what a colocation changed.
func (c *cluster) noteColocation(dependent, primary *resource, co *colocation) {
	at := primary.assignedNode
	for _, n := range c.nodes {
		switch {
		case at == nil:
			dependent.note(n, -co.score, co.id)
		case sameAttribute(n, at, co.attribute):
			dependent.note(n, co.score, co.id)
		case co.score >= infinity:
			dependent.note(n, -infinity, co.id)
		}
	}
}
