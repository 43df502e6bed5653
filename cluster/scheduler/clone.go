package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// A clone keeps a resource or group running on several nodes. Each of its
// resources has an instance for each node that could run it, which is scheduled
// like a resource that may run nowhere else.
type clone struct {
	*pb.Clone
	members    []*resource // the first instance of each of its resources, by id
	max        int64       // on how many nodes it runs at once
	interleave bool        // see unpackOrder
	ordered    bool        // its instances start one after the other
	of         *clone      // the promotable one whose roles are in it; nil: it is one that is configured
}

// limit is the option that says on how many nodes it runs at once.
func (c *clone) limit() string {
	if c.of != nil {
		return "promoted-max"
	}
	return "clone-max"
}

// leads reports whether an instance stands for all others of a clone.
func (c *clone) leads(r *resource) bool { return c.members[0] == r }

func (c *clone) meta() map[string]string {
	if c == nil {
		return nil
	}
	return c.Meta
}

func (g *graph) unpackClones(s *pb.State) {
	for _, c := range s.Clones {
		g.clones = append(g.clones, &clone{
			Clone: c, max: parseScore(c.Meta["clone-max"], infinity),
			interleave: parseBool(c.Meta["interleave"], false), ordered: parseBool(c.Meta["ordered"], false),
		})
	}
	slices.SortFunc(g.clones, func(a, b *clone) int { return strings.Compare(a.Id, b.Id) })
}

// cloneNamed returns the clone of an id; nil: there is none.
func (g *graph) cloneNamed(id string) *clone {
	i := slices.IndexFunc(g.clones, func(c *clone) bool { return c.Id == id })
	if i < 0 {
		return nil
	}
	return g.clones[i]
}

// cloneOf returns the clone that a resource, or its group, is in; nil: it is in none.
func (g *graph) cloneOf(r *pb.Resource, group *pb.Group) *clone {
	i := slices.IndexFunc(g.clones, func(c *clone) bool {
		return c.Member == r.Id || group != nil && c.Member == group.Id
	})
	if i < 0 {
		return nil
	}
	return g.clones[i]
}

// seated returns a resource as it is, or if it is cloned one for each node that
// hosts resources.
func (g *graph) seated(c *clone, r resource) []*resource {
	if c == nil {
		return []*resource{&r}
	}
	var list []*resource
	for i, n := range g.nodes {
		if n.Role != pb.Role_ROLE_WITNESS {
			instance := r
			instance.seat = i
			list = append(list, &instance)
		}
	}
	for _, r := range list {
		r.siblings = list
	}
	c.members = append(c.members, list[:min(1, len(list))]...)
	return list
}

// settleHomes forgets where instances ran last that have been replaced since: those
// that are nowhere now count as at home on as many nodes as clone-max leaves, where
// they ran most lately.
func (c *clone) settleHomes() {
	for _, r := range c.members {
		if r.isRole() {
			continue // see settlePromotions
		}
		room := c.max
		var gone []*resource
		for _, s := range r.siblings {
			switch {
			case s.current >= 0:
				room--
			case s.home >= 0:
				gone = append(gone, s)
			}
		}
		slices.SortStableFunc(gone, func(a, b *resource) int {
			return b.views[b.seat].Since.AsTime().Compare(a.views[a.seat].Since.AsTime())
		})
		for i, s := range gone {
			if int64(i) >= room {
				s.home = -1
			}
		}
	}
}

// leaveAlone leaves all of a clone alone if something in it is on more nodes than
// may run it and must be left there: where the rest belongs cannot be said.
func (c *clone) leaveAlone() {
	for _, r := range c.members {
		running := int64(0)
		for _, s := range r.siblings {
			if s.current >= 0 {
				running++
			}
		}
		if !r.leftAlone() || running <= c.max {
			continue
		}
		for _, m := range c.members {
			for _, s := range m.siblings {
				s.unmanaged = cmp.Or(s.unmanaged, fmt.Sprintf("%s runs on %d nodes and is left alone (clone-max is %d)", r.Id, running, c.max))
			}
		}
	}
}

// full reports whether as many instances of a resource have a place as may.
func (r *resource) full() bool {
	placed := int64(0)
	for _, s := range r.siblings {
		if s.placed >= 0 {
			placed++
		}
	}
	return placed >= r.clone.max
}

// concerns reports whether a resource has to do with a node.
func (r *resource) concerns(i int) bool { return r.clone == nil || r.seat == i }

// elsewhere reports whether another instance of a cloned resource has a place.
func (r *resource) elsewhere() bool {
	return slices.ContainsFunc(r.siblings, func(s *resource) bool { return s != r && s.placed >= 0 })
}

// inOrder lets the instances of ordered clones start one after the other.
func (g *graph) inOrder(s *pb.State) {
	for _, c := range g.clones {
		instances := g.instancesOf(s, c.Id)
		for i := 1; c.ordered && i < len(instances); i++ {
			before := instances[i-1]
			g.order(&order{
				id: c.Id, firsts: before[len(before)-1:], then: instances[i][0], kind: pb.OrderKind_ORDER_KIND_OPTIONAL,
			})
		}
	}
}

// occupies reports whether an instance counts for clone-max: its node owns it, or
// it may run there.
func (j *job) occupies() bool {
	v := &j.views[j.seat]
	return j.assignment != nil || j.blocked >= 0 || v.active() || v.flies(start) || v.flies(stop)
}

// limitStarts gives up the starts for which a clone has no room, and makes those
// that need it wait for instances that are to go, or that nobody has looked for
// yet (S1).
func (g *graph) limitStarts(jobs map[*resource]*job) {
	for _, r := range g.resources {
		if r.clone != nil && r == r.siblings[0] {
			g.limitClone(r, jobs)
		}
	}
}

func (g *graph) limitClone(r *resource, jobs map[*resource]*job) {
	staying, going, starting := int64(0), int64(0), int64(0)
	for _, s := range r.siblings {
		switch j := jobs[s]; {
		case j.occupies() && (!j.ends(j.seat) || j.frozen()):
			staying++
		case j.occupies(), g.nodes[j.seat].reachable() && j.views[j.seat].unknown():
			going++
		}
	}
	for _, s := range r.siblings {
		j := jobs[s]
		switch {
		case !j.starts || j.occupies() && !j.ends(j.seat): // taken over where it is
		case staying+starting >= r.clone.max:
			j.starts = false
			g.problems.add(waiting, r.Id, fmt.Sprintf("%s waits for one of the %d nodes that may run it at once (%s), which may still do", r.Id, r.clone.max, r.clone.limit()))
		default:
			starting++
		}
	}
	if staying+going+starting <= r.clone.max {
		return
	}
	for _, s := range r.siblings {
		for _, other := range r.siblings {
			if jobs[s].starts && other != s {
				jobs[s].room = append(jobs[s].room, jobs[other])
			}
		}
	}
}

// awaitRoom makes a start wait for what must have gone, or been looked for, on
// other nodes.
func (t *task) awaitRoom(j *job) {
	for _, other := range j.room {
		t.on(other.of(stop)...)
		t.on(other.of(probe)...)
		t.onFlights(other, stop, probe)
	}
}
