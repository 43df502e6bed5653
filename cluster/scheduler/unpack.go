package scheduler

import (
	"cmp"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

func unpack(s *pb.State, now time.Time) *graph {
	g := &graph{
		now: now, symmetric: parseBool(s.Properties["symmetric-cluster"], true), defaults: s.OperationDefaults,
		critical: parseBool(s.ResourceDefaults["critical"], true), strategy: cmp.Or(s.Properties["placement-strategy"], "default"),
	}
	g.unpackNodes(s)
	g.fencings = s.Fencings
	g.unpackClones(s)
	g.unpackResources(s)
	g.unpackInstances(s)
	g.unpackFailures()
	g.unpackPromotions()
	g.unpackGroups(s)
	g.followBases(s)
	g.unpackConstraints(s)
	for _, r := range g.resources {
		g.findCurrent(r)
		g.freeze(r)
	}
	for _, c := range g.clones {
		c.settleHomes()
		c.leaveAlone()
	}
	g.settlePromotions()
	return g
}

func (g *graph) unpackNodes(s *pb.State) {
	for _, n := range s.Nodes {
		g.nodes = append(g.nodes, &node{Node: n, bar: bar(n)})
	}
	slices.SortFunc(g.nodes, func(a, b *node) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Id, b.Id)) })
}

// bar returns why a node may host nothing.
func bar(n *pb.Node) *pb.Reason {
	reason := func(source, text string) *pb.Reason {
		return &pb.Reason{Score: -infinity, Source: source, Text: n.Name + " " + text}
	}
	switch {
	case n.Role == pb.Role_ROLE_WITNESS:
		return reason("witness", "is a witness")
	case n.Admission == pb.Admission_ADMISSION_GONE:
		return reason("gone", "is gone")
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch == 0:
		return reason("not-admitted", "has not started yet")
	case n.HeldSince != nil:
		return reason("held", "was fenced twice within ten minutes and waits for an operator")
	case n.Stopped:
		return reason("stopped", "is stopped")
	case n.Standby:
		return reason("standby", "is in standby")
	case n.Maintenance:
		return reason("maintenance", "is in maintenance")
	}
	return nil
}

func (g *graph) unpackResources(s *pb.State) {
	groups := make(map[string]*pb.Group)
	for _, group := range s.Groups {
		for _, m := range group.Members {
			groups[m] = group
		}
	}
	for _, r := range s.Resources {
		group := groups[r.Id]
		c := g.cloneOf(r, group)
		made := g.seated(c, resource{
			Resource: r, group: group, clone: c, settings: readSettings(s, r, group, c),
			seat: -1, owner: -1, current: -1, home: -1, blocked: -1, endedBy: -1, moved: -1, verdict: verdict{placed: -1},
		})
		for _, r := range made {
			g.unpackViews(r)
		}
		g.resources = append(g.resources, made...)
		for _, r := range g.addPromotions(made) {
			g.unpackViews(r)
			g.resources = append(g.resources, r)
		}
	}
	byID := func(a, b *resource) int { return strings.Compare(a.Id, b.Id) }
	slices.SortStableFunc(g.resources, byID)
	for _, c := range g.clones {
		slices.SortFunc(c.members, byID)
	}
}

// nothing is what is known of a resource on a node on which it never was.
var nothing = &pb.Instance{}

func (g *graph) unpackViews(r *resource) {
	r.views = make([]view, len(g.nodes))
	for i := range r.views {
		r.views[i].Instance = nothing
		if r.clone != nil && i != r.seat {
			r.views[i].state = stopped
		}
	}
}

func (g *graph) unpackInstances(s *pb.State) {
	for _, inst := range s.Instances {
		i := g.node(inst.Node)
		r := g.on(inst.Resource, i)
		if r == nil || i < 0 {
			continue
		}
		v := &r.views[i]
		v.Instance = inst
		if n := g.nodes[i]; n.reachable() && inst.Epoch >= n.Epoch {
			v.state = inst.State
		}
		v.fails = g.failsOf(r, inst)
		g.unpackBan(r, i, inst)
	}
	for _, op := range s.Operations {
		i := g.node(op.Node)
		r := g.on(op.Resource, i)
		// An order under an older epoch is refused by the node (rule 21).
		if r != nil && i >= 0 && g.nodes[i].reachable() && op.Epoch >= g.nodes[i].Epoch {
			r.views[i].flying = op
		}
	}
	for _, a := range s.Assignments {
		i := g.node(a.Node)
		if r := g.on(a.Resource, i); r != nil {
			r.assignment, r.owner = a, i
		}
	}
}

