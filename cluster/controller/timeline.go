package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A timeline puts together, from what the leader sees, how a resource came to
// run where it runs: one event per failover, move or recovery, with the time of
// each phase (S6). Times are the leader's own and monotonic.
type timeline struct {
	mu       sync.Mutex
	led      time.Time            // when this node's newest term began
	verdicts map[string]*verdict  // by node id: how it was found gone
	passages map[subject]*passage // under way
	told     tales
	seen     *pb.State // the last state looked at
}

// A subject is what one node at a time owns: a resource, or if it is cloned the
// instance of it on a node, which goes nowhere else.
type subject struct{ resource, node string } // node: id; empty: it is not cloned

// owner returns who owns a subject.
func (s subject) owner(st *pb.State) *pb.Assignment {
	if s.node == "" {
		return state.AssignmentOf(st, s.resource)
	}
	return state.AssignmentAt(st, s.resource, s.node)
}

// subjects returns a resource, or all instances of it.
func subjects(st *pb.State, resource string) []subject {
	if state.CloneOf(st, resource) == nil {
		return []subject{{resource: resource}}
	}
	var list []subject
	for _, n := range st.Nodes {
		list = append(list, subject{resource, n.Id})
	}
	return list
}

// Tales are the assignments that the events of this term tell of.
type tales map[subject]uint64

// A verdict is how a node was found gone.
type verdict struct {
	epoch  uint64
	began  time.Time // when it was last heard
	phases []*pb.Phase
}

// A passage is one resource on its way.
type passage struct {
	from   string // node id
	kind   string // failover, move or recovery
	cause  string
	began  time.Time
	phases []*pb.Phase
}

func newTimeline() *timeline {
	return &timeline{verdicts: make(map[string]*verdict), passages: make(map[subject]*passage), told: make(tales)}
}

func (p *passage) reach(name string, now time.Time) {
	p.phases = append(p.phases, phase(name, now.Sub(p.began)))
}

func phase(name string, at time.Duration) *pb.Phase {
	return &pb.Phase{Name: name, At: durationpb.New(at)}
}

// elected notes that a term of this node begins.
func (t *timeline) elected(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.led = now
	t.seen = nil
	clear(t.passages)
	clear(t.told)
}

// Silent tells that the leader found a node silent: when it last heard the
// node, and when it saw that this was too long ago.
func (c *Controller) Silent(node string, epoch uint64, heard, noticed time.Time) {
	t := c.timeline
	t.mu.Lock()
	defer t.mu.Unlock()
	v := &verdict{epoch: epoch, began: heard, phases: []*pb.Phase{}}
	if t.led.After(heard) {
		v.phases = append(v.phases, phase("elected", t.led.Sub(heard)))
	}
	v.phases = append(v.phases, phase("silence", noticed.Sub(heard)))
	t.verdicts[node] = v
}

// Testified tells that a majority of the voters has testified.
func (c *Controller) Testified(node string, epoch uint64, at time.Time) {
	t := c.timeline
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.verdicts[node]; v != nil && v.epoch == epoch {
		v.phases = append(v.phases, phase("testimony", at.Sub(v.began)))
	}
}

// tell commits an event for every passage that the state shows to have ended.
func (t *term) tell(ctx context.Context, st *pb.State) {
	events := t.timeline.observe(st, time.Now())
	if len(events) == 0 {
		return
	}
	t.group.Go(func() error {
		_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: events}}})
		var refused *state.Refusal
		if err != nil && ctx.Err() == nil && !errors.As(err, &refused) {
			return fmt.Errorf("record events: %w", err)
		}
		return nil
	})
}

// observe compares the state with the last one looked at.
func (t *timeline) observe(st *pb.State, now time.Time) []*pb.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.seen
	t.seen = st
	var events []*pb.Event
	for _, r := range st.Resources {
		for _, s := range subjects(st, r.Id) {
			if e := t.follow(before, st, s, now); e != nil {
				events = append(events, e)
			}
		}
	}
	return events
}

