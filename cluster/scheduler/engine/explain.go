package engine

import (
	"fmt"
	"slices"
	"strings"
)

// A note is one part of a resource's score, on one node or on several.
type note struct {
	node   *node // nil: every node
	others bool  // on all nodes but that one
	score  int32
	source string      // id of a constraint, or a name of sources
	via    *colocation // nil: it comes from no other resource
}

func (n *note) isAbout(at *node) bool {
	return n.node == nil || (n.node == at) != n.others
}

// sources says in a clause what a score comes from that is no constraint's.
var sources = map[string]string{
	"stickiness":         "it runs there",
	"target-role":        "it is to be stopped",
	"stop-failed":        "its stop failed there",
	"fail-count":         "it failed there as often as migration-threshold allows",
	"hard-error":         "its agent cannot run there",
	"fatal-error":        "its agent cannot run anywhere as it is configured",
	"probe-failure":      "what its agent needs is missing there",
	"on-fail":            "it failed there",
	"unmanaged":          "it is left alone there",
	"removed":            "it is not configured any more",
	"promotion-score":    "its agent can be promoted there",
	"clone-max":          "enough instances have a place",
	"clone-node-max":     "as many instances as may run there have their place there",
	"utilization":        "there is too little left of what it uses",
	"shutdown-lock":      "it waits for the node that was shut down",
	"resource-discovery": "it is not looked for there",
	"container":          "what contains it is elsewhere",
}

// note remembers why a node is liked or not; nil: every node.
func (r *resource) note(n *node, score int, source string) {
	if score != 0 && source != "" {
		r.notes = append(r.notes, note{node: n, score: int32(score), source: source})
	}
}

// noteVia remembers what a colocation changed, on a node or (others) on all but it.
func (r *resource) noteVia(n *node, others bool, score int, co *colocation) {
	r.notes = append(r.notes, note{node: n, others: others, score: int32(max(score, -infinity)), source: co.id, via: co})
}

// noteColocation remembers what a colocation changed for its dependent. With
// INFINITY the primary's node gains nothing; the others are lost.
func (c *cluster) noteColocation(dependent, primary *resource, co *colocation) {
	at, score := primary.assignedNode, co.score
	if score >= infinity {
		score = 0
	}
	switch {
	case at == nil:
		dependent.noteVia(nil, false, -co.score, co)
	case co.attribute == "#uname":
		dependent.noteVia(at, false, score, co)
		if co.score >= infinity {
			dependent.noteVia(at, true, -infinity, co)
		}
	default:
		c.noteAttribute(dependent, at, co)
	}
}

// noteAttribute remembers what a colocation changed where several nodes count as
// one.
func (c *cluster) noteAttribute(dependent *resource, at *node, co *colocation) {
	for _, n := range c.nodes {
		switch same := sameAttribute(n, at, co.attribute); {
		case same && co.score < infinity:
			dependent.noteVia(n, false, co.score, co)
		case same:
			dependent.noteVia(n, false, 0, co)
		case co.score >= infinity:
			dependent.noteVia(n, false, -infinity, co)
		}
	}
}

// noteMerge remembers what a dependent's wishes changed for its primary.
func (c *cluster) noteMerge(primary *resource, before table, co *colocation) {
	for i := range before {
		if w := primary.allowed[i]; w.present && w.score != before[i].score {
			primary.noteVia(c.nodes[i], false, w.score-before[i].score, co)
		}
	}
}

func (n *note) reason() Reason {
	return Reason{Score: int(n.score), Source: n.source, Text: sources[n.source]}
}

// alike reports whether the scores on two nodes have the same parts.
func (r *resource) alike(a, b *node) bool {
	return !slices.ContainsFunc(r.notes, func(n note) bool { return n.isAbout(a) != n.isAbout(b) })
}

// reasons lists the parts of a score on a node.
func (r *resource) reasons(n *node) []Reason {
	var list []Reason
	for i := range r.notes {
		note := &r.notes[i]
		if note.score == 0 || !note.isAbout(n) {
			continue
		}
		reason := note.reason()
		if note.score > -infinity || !slices.Contains(list, reason) {
			list = append(list, reason)
		}
	}
	return list
}

