package render

import (
	"slices"
	"strings"
	"time"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// banPrefix begins the ids of the constraints that `resource ban` makes.
const banPrefix = "cli-ban-"

// A View finds things in one answer of the cluster.
type View struct {
	resp  *pb.GetResponse
	now   time.Time
	names map[string]string // of nodes, by id
	told  map[string]bool   // sentences that need not be told again
}

// NewView makes a view of resp. Times are told relative to now, in its time zone.
func NewView(resp *pb.GetResponse, now time.Time) *View {
	v := &View{resp: resp, now: now, names: make(map[string]string), told: make(map[string]bool)}
	for _, n := range resp.GetState().GetNodes() {
		v.names[n.GetId()] = n.GetName()
	}
	return v
}

// Node returns the name of the node with an id, or the id of an unknown one.
func (v *View) Node(id string) string {
	if name, ok := v.names[id]; ok {
		return name
	}
	return id
}

// Owner returns the name of the node that a resource runs on, or nothing. The
// owner of a group is that of its first member that has one; of a clone, the first
// node that runs an instance.
func (v *View) Owner(id string) string {
	for _, r := range state.Members(v.resp.GetState(), id) {
		if a := v.assignment(subject{resource: r}); a != nil {
			return v.Node(a.GetNode())
		}
	}
	return ""
}

// A subject is what one node at a time runs: a resource, or if it is cloned the
// instance of it on a node.
type subject struct{ resource, node string } // node: id; empty: it is not cloned

// of reports whether something on a node is about the subject.
func (s subject) of(resource, node string) bool {
	return s.resource == resource && (s.node == "" || s.node == node)
}

func (v *View) assignment(s subject) *pb.Assignment {
	return find(v.resp.GetState().GetAssignments(), func(a *pb.Assignment) bool { return s.of(a.GetResource(), a.GetNode()) })
}

func (v *View) instance(resource, node string) *pb.Instance {
	return find(v.resp.GetState().GetInstances(), func(i *pb.Instance) bool {
		return i.GetResource() == resource && i.GetNode() == node
	})
}

func (v *View) placement(s subject) *pb.PlacementStatus {
	return find(v.resp.GetPlacements(), func(p *pb.PlacementStatus) bool {
		return p.GetResource() == s.resource && p.GetInstance() == s.node
	})
}

// operation returns what is being done with a subject, if that changes it.
func (v *View) operation(s subject) *pb.Operation {
	return find(v.resp.GetState().GetOperations(), func(o *pb.Operation) bool {
		switch o.GetKind() {
		case pb.OperationKind_OPERATION_KIND_START, pb.OperationKind_OPERATION_KIND_STOP, pb.OperationKind_OPERATION_KIND_RELOAD,
			pb.OperationKind_OPERATION_KIND_PROMOTE, pb.OperationKind_OPERATION_KIND_DEMOTE:
			return s.of(o.GetResource(), o.GetNode())
		default:
			return false
		}
	})
}

// option returns a meta attribute: the resource's, its group's, its clone's or the
// default.
func (v *View) option(r *pb.Resource, name string) string {
	s := v.resp.GetState()
	for _, meta := range []map[string]string{
		r.GetMeta(), state.GroupOf(s, r.GetId()).GetMeta(), state.CloneOf(s, r.GetId()).GetMeta(),
	} {
		if value, ok := meta[name]; ok {
			return value
		}
	}
	return s.GetResourceDefaults()[name]
}

// silence says how long nothing was heard of an admitted node on any link, or
// zero while some link is up or none is known.
func (v *View) silence(n *pb.Node) time.Duration {
	var least time.Duration
	known := false
	for _, l := range v.resp.GetLinks() {
		if l.GetNode() != n.GetId() {
			continue
		}
		if l.GetUp() {
			return 0
		}
		if d := l.GetLastHeard().AsDuration(); l.GetLastHeard() != nil && (!known || d < least) {
			known, least = true, d
		}
	}
	return least
}

// linksUp says how many links to a node there are, and how many are up.
func (v *View) linksUp(n *pb.Node) (up, all int) {
	for _, l := range v.resp.GetLinks() {
		if l.GetNode() != n.GetId() {
			continue
		}
		all++
		if l.GetUp() {
			up++
		}
	}
	return up, all
}

// lately is how long ago a node that is gone may have been heard to count as
// coming back. A link is called down only after much longer.
const lately = 300 * time.Millisecond

// heard tells whether a voter counts as there, from the answering node's sight.
func (v *View) heard(n *pb.Node) bool {
	if n.GetId() == v.resp.GetNode() {
		return true
	}
	known, gone := false, n.GetAdmission() == pb.Admission_ADMISSION_GONE
	for _, l := range v.resp.GetLinks() {
		if l.GetNode() != n.GetId() {
			continue
		}
		if l.GetUp() && !(gone && l.GetLastHeard().AsDuration() > lately) {
			return true
		}
		known = true
	}
	return !known && n.GetAdmission() == pb.Admission_ADMISSION_ADMITTED
}

// voters returns the nodes that vote, and how many of them are heard.
func (v *View) voters() (voters []*pb.Node, heard int) {
	for _, n := range v.resp.GetState().GetNodes() {
		if !slices.Contains(v.resp.GetState().GetElectorate().GetVoters(), n.GetId()) {
			continue
		}
		voters = append(voters, n)
		if v.heard(n) {
			heard++
		}
	}
	return voters, heard
}

// A move is what an operator asked for, of a resource or of a whole group.
type move struct {
	id string
	*pb.Move
}

// moves returns the moves in force. One that all members of a group have is the group's.
func (v *View) moves() []move {
	var moves []move
	told := make(map[string]bool)
	for _, g := range v.resp.GetState().GetGroups() {
		if m := v.groupMove(g); m != nil {
			moves = append(moves, move{g.GetId(), m})
			for _, id := range g.GetMembers() {
				told[id] = true
			}
		}
	}
	for _, r := range v.resp.GetState().GetResources() {
		if r.GetMove().GetNode() != "" && !told[r.GetId()] {
			moves = append(moves, move{r.GetId(), r.GetMove()})
		}
	}
	return moves
}

func (v *View) groupMove(g *pb.Group) *pb.Move {
	var common *pb.Move
	for _, r := range v.resp.GetState().GetResources() {
		switch m := r.GetMove(); {
		case !slices.Contains(g.GetMembers(), r.GetId()):
		case m.GetNode() == "" || common != nil && m.GetNode() != common.GetNode():
			return nil
		default:
			common = m
		}
	}
	return common
}

// bans returns the constraints that `resource ban` made.
func (v *View) bans() []*pb.Constraint {
	var bans []*pb.Constraint
	for _, c := range v.resp.GetState().GetConstraints() {
		if c.GetLocation() != nil && strings.HasPrefix(c.GetId(), banPrefix) {
			bans = append(bans, c)
		}
	}
	return bans
}

func find[T any](list []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i]
	}
	return nil
}