// follow looks at one subject. Before is nil for the first state of a term.
func (t *timeline) follow(before, st *pb.State, s subject, now time.Time) *pb.Event {
	is := s.owner(st)
	if before != nil {
		was := s.owner(before)
		t.left(st, s, was, is, now)
		if e := t.arrived(before, st, s, was, is, now); e != nil {
			return t.told.by(e, s, is)
		}
		if e := ended(before, st, s, was, is); e != nil {
			return e
		}
	}
	if is == nil || is.Revoking || !runs(st, is) || t.told[s] == is.Number {
		return nil
	}
	return t.told.by(untold(before, st, s, is), s, is)
}

// by notes that an event, if there is one, tells of an assignment.
func (t tales) by(e *pb.Event, s subject, is *pb.Assignment) *pb.Event {
	t[s] = is.Number
	if e != nil {
		e.Assignment = is.Number
	}
	return e
}

// untold returns the event of a start that no passage tells of: the first one of a
// subject, or one whose beginning only an earlier leader saw; nil: it was told.
func untold(before, st *pb.State, s subject, is *pb.Assignment) *pb.Event {
	if slices.ContainsFunc(st.Events, func(e *pb.Event) bool { return e.Resource == is.Resource && e.Assignment == is.Number }) {
		return nil
	}
	last := lastTold(st, s)
	cause := "the leader before this one did not come to tell why"
	for _, op := range before.GetOperations() {
		if op.Resource == is.Resource && op.Node == is.Node && op.Kind == pb.OperationKind_OPERATION_KIND_START && op.Reason != "" {
			cause = op.Reason
		}
	}
	to := nodeName(st, is.Node)
	e := &pb.Event{Resource: is.Resource, Node: to, Severity: pb.Severity_SEVERITY_INFO}
	switch from := cmp.Or(last.GetNode(), elsewhere(st, s, is)); from {
	case "":
		e.Kind, e.Text = "start", fmt.Sprintf("%s was started on %s: %s", is.Resource, to, cause)
	case to:
		e.Kind, e.Text = "recovery", fmt.Sprintf("%s was started on %s again: %s", is.Resource, to, cause)
	default:
		e.Kind, e.Text = "move", fmt.Sprintf("%s moved from %s to %s: %s", is.Resource, from, to, cause)
	}
	return e
}

// lastTold is the newest event that tells how a node came to have a subject.
func lastTold(st *pb.State, s subject) *pb.Event {
	for _, e := range slices.Backward(st.Events) {
		if e.Resource == s.resource && e.Assignment != 0 && (s.node == "" || e.Node == nodeName(st, s.node)) {
			return e
		}
	}
	return nil
}

// elsewhere is the name of a node on which a subject ran before its present one.
func elsewhere(st *pb.State, s subject, is *pb.Assignment) string {
	if s.node != "" {
		return ""
	}
	for _, i := range st.Instances {
		if i.Resource == is.Resource && i.Node != is.Node && i.Revision != 0 {
			return nodeName(st, i.Node)
		}
	}
	return ""
}

// ended returns the event of an instance that was stopped for good: what is not
// cloned goes somewhere else, or was told to stop.
func ended(before, st *pb.State, s subject, was, is *pb.Assignment) *pb.Event {
	if s.node == "" || was == nil || !was.Revoking || is != nil {
		return nil
	}
	cause, node := stopReason(before, was), state.NodeByID(st, was.Node)
	if !s.leaves(cause) || node.GetEpoch() != was.Epoch || node.GetAdmission() != pb.Admission_ADMISSION_ADMITTED {
		return nil
	}
	return &pb.Event{
		Kind: "stop", Resource: s.resource, Node: node.Name, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("%s was stopped on %s: %s", s.resource, node.Name, cause),
	}
}

// leaves reports whether an instance is stopped because it does not belong on its
// node any more: then the cause is a sentence about it, and else what is wrong there.
func (s subject) leaves(cause string) bool {
	return s.node != "" && strings.HasPrefix(cause, s.resource+" ")
}

