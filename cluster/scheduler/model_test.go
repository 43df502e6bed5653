package scheduler

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

// A model carries out plans as cluster/state and an executor would, and checks
// S4 on what really runs.
type model struct {
	t   rapid.TB
	s   *pb.State
	now time.Time
	// really says on which nodes a resource runs, whatever the state knows.
	really map[string]map[string]bool
	// promoted says where it is promoted.
	promoted map[string]map[string]bool
	// forgets lets the state forget at a stop which node ran a resource last.
	forgets bool
}

// newModel takes a state as it is: what it says runs, runs.
func newModel(t rapid.TB, s *pb.State) *model {
	m := &model{t: t, s: proto.CloneOf(s), now: noon, really: make(map[string]map[string]bool), promoted: make(map[string]map[string]bool)}
	for _, r := range s.Resources {
		m.really[r.Id], m.promoted[r.Id] = make(map[string]bool), make(map[string]bool)
	}
	for _, i := range s.Instances {
		if i.State == running || i.State == failed {
			m.really[i.Resource][i.Node] = true
			if i.Promoted {
				m.promoted[i.Resource][i.Node] = true
			}
		}
	}
	return m
}

func (m *model) node(name string) *pb.Node {
	m.t.Helper()
	for _, n := range m.s.Nodes {
		if n.Name == name {
			return n
		}
	}
	m.t.Fatalf("there is no node %s", name)
	return nil
}

func (m *model) instance(resource, node string) *pb.Instance {
	for _, i := range m.s.Instances {
		if i.Resource == resource && i.Node == node {
			return i
		}
	}
	i := &pb.Instance{Resource: resource, Node: node}
	m.s.Instances = append(m.s.Instances, i)
	return i
}

// promotedMax is on how many nodes a resource may be promoted at once.
func promotedMax(s *pb.State, resource string) int {
	for _, c := range s.Clones {
		if parseBool(c.Meta["promotable"], false) && (c.Member == resource || slices.ContainsFunc(s.Groups, func(g *pb.Group) bool {
			return g.Id == c.Member && slices.Contains(g.Members, resource)
		})) {
			return int(parseScore(c.Meta["promoted-max"], 1))
		}
	}
	return 0
}

// dispatchPromotion gives a node the right to promote.
func (m *model) dispatchPromotion(s Step, owner int) {
	if owner < 0 || m.s.Assignments[owner].Revoking || !m.really[s.Resource][s.Node] {
		m.t.Fatalf("promote %s on %s, where it is not owned or does not run", s.Resource, s.Node)
	}
	others := map[string]bool{}
	for node := range m.promoted[s.Resource] {
		others[node] = true
	}
	for _, a := range m.s.Assignments {
		if a.Resource == s.Resource && a.Promoted {
			others[a.Node] = true
		}
	}
	delete(others, s.Node)
	if len(others) >= promotedMax(m.s, s.Resource) {
		m.t.Fatalf("S1: promote %s on %s while it is promoted on %v", s.Resource, s.Node, others)
	}
	m.s.Assignments[owner].Promoted = true
}

// copies is on how many nodes a resource may run at once.
func copies(s *pb.State, resource string) int {
	for _, c := range s.Clones {
		if c.Member == resource || slices.ContainsFunc(s.Groups, func(g *pb.Group) bool {
			return g.Id == c.Member && slices.Contains(g.Members, resource)
		}) {
			return int(parseScore(c.Meta["clone-max"], infinity))
		}
	}
	return 1
}

// dispatch commits an intent.
func (m *model) dispatch(s Step) {
	n := m.s.Nodes[slices.IndexFunc(m.s.Nodes, func(n *pb.Node) bool { return n.Id == s.Node })]
	if slices.ContainsFunc(m.s.Operations, func(o *pb.Operation) bool { return o.Resource == s.Resource && o.Node == s.Node }) {
		m.t.Fatalf("%s %s on %s, where an operation is under way", verb(s.Kind), s.Resource, n.Name)
	}
	owner := slices.IndexFunc(m.s.Assignments, func(a *pb.Assignment) bool { return a.Resource == s.Resource && a.Node == s.Node })
	switch {
	case s.Kind == start:
		if owner >= 0 {
			m.t.Fatalf("S4: start %s on %s, which owns it", s.Resource, n.Name)
		}
		others := map[string]bool{}
		for _, a := range m.s.Assignments {
			if a.Resource == s.Resource {
				others[a.Node] = true
			}
		}
		for node, runs := range m.really[s.Resource] {
			if node != s.Node && runs {
				others[node] = true
			}
		}
		if len(others) >= copies(m.s, s.Resource) {
			m.t.Fatalf("S4: start %s on %s while it is on %v", s.Resource, n.Name, others)
		}
		m.s.LastAssignment++
		m.s.Assignments = append(m.s.Assignments, &pb.Assignment{Resource: s.Resource, Node: s.Node, Epoch: n.Epoch, Number: m.s.LastAssignment})
	case s.Kind == promote:
		m.dispatchPromotion(s, owner)
	case s.Kind == stop && owner >= 0:
		m.s.Assignments[owner].Revoking = true
	}
	m.s.LastOperation++
	m.s.Operations = append(m.s.Operations, &pb.Operation{Id: m.s.LastOperation, Kind: s.Kind, Resource: s.Resource, Node: s.Node, Epoch: n.Epoch})
}

