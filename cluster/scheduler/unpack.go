package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A graph is a state made ready for scheduling: names resolved, groups taken
// apart into constraints, defaults filled in, lists in a fixed order.
type graph struct {
	now       time.Time
	next      time.Time // see Plan.Next
	symmetric bool

	nodes       []*node       // by name
	resources   []*resource   // by id
	colocations []*colocation // groups' first, then mandatory ones, then by id
	orders      []*order      // groups' first, then by id; they form no circle
	defaults    map[string]string

	problems problems
}

type node struct {
	*pb.Node
	bar  *pb.Reason // why it may host nothing; nil: it may
	load int        // resources placed on it so far
}

// reachable reports whether what runs on the node matters to S4: the node may
// hold a lease, and hosts resources.
func (n *node) reachable() bool {
	return n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Epoch > 0 && n.Role != pb.Role_ROLE_WITNESS
}

type resource struct {
	*pb.Resource
	settings
	group *pb.Group // nil: in none

	views      []view         // by node
	owner      int            // node of the assignment; -1: none, or no member
	assignment *pb.Assignment // nil: none
	current    int            // node that runs or owns it; -1: none
	home       int            // node that ran it last, if none does now; else -1
	blocked    int            // node where its stop failed; -1: none
	moved      int            // node of an operator's move that is in force; -1: none
	yields     bool           // it is bound to a resource with such a move

	locations  []location
	with       []*colocation // in which it is the dependent; they form no circle
	dependents []*colocation // in which it is the primary
	after      []*order      // in which it comes second

	held      *hold
	settled   bool
	wishes    []tally     // by node: scores before other resources are looked at
	scores    []tally     // by node
	placed    int         // node it belongs on; -1: nowhere
	waitsFor  *order      // the one that lets it run nowhere
	forbidden *colocation // likewise
	lightest  bool        // its node was chosen for the few resources there
}

// stay returns the node that stickiness and failback speak for.
func (r *resource) stay() int {
	if r.current >= 0 {
		return r.current
	}
	return r.home
}

// frozen reports whether nothing is to be started or stopped.
func (r *resource) frozen() bool { return r.unmanaged != "" || r.blocked >= 0 }

// A view is what is known of a resource on one node.
type view struct {
	*pb.Instance // empty if nothing was ever learned
	// state was learned in the node's present epoch, otherwise it is UNKNOWN.
	state  pb.InstanceState
	flying *pb.Operation // under way there; nil: none
	fails  int64         // without those that have expired
}

func (v *view) active() bool {
	return v.state == pb.InstanceState_INSTANCE_STATE_RUNNING || v.state == pb.InstanceState_INSTANCE_STATE_FAILED
}

func (v *view) unknown() bool { return v.state == pb.InstanceState_INSTANCE_STATE_UNKNOWN }

// flies reports whether an operation of a kind is under way.
func (v *view) flies(k pb.OperationKind) bool { return v.flying != nil && v.flying.Kind == k }

type location struct {
	node         string // name
	score        int64
	source, text string
}

// A colocation binds two resources; groups are taken apart.
type colocation struct {
	id                 string
	dependent, primary *resource
	score              int64
}

// mandatory reports whether the dependent may run only beside the primary.
func (c *colocation) mandatory() bool { return c.score >= infinity }

// An order lets one resource start after another; groups are taken apart.
type order struct {
	id           string
	first, then  *resource
	kind         pb.OrderKind
	asymmetrical bool
}

func (o *order) mandatory() bool { return o.kind == pb.OrderKind_ORDER_KIND_MANDATORY }