// left follows a subject's way off its node. An instance whose node is gone is on
// no way, nor is one that does not belong there any more: it starts when that is over.
func (t *timeline) left(st *pb.State, s subject, was, is *pb.Assignment, now time.Time) {
	if is != nil && is.Revoking && (was == nil || was.Number != is.Number || !was.Revoking) {
		t.passages[s] = &passage{from: is.Node, kind: "move", cause: stopReason(st, is), began: now}
		if s.leaves(t.passages[s].cause) {
			delete(t.passages, s)
		}
		return
	}
	if was == nil || (is != nil && is.Number == was.Number && is.Orphaned == was.Orphaned) {
		return
	}
	node := state.NodeByID(st, was.Node)
	gone := node != nil && node.Admission == pb.Admission_ADMISSION_GONE && node.Epoch == was.Epoch
	switch p := t.passages[s]; {
	case gone && s.node != "":
		delete(t.passages, s)
	case gone:
		t.passages[s] = t.lost(node, now)
	case p != nil && is == nil:
		p.reach("stopped", now)
	case p == nil && node != nil && node.Epoch > was.Epoch: // it did not wait to be found gone
		cause := fmt.Sprintf("%s began anew, with epoch %d", node.Name, node.Epoch)
		t.passages[s] = &passage{from: node.Id, kind: "failover", cause: cause, began: now}
	}
}

// lost begins the passage of a resource whose node is gone.
func (t *timeline) lost(node *pb.Node, now time.Time) *passage {
	p := &passage{from: node.Id, kind: "failover", cause: node.Name + " is gone", began: now}
	if v := t.verdicts[node.Id]; v != nil && v.epoch == node.Epoch {
		p.began, p.phases = v.began, append(p.phases, v.phases...)
		p.cause = fmt.Sprintf("%s was silent for %d ms and a majority of the voters testified to it", node.Name, now.Sub(v.began).Milliseconds())
	}
	p.reach("gone", now)
	return p
}

func stopReason(st *pb.State, a *pb.Assignment) string {
	for _, op := range st.Operations {
		if op.Resource == a.Resource && op.Node == a.Node && op.Kind == pb.OperationKind_OPERATION_KIND_STOP {
			return op.Reason
		}
	}
	return ""
}

// arrived follows a subject's way onto a node, and returns the event of a
// passage that has ended.
func (t *timeline) arrived(before, st *pb.State, s subject, was, is *pb.Assignment, now time.Time) *pb.Event {
	p := t.passages[s]
	if is == nil || is.Revoking || p == nil {
		return nil
	}
	if was == nil || was.Number != is.Number {
		p.reach("planned", now)
	}
	if runs(st, is) && (was == nil || was.Number != is.Number || !runs(before, was)) {
		p.reach("started", now)
		delete(t.passages, s)
		return p.event(st, s.resource, is.Node)
	}
	return nil
}

func runs(st *pb.State, a *pb.Assignment) bool {
	i := state.InstanceOf(st, a.Resource, a.Node)
	return i != nil && i.State == pb.InstanceState_INSTANCE_STATE_RUNNING && i.Epoch == a.Epoch
}

func (p *passage) event(st *pb.State, id, to string) *pb.Event {
	from, target := nodeName(st, p.from), nodeName(st, to)
	e := &pb.Event{Kind: p.kind, Resource: id, Node: target, Phases: p.phases, Severity: pb.Severity_SEVERITY_INFO}
	total := p.phases[len(p.phases)-1].At.AsDuration().Milliseconds()
	switch {
	case from == target:
		e.Kind = "recovery"
		e.Text = fmt.Sprintf("%s was restarted on %s in %d ms: %s", id, target, total, p.cause)
	case p.kind == "failover":
		e.Severity = pb.Severity_SEVERITY_WARNING
		e.Text = fmt.Sprintf("%s failed over from %s to %s in %d ms: %s", id, from, target, total, p.cause)
	default:
		e.Text = fmt.Sprintf("%s moved from %s to %s in %d ms: %s", id, from, target, total, p.cause)
	}
	return e
}

func nodeName(st *pb.State, id string) string {
	if n := state.NodeByID(st, id); n != nil {
		return n.Name
	}
	return id
}
