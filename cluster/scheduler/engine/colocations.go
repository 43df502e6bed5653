package engine

import (
	"cmp"
	"slices"
	"strings"
)

// A colocation places its dependent with, or away from, its primary.
type colocation struct {
	id                         string
	dependent, primary         *resource
	dependentRole, primaryRole role // unknown: any
	score                      int
	attribute                  string // of nodes that count as one; #uname: each is its own
	influence                  bool   // the dependent's wishes count for an active primary
	explicit                   bool   // configured, not implied by a group
}

// factor is what a score of the dependent is worth for the primary.
func (c *colocation) factor() float32 { return float32(c.score) / float32(infinity) }

func (c *colocation) mandatory() bool { return c.score >= infinity || c.score <= -infinity }

// influences reports whether the dependent's wishes count for where the primary
// goes.
func (c *colocation) influences(r *resource) bool {
	return c.influence || len(r.active) == 0
}

func (c *cluster) unpackColocation(spec *Colocation) {
	score, ok := c.parseScore(spec.Score, 0)
	if !ok {
		return
	}
	if len(spec.Sets) == 0 {
		c.unpackSimpleColocation(spec, score)
		return
	}
	for i := range spec.Sets {
		c.colocateSet(spec, &spec.Sets[i], score)
		if i > 0 {
			c.colocateSets(spec, &spec.Sets[i-1], &spec.Sets[i], score)
		}
	}
}

func (c *cluster) unpackSimpleColocation(spec *Colocation, score int) {
	dependent, primary := c.constrained(spec.Dependent), c.constrained(spec.Primary)
	if dependent == nil || primary == nil {
		return
	}
	c.colocate(spec, spec.ID, score, dependent, primary, spec.DependentRole, spec.PrimaryRole)
}

// colocate adds a configured colocation.
func (c *cluster) colocate(spec *Colocation, id string, score int, dependent, primary *resource, dependentRole, primaryRole string) {
	if dependent == nil || primary == nil {
		return
	}
	first, ok1 := constraintRole(dependentRole)
	second, ok2 := constraintRole(primaryRole)
	if !ok1 || !ok2 {
		return
	}
	influence, ok := parseBool(spec.Influence)
	if !ok {
		influence = dependent.critical
	}
	attribute := "#uname"
	if id == spec.ID && len(spec.Sets) == 0 && spec.NodeAttribute != "" {
		attribute = spec.NodeAttribute
	}
	c.addColocation(&colocation{
		id: id, dependent: dependent, primary: primary, dependentRole: first, primaryRole: second,
		score: score, attribute: attribute, influence: influence, explicit: true,
	})
}

// constraintRole reads a role; Started means any.
func constraintRole(name string) (role, bool) {
	if name == "" {
		return roleUnknown, true
	}
	switch r := parseRole(name); r {
	case roleUnknown:
		return r, strings.EqualFold(name, "unknown")
	case roleStarted:
		return roleUnknown, true
	default:
		return r, true
	}
}

// addColocation adds a colocation to its resources.
func (c *cluster) addColocation(co *colocation) {
	if co.score == 0 {
		return
	}
	co.dependent.thisWith = insertColocation(co.dependent.thisWith, co, primaryOf)
	co.primary.withThis = insertColocation(co.primary.withThis, co, dependentOf)
	if co.score <= -infinity {
		c.apart = append(c.apart, co)
	}
}

func primaryOf(c *colocation) *resource   { return c.primary }
func dependentOf(c *colocation) *resource { return c.dependent }

// insertColocation keeps colocations ordered by what the other resource is: the
// greatest priority first, then clones, groups, primitives, then names. Among
// equals the newest comes first.
func insertColocation(list []*colocation, co *colocation, other func(*colocation) *resource) []*colocation {
	i, _ := slices.BinarySearchFunc(list, co, func(have, new *colocation) int { return compareColocated(other(have), other(new)) })
	return slices.Insert(list, i, co)
}

func compareColocated(a, b *resource) int {
	if o := cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(b.kind, a.kind)); o != 0 {
		return o
	}
	if a.kind == Clone && a.promotable != b.promotable {
		if a.promotable {
			return -1
		}
		return 1
	}
	return strings.Compare(a.id, b.id)
}

// keepApart lets one resource start on a node only after another, which must not
// run beside it, has stopped there: they never run together on the way either.
func (c *cluster) keepApart(first *resource, firstRole role, then *resource, thenRole role) {
	ends, begins := []task{taskStop}, []task{taskStart}
	switch {
	case firstRole == rolePromoted:
		ends = []task{taskDemote}
	case firstRole == roleUnpromoted:
		ends = append(ends, taskPromote)
	}
	switch {
	case thenRole == rolePromoted:
		begins = []task{taskPromote}
	case thenRole == roleUnpromoted:
		begins = append(begins, taskDemote)
	}
	for _, end := range ends {
		for _, begin := range begins {
			c.orderTasks(first, end, then, begin, ifRequiredOnSameNode)
		}
	}
}