func unpack(s *pb.State, now time.Time) *graph {
	g := &graph{now: now, symmetric: parseBool(s.Properties["symmetric-cluster"], true), defaults: s.OperationDefaults}
	g.unpackNodes(s)
	g.unpackResources(s)
	g.unpackInstances(s)
	g.unpackGroups(s)
	g.unpackConstraints(s)
	for _, r := range g.resources {
		g.findCurrent(r)
		g.freeze(r)
	}
	g.findMoves()
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
		g.resources = append(g.resources, &resource{
			Resource: r, group: groups[r.Id], settings: readSettings(s, r, groups[r.Id]),
			views: make([]view, len(g.nodes)), owner: -1, current: -1, home: -1, blocked: -1, moved: -1, placed: -1,
		})
	}
	slices.SortFunc(g.resources, func(a, b *resource) int { return strings.Compare(a.Id, b.Id) })
	for _, r := range g.resources {
		for i := range r.views {
			r.views[i].Instance = &pb.Instance{}
		}
	}
}

func (g *graph) unpackInstances(s *pb.State) {
	for _, inst := range s.Instances {
		r, i := g.resource(inst.Resource), g.node(inst.Node)
		if r == nil || i < 0 {
			continue
		}
		v := &r.views[i]
		v.Instance = inst
		if n := g.nodes[i]; n.reachable() && inst.Epoch >= n.Epoch {
			v.state = inst.State
		}
		v.fails = g.failsOf(r, inst)
	}
	for _, op := range s.Operations {
		r, i := g.resource(op.Resource), g.node(op.Node)
		// An order under an older epoch is refused by the node (rule 21).
		if r != nil && i >= 0 && g.nodes[i].reachable() && op.Epoch >= g.nodes[i].Epoch {
			r.views[i].flying = op
		}
	}
	for _, a := range s.Assignments {
		if r := g.resource(a.Resource); r != nil {
			r.assignment, r.owner = a, g.node(a.Node)
		}
	}
}

// failsOf counts the failures that have not expired.
func (g *graph) failsOf(r *resource, inst *pb.Instance) int64 {
	if inst.FailCount == 0 || r.expiry == 0 || inst.LastFailure == nil {
		return int64(inst.FailCount)
	}
	ends := inst.LastFailure.AsTime().Add(r.expiry)
	if !ends.After(g.now) {
		return 0
	}
	g.wake(ends)
	return int64(inst.FailCount)
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

// freeze leaves a resource alone that runs on a node in maintenance.
func (g *graph) freeze(r *resource) {
	for i, n := range g.nodes {
		if r.unmanaged == "" && n.reachable() && n.Maintenance && (r.views[i].active() || i == r.current) {
			r.unmanaged = n.Name + " is in maintenance"
			r.current = i
		}
	}
}

// findMoves finds the moves that their nodes allow. What is bound to a moved
// resource comes along: neither a failback policy nor a stickiness of INFINITY
// holds it.
func (g *graph) findMoves() {
	for _, r := range g.resources {
		i := g.nodeNamed(r.Move.GetNode())
		if i >= 0 && g.own(r)[i].score > -infinity {
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

func (g *graph) resource(id string) *resource {
	i, ok := slices.BinarySearchFunc(g.resources, id, func(r *resource, id string) int { return strings.Compare(r.Id, id) })
	if !ok {
		return nil
	}
	return g.resources[i]
}

func (g *graph) node(id string) int {
	return slices.IndexFunc(g.nodes, func(n *node) bool { return n.Id == id })
}

func (g *graph) nodeNamed(name string) int {
	return slices.IndexFunc(g.nodes, func(n *node) bool { return n.Name == name })
}

// nodeName names a node that may have left the cluster.
func (g *graph) nodeName(id string) string {
	if i := g.node(id); i >= 0 {
		return g.nodes[i].Name
	}
	return fmt.Sprintf("node %s", id)
}

// wake notes that the plan may differ at a time.
func (g *graph) wake(at time.Time) {
	if at.After(g.now) && (g.next.IsZero() || at.Before(g.next)) {
		g.next = at
	}
}

// clock prints a time for people.
func (g *graph) clock(t time.Time) string { return t.In(g.now.Location()).Format(time.DateTime) }
