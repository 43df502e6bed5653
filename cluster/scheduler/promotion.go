package scheduler

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// What is promoted is planned like a resource of its own. Each instance of a
// promotable clone has a second one in the graph, which "starts" when the instance
// is promoted and "stops" when it is demoted; it follows the instance, and runs on
// at most promoted-max nodes. So what orders, colocates, limits and restarts
// resources does so to roles, and S1 and S4 hold for them by the same rules. Where
// they belong is the engine's to say.

// isRole reports whether a resource stands for another's being promoted.
func (r *resource) isRole() bool { return r.base != nil }

// promotedName is what sentences call it. No id has a space.
func promotedName(id string) string { return "promoted " + id }

// promotable reports whether instances of a clone may be promoted.
func (c *clone) promotable() bool { return c != nil && parseBool(c.Meta["promotable"], false) }

// addPromotions gives the instances of a resource those that stand for their being
// promoted, and returns these.
func (g *graph) addPromotions(instances []*resource) []*resource {
	if len(instances) == 0 || !instances[0].clone.promotable() {
		return nil
	}
	roles := g.promotedClone(instances[0].clone)
	list := make([]*resource, 0, len(instances))
	for _, base := range instances {
		said := proto.CloneOf(base.Resource)
		said.Id, said.Traits = promotedName(base.Id), &pb.Traits{}
		role := *base
		role.Resource, role.base, role.clone = said, base, roles
		role.stickiness = 0
		role.unwanted = cmp.Or(role.unwanted, base.demoted)
		base.promotion = &role
		list = append(list, &role)
	}
	for _, r := range list {
		r.siblings = list
	}
	roles.members = append(roles.members, list[0])
	return list
}

// promotedClone is the clone of what stands for the promoted ones of another.
func (g *graph) promotedClone(c *clone) *clone {
	id := promotedName(c.Id)
	if known := g.cloneNamed(id); known != nil {
		return known
	}
	roles := &clone{Clone: &pb.Clone{Id: id}, max: parseScore(c.Meta["promoted-max"], 1), of: c, interleave: c.interleave}
	g.clones = append(g.clones, roles)
	return roles
}

// unpackPromotions reads from what is known of instances what is known of their
// being promoted.
func (g *graph) unpackPromotions() {
	for _, r := range g.resources {
		if !r.isRole() {
			continue
		}
		from, into := &r.base.views[r.seat], &r.views[r.seat]
		into.Instance, into.state, into.flying = from.Instance, promotedState(from), flyingRole(from.flying)
		if r.base.assignment.GetPromoted() {
			r.assignment, r.owner = r.base.assignment, r.base.owner
		}
	}
}

func promotedState(v *view) pb.InstanceState {
	switch {
	case v.state == running && v.Promoted && v.OnFail == onFailDemote:
		return failed
	case v.state == stopped || v.unknown() || v.Promoted:
		return v.state
	}
	return stopped
}

// flyingRole is what an operation under way does to the role: also a stop demotes,
// and what does neither is none of its own.
func flyingRole(op *pb.Operation) *pb.Operation {
	if op == nil {
		return nil
	}
	as := pb.OperationKind_OPERATION_KIND_MONITOR
	switch op.Kind {
	case promote:
		as = start
	case demote, stop:
		as = stop
	case probe:
		as = probe
	default:
	}
	return &pb.Operation{Id: op.Id, Kind: as, Resource: op.Resource, Node: op.Node, Epoch: op.Epoch}
}

// followBases leaves roles alone where their instances are, and lets each run after
// its instance, and after the role of the one before it in a group.
func (g *graph) followBases(s *pb.State) {
	for _, r := range g.resources {
		if r.isRole() {
			g.order(&order{id: r.clone.of.Id, firsts: []*resource{r.base}, then: r})
		}
	}
	for _, group := range s.Groups {
		for _, members := range g.instancesOf(s, group.Id) {
			for i := 1; i < len(members); i++ {
				if first, then := members[i-1].promotion, members[i].promotion; first != nil && then != nil {
					g.order(&order{id: group.Id, firsts: []*resource{first}, then: then})
				}
			}
		}
	}
}

// inRole returns the instances of an id as [graph.instancesOf] does or, for
// promoted ones, what stands for these; none if they are not promotable.
func (g *graph) inRole(s *pb.State, id string, role pb.InstanceRole) [][]*resource {
	instances := g.instancesOf(s, id)
	if role != pb.InstanceRole_INSTANCE_ROLE_PROMOTED {
		return instances
	}
	var roles [][]*resource
	for _, members := range instances {
		var list []*resource
		for _, r := range members {
			if r.promotion != nil {
				list = append(list, r.promotion)
			}
		}
		if len(list) > 0 {
			roles = append(roles, list)
		}
	}
	return roles
}

// roleOf is the role whose beginning or end an action is.
func roleOf(a pb.OrderAction) pb.InstanceRole {
	if _, promotes := constraint.Promotes(a); promotes {
		return pb.InstanceRole_INSTANCE_ROLE_PROMOTED
	}
	return pb.InstanceRole_INSTANCE_ROLE_ANY
}