// deciding returns the first of the greatest parts of a score on a node; nil:
// there is none.
func (r *resource) deciding(n *node, weight func(score int32) int32) *note {
	var most *note
	for i := range r.notes {
		note := &r.notes[i]
		if note.isAbout(n) && weight(note.score) > 0 && (most == nil || weight(note.score) > weight(most.score)) {
			most = note
		}
	}
	return most
}

// why returns the sentence that says why a primitive is placed as it is.
func (c *cluster) why(r *resource) string {
	at := r.assignedNode
	switch {
	case r.blocked:
		return fmt.Sprintf("%s is blocked: a failure of it asks for a person", r.id)
	case !r.managed && at == nil:
		return fmt.Sprintf("%s is left as it is, stopped: it is not managed", r.id)
	case !r.managed:
		return fmt.Sprintf("%s is left alone on %s: it is not managed", r.id, at.Name)
	case at == nil:
		return c.whyNowhere(r)
	}
	text := fmt.Sprintf("%s %s %s: %s", r.id, r.verb(), at.Name, c.whyThere(r))
	if r.nextRole == rolePromoted {
		text += fmt.Sprintf("; it is promoted with a score of %s", scoreText(r.rank()))
	}
	return text
}

// rank returns the promotion score of an instance or of the one that it is in.
func (r *resource) rank() int {
	for p := r; p.parent != nil; p = p.parent {
		if p.parent.kind == Clone {
			return p.promotionPriority
		}
	}
	return r.promotionPriority
}

func (r *resource) verb() string {
	switch current := r.currentNode(); {
	case current == r.assignedNode:
		return "runs on"
	case current == nil:
		return "starts on"
	}
	return "moves to"
}

func (c *cluster) whyNowhere(r *resource) string {
	switch {
	case c.stopAll:
		return r.id + " is to be stopped: the property stop-all-resources is set"
	case r.targetRole(roleUnknown) == roleStopped:
		return r.id + " is to be stopped: target-role is Stopped"
	case r.removed && c.stopRemoved:
		return r.id + " is to be stopped: it is not configured any more"
	}
	for _, co := range r.colocatedWith() {
		if co.score >= infinity && len(co.primary.places(placeAssigned)) == 0 {
			return fmt.Sprintf("%s runs nowhere: %s, which it must run with, runs nowhere (INFINITY, %s)", r.id, co.primary.id, co.id)
		}
	}
	if len(c.nodes) == 0 {
		return r.id + " runs nowhere: the cluster has no nodes"
	}
	return fmt.Sprintf("%s runs nowhere: no node may run it (%s)", r.id, c.obstacles(r))
}

// obstacles says why the other nodes may not run a resource.
func (c *cluster) obstacles(r *resource) string {
	var list []string
	for _, n := range c.nodes {
		if n != r.assignedNode {
			list = append(list, c.obstacle(r, n))
		}
	}
	return strings.Join(list, "; ")
}

func (c *cluster) obstacle(r *resource, n *node) string {
	if bar := n.bar(); bar != "" {
		return n.Name + " " + bar
	}
	if !r.allowed[n.index].present {
		return n.Name + ": no location allows it there (symmetric-cluster is false)"
	}
	worst := r.deciding(n, func(score int32) int32 { return -score })
	switch {
	case worst == nil && r.parent != nil:
		return c.obstacle(r.parent, n)
	case worst == nil:
		return fmt.Sprintf("%s scores %s", n.Name, scoreText(r.allowed[n.index].score))
	}
	return n.Name + ": " + worst.reason().String()
}

// String says a part of a score: its score, where it comes from, and why.
func (r Reason) String() string {
	text := fmt.Sprintf("%s, %s", scoreText(r.Score), r.Source)
	if r.Text != "" {
		text = r.Text + " (" + text + ")"
	}
	return text
}

// bar says why a node may run nothing at all; empty: it may.
func (n *node) bar() string {
	switch {
	case n.unclean:
		return "is unclean"
	case !n.online:
		return "is offline"
	case n.pending:
		return "is about to join"
	case n.shutdown:
		return "is leaving"
	case n.failStandby:
		return "is in standby (on-fail=standby)"
	case n.standby:
		return "is in standby"
	case n.maintenance:
		return "is in maintenance"
	}
	return ""
}