// failsOf counts the failures that have not expired.
func (g *graph) failsOf(r *resource, inst *pb.Instance) int64 {
	if inst.FailCount == 0 || g.expired(r, inst) {
		return 0
	}
	return int64(inst.FailCount)
}

// unpackBan notes where a resource may not run because another try would end as
// the last one did: on a node, or on all. Other parameters end it.
func (g *graph) unpackBan(r *resource, at int, inst *pb.Instance) {
	if inst.Ban == pb.Ban_BAN_UNSPECIFIED || inst.BanRevision != r.Revision || g.expired(r, inst) {
		return
	}
	for i := range r.views {
		switch {
		case i == at:
			r.views[i].banned = "another try there would end as the last one" + because(inst.LastError)
		case inst.Ban == pb.Ban_BAN_CLUSTER && r.views[i].banned == "":
			r.views[i].banned = "a try anywhere would end as the last one on " + g.nodes[at].Name + because(inst.LastError)
		}
	}
}

// expired reports whether the failures of an instance count no more.
func (g *graph) expired(r *resource, inst *pb.Instance) bool {
	if r.expiry == 0 || inst.LastFailure == nil {
		return false
	}
	ends := inst.LastFailure.AsTime().Add(r.expiry)
	if !ends.After(g.now) {
		return true
	}
	g.wake(ends)
	return false
}

// findCurrent finds where a resource is. Found on several nodes and owned by
// none, it is nowhere in particular.
func (g *graph) findCurrent(r *resource) {
	active := 0
	for i, n := range g.nodes {
		switch v := &r.views[i]; {
		case !n.reachable():
		case v.state == pb.InstanceState_INSTANCE_STATE_BLOCKED:
			r.blocked = i
		case v.active() || v.flies(pb.OperationKind_OPERATION_KIND_START):
			r.current = i
			active++
		}
	}
	if active > 1 {
		r.current = -1
	}
	if r.owner >= 0 && r.owns(r.owner) && g.nodes[r.owner].reachable() {
		r.current = r.owner
	}
	if r.blocked >= 0 {
		r.current = r.blocked
	}
	if r.current < 0 && active == 0 {
		r.home = g.findHome(r)
	}
}

// findHome finds the node that ran a resource last, so that one that is between
// its stop and its start is treated as if it still ran there. If that node is
// gone, there is none.
func (g *graph) findHome(r *resource) int {
	home, last := -1, time.Time{}
	for i := range g.nodes {
		v := &r.views[i]
		if since := v.Since.AsTime(); v.Revision != 0 && (home < 0 || since.After(last)) {
			home, last = i, since
		}
	}
	if home >= 0 && !g.nodes[home].reachable() {
		return -1
	}
	return home
}

// freeze leaves a resource alone that a person runs, or that runs on a node in
// maintenance.
func (g *graph) freeze(r *resource) {
	for i, n := range g.nodes {
		if v := &r.views[i]; v.ByHand && (!r.isRole() || v.Promoted) {
			r.unmanaged = "it is run by hand on " + n.Name
			r.current = i
			return
		}
		if why := g.whyHalted(r, i); why != "" && r.unmanaged == "" {
			r.unmanaged = why
			r.current = i
		}
		if r.unmanaged == "" && n.reachable() && n.Maintenance && (r.views[i].active() || i == r.current) {
			r.unmanaged = n.Name + " is in maintenance"
			r.current = i
		}
	}
}

// findMoves finds the moves that their nodes allow, and are ready for. What is bound
// to a moved resource comes along: neither a failback policy nor a stickiness of
// INFINITY holds it.
func (g *graph) findMoves() {
	for _, r := range g.resources {
		i := g.nodeNamed(r.Move.GetNode())
		if i >= 0 && r.own[i] > -infinity && !r.cutOff[i] && !g.defers(r, i) {
			r.moved, r.yields = i, true
		}
	}
	for again := true; again; {
		again = false
		for _, c := range g.colocations {
			if c.mandatory() && c.dependent.yields != c.primary.yields {
				c.dependent.yields, c.primary.yields = true, true
				again = true
			}
		}
	}
}
