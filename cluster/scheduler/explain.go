package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// Explain says why a resource, or the first member of a group, is where it is;
// given the name of a node, why it is or is not there. Of a clone it says so of each
// instance. The deciding sentence comes first. It returns nothing about what does
// not exist.
func Explain(s *pb.State, now time.Time, resource, node string) ([]string, []*pb.NodeScore) {
	g := unpack(s, now)
	g.decide()
	g.plan()
	members := g.membersOf(s, resource)
	if len(members) == 0 {
		return nil, nil
	}
	r := members[0]
	if r.clone != nil {
		return g.explainInstances(members, node), g.nodeScores(r)
	}
	sentences := []string{g.reason(r)}
	for _, i := range g.ranking(r) {
		switch {
		case i == r.placed:
		case g.nodes[i].Name == node:
			sentences = slices.Insert(sentences, 0, g.whyNot(r, i))
		case node == "" && r.placed >= 0 && !r.frozen():
			sentences = append(sentences, g.whyNot(r, i))
		}
	}
	if node == "" {
		for _, m := range members[1:] {
			sentences = append(sentences, g.reason(m))
		}
	}
	sentences = append(sentences, g.failuresOf(r, node)...)
	return distinct(append(sentences, g.problems.blocking(r.Id)...)), g.nodeScores(r)
}

// failuresOf tells of the failures that have not cost a resource the node yet: on
// the named one, or on all.
func (g *graph) failuresOf(r *resource, node string) []string {
	var list []string
	for i, n := range g.nodes {
		v := &r.views[i]
		if v.fails == 0 || r.givenUp(i) || node != "" && n.Name != node {
			continue
		}
		text := fmt.Sprintf("%s failed on %s %s", r.Id, n.Name, times(v.fails))
		if v.LastFailure != nil {
			text += ", last at " + g.clock(v.LastFailure.AsTime())
		}
		list = append(list, text+because(v.LastError))
	}
	return list
}