// whyThere says what decided for the node that was chosen.
func (c *cluster) whyThere(r *resource) string {
	at := r.assignedNode
	for _, co := range r.colocatedWith() {
		if co.score >= infinity && isAt(co.primary, at) {
			return fmt.Sprintf("it is colocated with %s (INFINITY, %s)", co.primary.id, co.id)
		}
	}
	second := c.second(r)
	switch {
	case second == nil && len(c.nodes) == 1:
		return "it is the only node"
	case second == nil:
		return fmt.Sprintf("no other node may run it (%s)", c.obstacles(r))
	}
	mine, other := r.allowed[at.index].score, r.allowed[second.index].score
	switch {
	case mine > other:
		return fmt.Sprintf("%s; %s", weigh(r, at), weigh(r, second))
	case at == r.currentNode():
		return fmt.Sprintf("it runs there, and no node scores higher (%s scores %s too)", second.Name, scoreText(other))
	case c.placement == "default":
		return fmt.Sprintf("%s has the fewest resources of the nodes that score %s, or comes first of those", at.Name, scoreText(mine))
	}
	return fmt.Sprintf("%s comes first of the nodes that score %s (placement-strategy is %s)", at.Name, scoreText(mine), c.placement)
}

func isAt(r *resource, n *node) bool { return slices.Contains(r.places(placeAssigned), n) }

// second returns the best of the other nodes that may run a resource; nil: none.
func (c *cluster) second(r *resource) *node {
	var best *node
	for i, n := range c.nodes {
		if n == r.assignedNode || !r.allowed[i].present || !c.usable(r.allowed, n) {
			continue
		}
		if best == nil || r.allowed[i].score > r.allowed[best.index].score {
			best = n
		}
	}
	return best
}

// weigh says what a node scores, and the greatest part of that.
func weigh(r *resource, n *node) string {
	text := fmt.Sprintf("%s scores %s", n.Name, scoreText(r.allowed[n.index].score))
	most := r.deciding(n, func(score int32) int32 { return max(score, -score) })
	if most == nil {
		return text
	}
	return fmt.Sprintf("%s (%s)", text, most.reason())
}

// sentence says why an action is done, or cannot be.
func (c *cluster) sentence(a *action, placement string) string {
	switch {
	case a.cause != nil:
		return a.causeText() + c.orderID(a)
	case a.reason == "", a.reason == "node availability":
		return placement
	case a.reason == "no quorum":
		return fmt.Sprintf("the cluster has no quorum (no-quorum-policy is %s)", either(c.option("no-quorum-policy"), "stop"))
	case a.reason == "quorum freeze":
		return "the cluster has no quorum (no-quorum-policy is freeze)"
	}
	return a.reason
}

// causeText says what another action has to do with one.
func (a *action) causeText() string {
	cause := a.cause
	switch {
	case cause.r == nil && cause.task == taskFence:
		return fmt.Sprintf("%s must be fenced first", cause.node.Name)
	case cause.r == nil:
		return "too little of what must come before it can run"
	}
	what := map[task]string{
		taskStart: "start", taskStarted: "start", taskStop: "stop", taskStopped: "stop", taskPromote: "be promoted", taskPromoted: "be promoted",
		taskDemote: "be demoted", taskDemoted: "be demoted", taskMonitor: "be probed",
	}[cause.task]
	if what == "" {
		what = string(cause.task)
	}
	switch {
	case a.causeFlag != optional:
		return fmt.Sprintf("%s cannot %s", cause.r.id, what)
	case slices.ContainsFunc(a.before, func(r *relation) bool { return r.action == cause }):
		return fmt.Sprintf("%s must %s first", cause.r.id, what)
	}
	return fmt.Sprintf("%s must %s", cause.r.id, what)
}

// orderID names the order constraint that binds an action to its cause, if one
// does: between them or what they are part of.
func (c *cluster) orderID(a *action) string {
	if a.cause.r == nil || a.r == nil {
		return ""
	}
	for p := a.cause.r; p != nil; p = p.parent {
		for q := a.r; q != nil; q = q.parent {
			if id := c.orderIDs[[2]*resource{p, q}]; id != "" {
				return " (" + id + ")"
			}
			if p == q && p.kind == Group {
				return " (" + p.ID + ")"
			}
		}
	}
	return ""
}

// noteOrder remembers which constraint orders two resources, in either direction.
func (c *cluster) noteOrder(id string, first, then *resource) {
	for _, pair := range [][2]*resource{{first, then}, {then, first}} {
		if c.orderIDs[pair] == "" {
			c.orderIDs[pair] = id
		}
	}
}
