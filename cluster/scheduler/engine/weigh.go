package engine

import "slices"

// Scores are what nodes are worth to resources by what concerns each alone. It
// is what callers need that place only, and plan by themselves: the leader of a
// live cluster, whose resources wait for leases, is one.
type Scores struct {
	c      *cluster
	placed bool // the tables hold a placement
}

// A Wish adds to the score of a resource on a node. Unlike a location it is no
// part of what the node is worth by itself.
type Wish struct {
	Resource string // a primitive's or clone's id
	Node     int    // in Input.Nodes
	Score    int
	Source   string // a word, as in Reason
	Text     string // a clause
	Favoured bool   // of equal nodes this one is taken (Quiet)
	Promoted bool   // it is about being promoted there alone
}

// A Placed is where one primitive, or one instance of it in a clone, belongs.
type Placed struct {
	Resource string // the primitive's id
	Number   int    // in its clone; -1: in none
	Node     int    // in Input.Nodes; -1: nowhere
	Scores   []int  // as Input.Nodes
	Tie      Tie    // what decided between equal nodes (Quiet)
	// Of an instance of a promotable clone: whether it is to be promoted, and what
	// it is worth as a promoted one; less than 0: it may not be.
	Promoted  bool
	Promotion int

	c *cluster
	r *resource
}

// Weigh reads an input and counts what speaks for and against each node, but for
// stickiness where the input has none, and for what other resources do. Orders
// count for nothing.
func Weigh(in *Input) *Scores {
	c := newCluster(in)
	c.unpack()
	c.applyHealth()
	c.unpackLikes()
	c.applyCriteria()
	for _, r := range c.resources {
		c.colocateInside(r)
	}
	return &Scores{c: c}
}

// Of returns what the nodes, as in Input.Nodes, are worth to a resource; where
// nothing allows it they are worth -INFINITY.
func (s *Scores) Of(resource string) []int {
	r := s.c.byID[resource]
	if r == nil {
		return nil
	}
	return s.c.given(r)
}

func (c *cluster) given(r *resource) []int {
	scores := make([]int, len(c.in.Nodes))
	for i := range scores {
		scores[i] = -infinity
	}
	for _, n := range c.nodes {
		if r.allowed[n.index].present {
			scores[n.given] = r.allowed[n.index].score
		}
	}
	return scores
}

// Place says where all primitives belong if some wishes count too.
func (s *Scores) Place(wishes []Wish) []Placed {
	if s.placed {
		*s = *Weigh(s.c.in)
	}
	s.placed = true
	s.c.locations = slices.Grow(s.c.locations, len(wishes))
	for i := range wishes {
		s.c.wish(&wishes[i])
	}
	s.c.place()
	list := make([]Placed, 0, len(s.c.resources))
	s.c.primitives(func(r *resource) { list = append(list, s.c.placedAs(r)) })
	return list
}

func (c *cluster) wish(w *Wish) {
	r := c.byID[w.Resource]
	for _, n := range c.nodes {
		if r == nil || n.given != w.Node || !c.symmetric && !r.allowed[n.index].present {
			continue
		}
		c.addLocation(&location{id: w.Source, text: w.Text, r: r, role: w.role(), nodes: []nodeScore{{n, w.Score}}}, "")
		r.apply(r.locations[len(r.locations)-1], false)
		if w.Favoured {
			r.favoured = n
		}
		if w.Source == "stickiness" {
			r.stickiness = w.Score // which is also weighed against what others fear
		}
	}
}

func (w *Wish) role() role {
	if w.Promoted {
		return rolePromoted
	}
	return roleUnknown
}

func (c *cluster) placedAs(r *resource) Placed {
	p := Placed{Resource: r.ID, Number: r.number, Node: -1, Tie: r.tie, Scores: c.given(r), c: c, r: r}
	if r.assignedNode != nil {
		p.Node = r.assignedNode.given
	}
	if clone := r.top(); clone.promotable {
		p.Promoted, p.Promotion = r.nextRole == rolePromoted, r.instance().promotionPriority
	}
	return p
}

// instance returns the instance of a clone that a resource is, or is in.
func (r *resource) instance() *resource {
	if r.parent.isGroup() {
		return r.parent
	}
	return r
}

// Reasons are the parts of the score of a node, as in Input.Nodes, in the order
// they were counted.
func (p *Placed) Reasons(node int) []Reason {
	for _, n := range p.c.nodes {
		switch {
		case n.given != node:
		case !p.r.allowed[n.index].present:
			return append(p.r.told(n), Reason{-infinity, "symmetric-cluster", "no location constraint allows it there"})
		default:
			return p.r.told(n)
		}
	}
	return nil
}