// colocateSet colocates the members of one set with each other.
func (c *cluster) colocateSet(spec *Colocation, set *ResourceSet, score int) {
	if set.Score != "" {
		var ok bool
		if score, ok = c.parseScore(set.Score, 0); !ok {
			return
		}
	}
	if sequential, ok := parseBool(set.Sequential); score == 0 || ok && !sequential {
		return
	}
	withPrevious := set.Ordering == "" || strings.EqualFold(set.Ordering, "group")
	for i, id := range set.Resources {
		r := c.constrained(id)
		switch {
		case r == nil:
			return
		case score < 0:
			for _, earlier := range set.Resources[:i] {
				c.colocate(spec, set.ID, score, r, c.constrained(earlier), set.Role, set.Role)
			}
		case i > 0 && withPrevious:
			c.colocate(spec, set.ID, score, r, c.constrained(set.Resources[i-1]), set.Role, set.Role)
		case i > 0:
			c.colocate(spec, set.ID, score, c.constrained(set.Resources[i-1]), r, set.Role, set.Role)
		}
	}
}

// colocateSets colocates one set with the next: its first member with the last
// one of the other where they are sequential, otherwise each with each.
func (c *cluster) colocateSets(spec *Colocation, dependents, primaries *ResourceSet, score int) {
	first, last := dependents.Resources, primaries.Resources
	if isSequential(dependents) && len(first) > 0 {
		if first = first[:1]; c.constrained(first[0]) == nil {
			return
		}
	}
	if isSequential(primaries) && len(last) > 0 {
		if last = last[len(last)-1:]; c.constrained(last[0]) == nil {
			return
		}
	}
	for _, dependent := range first {
		for _, primary := range last {
			c.colocate(spec, spec.ID, score, c.constrained(dependent), c.constrained(primary), dependents.Role, primaries.Role)
		}
	}
}

func isSequential(set *ResourceSet) bool {
	sequential, ok := parseBool(set.Sequential)
	return !ok || sequential
}

// colocatedWith returns the colocations that say what a resource is to run with:
// its own and those it takes part in as part of a group or clone. The list must
// not be modified.
func (r *resource) colocatedWith() []*colocation { return r.colocations(true) }

// dependents returns the colocations that say what is to run with a resource.
func (r *resource) dependents() []*colocation { return r.colocations(false) }

func (r *resource) colocations(thisWith bool) []*colocation {
	if r.kind == Primitive && r.parent == nil {
		return r.own(thisWith)
	}
	return r.gather(nil, r, thisWith)
}

func (r *resource) own(thisWith bool) []*colocation {
	if thisWith {
		return r.thisWith
	}
	return r.withThis
}

// gather adds to a list the colocations of r that matter to another resource,
// which is r or part of it or contains it.
func (r *resource) gather(list []*colocation, asks *resource, thisWith bool) []*colocation {
	switch {
	case r.kind == Group && thisWith:
		return r.gatherGroupWith(list, asks)
	case r.kind == Group:
		return r.gatherWithGroup(list, asks)
	case r.kind == Clone, r == asks:
		return r.gatherUp(mergeColocations(list, r.own(thisWith), thisWith), asks, thisWith)
	}
	for _, co := range r.own(thisWith) {
		if co.explicit {
			list = insertOther(list, co, thisWith)
		}
	}
	return list
}

func (r *resource) gatherUp(list []*colocation, asks *resource, thisWith bool) []*colocation {
	if r.parent == nil {
		return list
	}
	return r.parent.gather(list, asks, thisWith)
}

// gatherWithGroup: who runs with a group runs with its last member.
func (r *resource) gatherWithGroup(list []*colocation, asks *resource) []*colocation {
	if asks != r && asks != r.last() {
		return list
	}
	list = r.gatherUp(mergeColocations(list, r.withThis, false), asks, false)
	if !r.colocated {
		return list
	}
	for _, member := range r.children {
		if member != asks {
			list = member.gather(list, asks, false)
		}
	}
	return list
}

// gatherGroupWith: a group runs with what its first member runs with. Where an
// unmanaged member breaks the chain, the later ones look for themselves.
func (r *resource) gatherGroupWith(list []*colocation, asks *resource) []*colocation {
	if asks != r && asks != r.children[0] {
		return r.gatherBroken(list, asks)
	}
	list = r.gatherUp(mergeColocations(list, r.thisWith, true), asks, true)
	if !r.colocated {
		return list
	}
	for _, member := range r.children {
		if member != asks {
			list = member.gather(list, asks, true)
		}
	}
	return list
}

func (r *resource) gatherBroken(list []*colocation, asks *resource) []*colocation {
	for _, member := range r.children {
		if member == asks {
			return list
		}
		if member.managed {
			continue
		}
		for _, co := range r.thisWith {
			if co.score >= infinity {
				list = insertOther(list, co, true)
			}
		}
		return list
	}
	return list
}

func insertOther(list []*colocation, co *colocation, thisWith bool) []*colocation {
	if thisWith {
		return insertColocation(list, co, primaryOf)
	}
	return insertColocation(list, co, dependentOf)
}

// mergeColocations adds an ordered list to another.
func mergeColocations(list, more []*colocation, thisWith bool) []*colocation {
	if len(list) == 0 {
		return slices.Clone(more)
	}
	for _, co := range more {
		list = insertOther(list, co, thisWith)
	}
	return list
}