// distinct leaves out what was said before.
func distinct(sentences []string) []string {
	var list []string
	for _, s := range sentences {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// ranking returns the nodes by score, the best first.
func (g *graph) ranking(r *resource) []int {
	list := make([]int, len(g.nodes))
	for i := range list {
		list[i] = i
	}
	slices.SortStableFunc(list, func(a, b int) int { return r.score(b) - r.score(a) })
	return list
}

func (g *graph) placements() []Placement {
	list := make([]Placement, 0, len(g.resources))
	for _, r := range g.resources {
		if r.isRole() {
			continue
		}
		list = append(list, Placement{
			Resource: r.Id, Instance: g.id(r.seat), Node: g.id(r.placed), Current: g.id(r.current),
			Promoted: r.promotion != nil && r.promotion.placed == r.seat,
			Blocked:  g.whyBlocked(r), g: g, r: r,
		})
	}
	return list
}

// whyBlocked returns why a resource cannot run, be stopped or, if it is to be and is not
// yet, be promoted.
func (g *graph) whyBlocked(r *resource) []string {
	list := g.problems.blocking(r.Id)
	if p := r.promotion; p != nil && p.placed == r.seat && p.current != r.seat {
		list = append(list, g.problems.blocking(p.Id)...)
	}
	return list
}

func (g *graph) id(i int) string {
	if i < 0 {
		return ""
	}
	return g.nodes[i].Id
}

func (g *graph) nodeScores(r *resource) []*pb.NodeScore {
	var list []*pb.NodeScore
	for i, n := range g.nodes {
		s := g.instanceFor(r, i)
		list = append(list, &pb.NodeScore{Node: n.Name, Score: int64(s.score(i)), Reasons: g.reasons(s, i)})
	}
	return list
}

// instanceFor returns the resource whose score on a node counts: of a clone, the
// instance for that node.
func (g *graph) instanceFor(r *resource, i int) *resource {
	if s := g.on(r.Id, i); s != nil {
		return s
	}
	return r
}

// reason returns the sentence that says why a resource is placed as it is.
func (g *graph) reason(r *resource) string {
	switch {
	case r.isRole():
		return g.promotionReason(r)
	case r.frozen() && r.current < 0:
		return fmt.Sprintf("%s is left as it is, stopped: %s", r.Id, r.unmanaged)
	case r.blocked >= 0:
		return fmt.Sprintf("%s is blocked on %s: its stop failed there", r.Id, g.nodes[r.blocked].Name)
	case r.unmanaged != "":
		return fmt.Sprintf("%s is left alone on %s: %s", r.Id, g.nodes[r.current].Name, r.unmanaged)
	case r.placed < 0:
		return g.whyNowhere(r)
	}
	if r.clone != nil {
		return fmt.Sprintf("%s %s %s: %s", r.Id, moving(r), g.nodes[r.placed].Name, g.whySeated(r))
	}
	return fmt.Sprintf("%s %s %s: %s%s", r.Id, moving(r), g.nodes[r.placed].Name, g.whyLeft(r), g.whyThere(r))
}

// whyLeft says why a resource may not stay where it is, if that is what moves
// it and why it goes where it goes does not say so.
func (g *graph) whyLeft(r *resource) string {
	at := r.current
	if at < 0 || r.placed == at || r.placed == r.moved || g.second(r) < 0 || slices.ContainsFunc(r.with, (*colocation).mandatory) {
		return ""
	}
	switch bar := g.nodes[at].bar; {
	case bar != nil:
		return bar.Text + ", and "
	case r.score(at) < 0:
		return fmt.Sprintf("it may not run on %s (%s), and ", g.nodes[at].Name, g.obstacle(r, at))
	}
	return ""
}

// moving is the verb before the node's name.
func moving(r *resource) string {
	switch {
	case r.current == r.placed:
		return "runs on"
	case r.current < 0:
		return "starts on"
	}
	return "moves to"
}

// whyNowhere returns the sentence that says why a resource is to run nowhere.
func (g *graph) whyNowhere(r *resource) string {
	switch {
	case r.unwanted != "":
		return fmt.Sprintf("%s is to be stopped: %s", r.Id, r.unwanted)
	case r.clone != nil && r.elsewhere():
		return g.whyUnseated(r)
	case r.waitsFor != nil:
		return fmt.Sprintf("%s runs nowhere: %s, which must start before it, runs nowhere (%s)", r.Id, r.waitsFor.name(), r.waitsFor.id)
	case r.forbidden != nil:
		return fmt.Sprintf("%s runs nowhere: %s, which it must run with, runs nowhere (%s)", r.Id, r.forbidden.primary.Id, r.forbidden.id)
	}
	for _, c := range r.with {
		if c.mandatory() && c.primary.placed < 0 {
			return fmt.Sprintf("%s runs nowhere: %s, which it must run with, runs nowhere (%s)", r.Id, c.primary.Id, c.id)
		}
	}
	causes := g.obstacles(r)
	if causes == "" {
		return r.Id + " runs nowhere: the cluster has no nodes"
	}
	return fmt.Sprintf("%s runs nowhere: no node may run it (%s)", r.Id, causes)
}

// obstacles says why the nodes on which a resource is not may not run it.
func (g *graph) obstacles(r *resource) string {
	var list []string
	for i, n := range g.nodes {
		switch {
		case i == r.placed:
		case n.bar != nil:
			list = append(list, n.bar.Text)
		default:
			list = append(list, n.Name+": "+g.obstacle(r, i))
		}
	}
	return strings.Join(list, "; ")
}

// obstacle says why a node may not run a resource.
func (g *graph) obstacle(r *resource, i int) string {
	if bar := g.nodes[i].bar; bar != nil {
		return bar.Text
	}
	worst := worst(g.reasons(r, i))
	return fmt.Sprintf("%s (%s, %s)", worst.Text, scoreText(worst.Score), worst.Source)
}

// whyThere says what decided for the node that was chosen.
func (g *graph) whyThere(r *resource) string {
	at := r.placed
	if r.moved == at {
		return g.moveText(r)
	}
	if r.held != nil && at == r.stay() {
		return g.whyHeld(r)
	}
	for _, c := range r.with {
		if c.mandatory() && c.primary.placed == at {
			return fmt.Sprintf("it is colocated with %s (INFINITY, %s)", c.primary.Id, c.id)
		}
	}
	second := g.second(r)
	if second < 0 {
		return g.whyOnly(r)
	}
	if r.score(at) > r.score(second) {
		return fmt.Sprintf("%s; %s", g.weigh(r, at), g.weigh(r, second))
	}
	return g.whyTie(r, second)
}

// second returns the best of the other nodes that may run a resource; -1: none.
func (g *graph) second(r *resource) int {
	for _, i := range g.ranking(r) {
		if i != r.placed && r.score(i) >= 0 && g.nodes[i].bar == nil {
			return i
		}
	}
	return -1
}

func (g *graph) whyHeld(r *resource) string {
	if r.held.unready {
		return g.whyAwaited(r)
	}
	text := r.failback.String()
	better := g.nodes[r.held.better].Name
	if r.held.until.IsZero() {
		return fmt.Sprintf("%s keeps it from %s", text, better)
	}
	return fmt.Sprintf("%s keeps it from %s until %s", text, better, g.clock(r.held.until))
}

func (g *graph) whyOnly(r *resource) string {
	causes := g.obstacles(r)
	if causes == "" {
		return "it is the only node"
	}
	return fmt.Sprintf("no other node may run it (%s)", causes)
}

func (g *graph) whyTie(r *resource, second int) string {
	other := g.nodes[second].Name
	switch {
	case r.placed == r.current:
		return fmt.Sprintf("it runs on %s, and no node scores higher (%s scores %s too)", g.nodes[r.placed].Name, other, scoreText(r.score(second)))
	case r.placed == r.home:
		return fmt.Sprintf("it ran on %s last, and no node scores higher (%s scores %s too)", g.nodes[r.placed].Name, other, scoreText(r.score(second)))
	case r.as.Tie == engine.TieCompany:
		return fmt.Sprintf("what must run with it is on %s, and no node scores higher (%s scores %s too)", g.nodes[r.placed].Name, other, scoreText(r.score(second)))
	case r.as.Tie == engine.TieLoad:
		return fmt.Sprintf("%s runs the fewest resources of the nodes that score %s", g.nodes[r.placed].Name, scoreText(r.score(second)))
	}
	return fmt.Sprintf("%s comes first of the nodes that score %s", g.nodes[r.placed].Name, scoreText(r.score(second)))
}

// weigh says what a node scores, and what that is made of.
func (g *graph) weigh(r *resource, i int) string {
	text := fmt.Sprintf("%s scores %s", g.nodes[i].Name, scoreText(r.score(i)))
	if parts := parts(g.reasons(r, i)); parts != "" {
		return fmt.Sprintf("%s (%s)", text, parts)
	}
	return text
}

// told is how many parts of a score a sentence has.
const told = 4

// parts lists what a score is made of, the greatest first: "+50 by web-home".
func parts(reasons []*pb.Reason) string {
	list := slices.DeleteFunc(slices.Clone(reasons), func(r *pb.Reason) bool { return r.Score == 0 })
	slices.SortStableFunc(list, func(a, b *pb.Reason) int { return cmp.Compare(abs(b.Score), abs(a.Score)) })
	var texts []string
	for _, r := range list[:min(told, len(list))] {
		texts = append(texts, signed(r.Score)+" by "+r.Source)
	}
	if len(list) > told {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}

func signed(score int64) string {
	if score > 0 {
		return "+" + scoreText(score)
	}
	return scoreText(score)
}

// worst is the reason that speaks most against a node.
func worst(reasons []*pb.Reason) *pb.Reason {
	worst := &pb.Reason{}
	for _, reason := range reasons {
		if reason.Score < worst.Score {
			worst = reason
		}
	}
	return worst
}

func abs(n int64) int64 { return max(n, -n) }

// whyNot says why a resource is not on a node, and what speaks for the node.
func (g *graph) whyNot(r *resource, i int) string {
	n := g.nodes[i]
	var wishes []string
	for _, reason := range g.reasons(r, i) {
		if reason.Score > 0 {
			wishes = append(wishes, signed(reason.Score)+" by "+reason.Source)
		}
	}
	cause, possible := g.cause(r, i)
	switch {
	case len(wishes) > 0:
		return fmt.Sprintf("%s would score %s, but %s", n.Name, strings.Join(wishes, ", "), cause)
	case possible && (r.frozen() || r.placed < 0):
		return cause
	case possible:
		return fmt.Sprintf("%s does not run on %s: %s", r.Id, n.Name, cause)
	}
	return fmt.Sprintf("%s cannot run on %s: %s", r.Id, n.Name, cause)
}

// cause says what outweighs a node, and whether the node could run the resource.
func (g *graph) cause(r *resource, i int) (text string, possible bool) {
	switch {
	case g.nodes[i].bar != nil:
		return g.obstacle(r, i), false
	case r.score(i) < 0:
		return g.obstacle(r, i) + g.whyPrimaryElsewhere(r, i), false
	case r.frozen(), r.placed < 0:
		return g.reason(r), true
	case r.held != nil && r.placed == r.stay():
		return g.whyHeld(r), true
	case r.score(i) == r.score(r.placed):
		return g.whyTie(r, i), true
	}
	return g.weigh(r, r.placed) + g.policyToo(r, i), true
}

// whyPrimaryElsewhere says why what a resource must run with is not on a node,
// if that is what speaks against the node.
func (g *graph) whyPrimaryElsewhere(r *resource, i int) string {
	source := worst(g.reasons(r, i)).Source
	for _, c := range r.with {
		if c.id != source || !c.mandatory() || c.primary.placed < 0 || c.primary.placed == i {
			continue
		}
		text, possible := g.cause(c.primary, i)
		if !possible {
			return fmt.Sprintf(", because %s may not run there: %s", c.primary.Id, text)
		}
		return ", because " + text
	}
	return ""
}

// policyToo tells of a failback policy that would keep a resource from a node
// which it has some wish for, if its scores did not.
func (g *graph) policyToo(r *resource, i int) string {
	_, holds := r.failback.Holds(g.now, g.nodes[i].AdmittedAt.AsTime())
	if !holds || r.placed != r.stay() || r.score(i) <= 0 {
		return ""
	}
	return ", and failback is " + strings.TrimPrefix(r.failback.String(), "failback ")
}
