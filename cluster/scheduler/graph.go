package scheduler

import (
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
	critical  bool   // whether resources are, unless they say otherwise
	strategy  string // placement-strategy

	nodes       []*node          // by name
	resources   []*resource      // by id; of a cloned one an instance for each node, by node
	clones      []*clone         // by id
	locations   []*pb.Constraint // by id
	colocations []*colocation    // groups' first, then mandatory ones, then by id
	orders      []*order         // groups' first, then by id; they form no circle
	stopOrders  []*stopOrder     // by id; nor do they
	defaults    map[string]string
	fencings    []*pb.Fencing // by id

	problems problems
}

type node struct {
	*pb.Node
	bar *pb.Reason // why it may host nothing; nil: it may
}

// reachable reports whether what runs on the node matters to S4: the node may
// hold a lease, and hosts resources.
func (n *node) reachable() bool {
	return n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Epoch > 0 && n.Role != pb.Role_ROLE_WITNESS
}

// A resource is what one node at a time runs: an instance, if it is cloned.
type resource struct {
	*pb.Resource
	settings
	group *pb.Group // nil: in none

	clone     *clone    // nil: in none
	seat      int       // the node that an instance is about; of the others its views say that it is stopped; -1: it is in no clone
	promotion *resource // of a promotable clone: stands for the instance's being promoted
	base      *resource // of such a one: the instance; nil: it is none

	siblings []*resource // the instances of it, by node, this one among them; nil: it is in no clone

	views      []view         // by node
	owner      int            // node of the assignment; -1: none, or no member
	assignment *pb.Assignment // nil: none
	current    int            // node that runs or owns it; -1: none
	home       int            // node that ran it last, if none does now; else -1
	blocked    int            // node where its stop failed; -1: none
	endedBy    int            // node where it failed, so that it starts nowhere any more; -1: none
	moved      int            // node of an operator's move that is in force; -1: none
	yields     bool           // it is bound to a resource with such a move

	with       []*colocation // in which it is the dependent; they form no circle
	dependents []*colocation // in which it is the primary
	after      []*order      // in which it comes second

	own    []int  // by node: what it is worth by what concerns the resource alone
	cutOff []bool // by node: it reaches no ping target, and another does
	held   *hold
	verdict
	then *verdict // where it is thought to run while the end of a plan is foreseen; nil: where it does
}

// stay returns the node that stickiness and failback speak for.
func (r *resource) stay() int {
	if r.current >= 0 {
		return r.current
	}
	return r.home
}

// bides returns the node where a resource counts as running. What stops still
// counts as at home where it ran, but for an instance of a clone, in whose place
// another runs.
func (r *resource) bides() int {
	if r.then != nil && (r.then.placed >= 0 || r.clone != nil) {
		return r.then.placed
	}
	return r.stay()
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
	banned string        // why another try there would be in vain; empty: it might not
}

func (v *view) active() bool {
	return v.state == pb.InstanceState_INSTANCE_STATE_RUNNING || v.state == pb.InstanceState_INSTANCE_STATE_FAILED
}

func (v *view) unknown() bool { return v.state == pb.InstanceState_INSTANCE_STATE_UNKNOWN }

// flies reports whether an operation of a kind is under way.
func (v *view) flies(k pb.OperationKind) bool { return v.flying != nil && v.flying.Kind == k }

// A colocation binds two resources; groups are taken apart.
type colocation struct {
	id                 string
	dependent, primary *resource
	score              int64
	said               *pb.Colocation // the constraint; nil: it follows from a group
	again              bool           // another instance of a clone has said it to the engine
}

// mandatory reports whether the dependent may run only beside the primary.
func (c *colocation) mandatory() bool { return c.score >= infinity }

// concerns reports whether the primary counts for a dependent on a node: of a
// clone the instance there alone.
func (c *colocation) concerns(i int) bool { return c.primary.clone == nil || c.primary.seat == i }

// An order lets one resource start after another; groups are taken apart.
type order struct {
	id           string
	firsts       []*resource // the instances of what comes first, by node; one, if it is no clone; or those of which one is enough
	then         *resource
	beside       bool // of a clone, the instance on the node of then counts alone
	any          bool // the start of one of firsts is enough
	kind         pb.OrderKind
	asymmetrical bool
}

func (o *order) mandatory() bool { return o.kind == pb.OrderKind_ORDER_KIND_MANDATORY }

// binds reports whether one of firsts counts for the second of the order on a node.
func (o *order) binds(first *resource, node int) bool { return !o.beside || first.seat == node }

// before returns those of firsts that count for the second of the order on a node.
func (o *order) before(node int) []*resource {
	return slices.DeleteFunc(slices.Clone(o.firsts), func(r *resource) bool { return !o.binds(r, node) })
}

// name is what sentences call that which comes first.
func (o *order) name() string {
	var names []string
	for _, r := range o.firsts {
		if !slices.Contains(names, r.Id) {
			names = append(names, r.Id)
		}
	}
	return strings.Join(names, " or ")
}

// resource returns a resource; of a cloned one its first instance.
func (g *graph) resource(id string) *resource {
	i, ok := slices.BinarySearchFunc(g.resources, id, func(r *resource, id string) int { return strings.Compare(r.Id, id) })
	if !ok {
		return nil
	}
	return g.resources[i]
}

// on returns a resource; of a cloned one its instance on a node. Nil: it has none
// there.
func (g *graph) on(id string, node int) *resource {
	r := g.resource(id)
	if r == nil || r.clone == nil {
		return r
	}
	for _, s := range r.siblings {
		if s.seat == node {
			return s
		}
	}
	return nil
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