// finish commits the success of the i-th operation under way.
func (m *model) finish(i int) {
	op := m.s.Operations[i]
	m.s.Operations = slices.Delete(m.s.Operations, i, i+1)
	m.now = m.now.Add(time.Millisecond)
	inst := m.instance(op.Resource, op.Node)
	r := m.s.Resources[slices.IndexFunc(m.s.Resources, func(r *pb.Resource) bool { return r.Id == op.Resource })]
	inst.Epoch, inst.Since = op.Epoch, timestamppb.New(m.now)
	switch op.Kind {
	case promote, demote:
		m.changeRole(inst, op.Kind == promote)
	case start, reload:
		m.really[op.Resource][op.Node] = true
		inst.Promoted = m.promoted[op.Resource][op.Node]
		inst.State, inst.Revision, inst.Restart = running, r.Revision, r.Restart
	case stop:
		delete(m.really[op.Resource], op.Node)
		delete(m.promoted[op.Resource], op.Node)
		inst.State, inst.Promoted = stopped, false
		if m.forgets {
			inst.Revision = 0
		}
		m.s.Assignments = slices.DeleteFunc(m.s.Assignments, func(a *pb.Assignment) bool { return a.Resource == op.Resource && a.Node == op.Node })
	case probe:
		inst.State = stopped
		if m.really[op.Resource][op.Node] {
			inst.State = running
		}
		inst.Promoted = m.promoted[op.Resource][op.Node]
	default:
		m.t.Fatalf("the model knows no %v", op.Kind)
	}
}

func (m *model) changeRole(i *pb.Instance, promoted bool) {
	i.Promoted = promoted
	if promoted {
		i.Promotion = uint64(m.now.UnixMilli())
		m.promoted[i.Resource][i.Node] = true
		return
	}
	delete(m.promoted[i.Resource], i.Node)
	for _, a := range m.s.Assignments {
		if a.Resource == i.Resource && a.Node == i.Node {
			a.Promoted = false
		}
	}
}

// settle carries out plans until nothing is left to be done, ending operations
// in the order that pick chooses.
func (m *model) settle(pick func(n int) int) *Plan {
	for range 500 {
		p := Schedule(m.s, m.now)
		for _, s := range p.Ready() {
			m.dispatch(s)
		}
		if len(m.s.Operations) == 0 {
			if len(p.Steps) > 0 {
				m.t.Fatalf("S7: nothing is under way, and these steps wait for ever:\n%s", p)
			}
			return p
		}
		m.finish(pick(len(m.s.Operations)))
	}
	m.t.Fatalf("no end in sight; the plan is now:\n%s", Schedule(m.s, m.now))
	return nil
}

func first(int) int { return 0 }

// places prints where resources really run: "db n1, web n2 n3".
func (m *model) places() string {
	text := ""
	for _, r := range m.s.Resources {
		if text != "" {
			text += ", "
		}
		text += r.Id
		for _, n := range m.s.Nodes {
			if m.really[r.Id][n.Id] {
				text += " " + n.Name
			}
		}
	}
	return text
}

// stop is `cluster stop`: the node hands its work over.
func (m *model) stop(name string) { m.node(name).Stopped = true }

// start is `cluster start`.
func (m *model) start(name string) {
	n := m.node(name)
	n.Stopped, n.AdmittedAt = false, timestamppb.New(m.now)
}

// lose takes a node's power away: all it owned is free.
func (m *model) lose(name string) {
	n := m.node(name)
	n.Admission = pb.Admission_ADMISSION_GONE
	m.s.Operations = slices.DeleteFunc(m.s.Operations, func(o *pb.Operation) bool { return o.Node == n.Id })
	m.s.Assignments = slices.DeleteFunc(m.s.Assignments, func(a *pb.Assignment) bool { return a.Node == n.Id })
	for r := range m.really {
		delete(m.really[r], n.Id)
		delete(m.promoted[r], n.Id)
	}
	for _, i := range m.s.Instances {
		if i.Node == n.Id {
			i.State, i.Since, i.Promoted = stopped, timestamppb.New(m.now), false
		}
	}
}

// rejoin begins a new epoch of a node.
func (m *model) rejoin(name string) {
	n := m.node(name)
	n.Admission, n.Epoch, n.AdmittedAt = pb.Admission_ADMISSION_ADMITTED, n.Epoch+1, timestamppb.New(m.now)
}

// add adds a statement of the notation.
func (m *model) add(statement string) {
	m.t.Helper()
	before := len(m.s.Resources)
	extra := parse(m.t, "x online\n"+statement)
	m.s.Constraints = append(m.s.Constraints, extra.Constraints...)
	for k, v := range extra.ResourceDefaults {
		m.s.ResourceDefaults[k] = v
	}
	if before != len(m.s.Resources) {
		panic(fmt.Sprintf("%q adds a resource", statement))
	}
}