// settlePromotions remembers where instances were promoted last, as far as
// promoted-max leaves room, so that one that restarts is promoted again there.
func (g *graph) settlePromotions() {
	for _, c := range g.clones {
		for _, lead := range c.members {
			if lead.isRole() {
				settlePromotion(lead.siblings, c.max)
			}
		}
	}
	for _, r := range g.resources {
		if r.isRole() {
			r.unmanaged = cmp.Or(r.unmanaged, r.base.unmanaged)
			if r.base.blocked >= 0 {
				r.unmanaged = r.base.whyFrozen()
			}
		}
	}
}

func settlePromotion(roles []*resource, most int64) {
	var were []*resource
	for _, r := range roles {
		switch home := r.home >= 0 && r.views[r.seat].Promotion > 0 && r.base.stay() >= 0; {
		case r.current >= 0:
			most--
		case home:
			were = append(were, r)
		}
		r.home = -1
	}
	slices.SortStableFunc(were, func(a, b *resource) int {
		return cmp.Compare(b.views[b.seat].Promotion, a.views[a.seat].Promotion)
	})
	for _, r := range were[:min(max(most, 0), int64(len(were)))] {
		r.home = r.seat
	}
}

// takePromotions reads from a placement of the instances which are promoted.
func (g *graph) takePromotions() {
	for _, r := range g.resources {
		switch {
		case !r.isRole():
			continue
		case r.frozen():
			r.placed = r.current
		case r.base.placed == r.seat && r.base.as.Promoted:
			r.placed = r.seat
		}
		r.as = r.base.as
	}
}

// holdPromotions lets a failback policy keep a resource promoted where it is. It
// returns whether there is one that was not held before.
func (g *graph) holdPromotions() bool {
	found := false
	for _, r := range g.resources {
		if !r.isRole() || r.held != nil || r.placed >= 0 || r.current < 0 || r.frozen() || r.unwanted != "" {
			continue
		}
		better := slices.IndexFunc(r.siblings, func(s *resource) bool { return s.placed >= 0 && s.current < 0 })
		if better < 0 || r.base.placed != r.seat || r.as.Promotion < 0 {
			continue
		}
		at := r.siblings[better].seat
		if until, holds := r.failback.Holds(g.now, g.nodes[at].AdmittedAt.AsTime()); holds {
			r.held = &hold{better: at, until: until}
			found = true
		}
	}
	return found
}

// configured is the resource that people know.
func (r *resource) configured() *resource {
	if r.isRole() {
		return r.base
	}
	return r
}

// rolesLast are the resources, first those that are configured.
func (g *graph) rolesLast() []*resource {
	list := slices.Clone(g.resources)
	slices.SortStableFunc(list, func(a, b *resource) int {
		return cmp.Compare(bit(a.isRole()), bit(b.isRole()))
	})
	return list
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// shareTasks lets what waits for a role wait for what is done to its instance: it
// is looked for with it, and what has failed is demoted by its stop.
func (j *job) shareTasks(base *job) {
	for _, t := range base.tasks {
		if t.kind == probe && t.node == j.seat || t.kind == stop && base.views[t.node].state == failed {
			j.tasks = append(j.tasks, t)
		}
	}
}

// inTurn lets one operation of an instance follow the other: it is demoted before it
// starts (over, if it runs already) or reloads, and promoted after that. So what
// stops waits for nothing but stops.
func (j *job) inTurn(base *job) {
	for _, t := range slices.Concat(base.of(start), base.of(reload)) {
		t.on(slices.DeleteFunc(j.of(stop), func(t *task) bool { return t.r != j.resource })...)
	}
	for _, t := range j.of(start) {
		t.on(base.of(reload)...)
	}
}

// promotedRoom is on how many nodes the engine may promote: single instances that
// are left alone, of which it is not told, may be promoted as well.
func (c *clone) promotedRoom() int64 {
	kept := make(map[int]bool)
	for _, r := range c.members {
		for _, s := range r.siblings {
			if s.frozen() && !s.leftAlone() && s.promotion.current >= 0 {
				kept[s.seat] = true
			}
		}
	}
	return max(0, c.members[0].promotion.clone.max-int64(len(kept)))
}

// dropPromotions gives up the promotions of instances that nobody owns, and that
// are not to be taken over now.
func (g *graph) dropPromotions(jobs map[*resource]*job) bool {
	dropped := false
	for _, r := range g.resources {
		if r.isRole() && jobs[r].starts && !r.base.owns(r.seat) && !jobs[r.base].starts {
			jobs[r].starts, dropped = false, true
		}
	}
	return dropped
}

// demotes reports whether a task of its own demotes a role: not if its instance has
// failed, which is stopped, or is stopped already.
func (j *job) demotes() bool { return !j.isRole() || j.base.views[j.seat].state != failed }

// kindOf is the operation that a task of a resource is.
func (r *resource) kindOf(k pb.OperationKind) pb.OperationKind {
	switch {
	case r.isRole() && k == start:
		return promote
	case r.isRole() && k == stop:
		return demote
	}
	return k
}
