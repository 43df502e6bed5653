package state

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// A history is a random log with what the tests of it must remember.
type history struct {
	*cluster
	log    []*raft.Log
	states []*pb.State
	bytes  [][]byte // of the states, when they were published
	rights rights
}

// rights is the naive judge of S1: who may be serving a resource, by what the
// log told the nodes, whatever the state says. It knows nothing of assignments.
type rights map[string]map[string]bool // nodes, by resource

// TestHistories applies random logs and checks what must hold of every state,
// and of every replica.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{cluster: newCluster(t), rights: rights{}}
		base := restored(t, h.store)
		for range rapid.IntRange(1, 120).Draw(t, "commands") {
			h.step(t)
		}
		h.checkNothingPublishedWasModified(t)
		h.checkReplicas(t, base)
	})
}

// step applies one random command, accepted or not, and checks what it led to.
func (h *history) step(t *rapid.T) {
	line := h.draw(t)
	t.Log("LINE", line)
	cmd := h.command(strings.Fields(line))
	before := h.state()
	err := h.propose(cmd)
	data, encodeErr := proto.Marshal(cmd)
	if encodeErr != nil {
		t.Fatal(encodeErr)
	}
	h.log = append(h.log, &raft.Log{Index: h.index, Data: data})
	if err != nil {
		return
	}
	now := h.state()
	h.states, h.bytes = append(h.states, now), append(h.bytes, encoded(t, now))
	if problem := unsound(now); problem != "" {
		t.Fatalf("%s led to a state in which %s:\n%v", line, problem, now)
	}
	if problem := regressed(before, now); problem != "" {
		t.Fatalf("after %s %s", line, problem)
	}
	if problem := h.rights.note(before, now, cmd); problem != "" {
		t.Fatalf("S1: %s: %s", line, problem)
	}
}

var (
	someNodes     = []string{"a", "b", "c", "d", "e", "z"}
	someResources = []string{"vip", "db", "r1", "r2", "g1", "vip-clone", "db-clone", "g1-clone", "none"}
)

// draw makes a random command in the words of the scripts. Most of them fit
// the state, so that the histories lead somewhere.
func (h *history) draw(t *rapid.T) string {
	pick := func(from []string) string { return rapid.SampledFrom(from).Draw(t, "word") }
	n, r, other := pick(someNodes), pick(someResources), pick(someResources)
	s := h.state()
	if len(s.Operations) > 0 && rapid.Bool().Draw(t, "answer") {
		o := rapid.SampledFrom(s.Operations).Draw(t, "operation")
		return fmt.Sprintf("%s %s %s", pick([]string{"done", "done", "done", "failed", "timeout", "notrunning", "refused"}), o.Resource, o.Node)
	}
	if len(s.Assignments) > 0 && rapid.IntRange(0, 3).Draw(t, "of an owner") == 0 {
		a := rapid.SampledFrom(s.Assignments).Draw(t, "assignment")
		r, n = a.Resource, a.Node
	}
	switch kind := pick([]string{
		"start", "start", "start", "start", "promote", "promote", "demote", "stop", "stop", "probe", "probe", "monitor", "reload", "report", "free",
		"admit", "gone", "gone", "electorate", "confirm", "confirm all", "confirm all", "put", "remove",
		"create", "create", "delete", "cleanup", "fence", "fenced", "fenced", "unfenced", "switchedon", "confirmoff", "device", "group", "ungroup", "clone", "clone", "unclone", "location", "colocation", "order", "constrain", "move", "restart", "property", "meta",
	}); kind {
	case "report":
		return fmt.Sprintf("report %s %s %s", r, n, pick([]string{"done", "failed", "notrunning"}))
	case "gone":
		return "gone " + n + h.testimonies(t, n)
	case "electorate":
		return "electorate " + h.otherVoters(n)
	case "confirm all":
		return "confirm " + h.unconfirmed(n)
	case "put":
		return fmt.Sprintf("put %s %s", n, pick([]string{"", "replica", "witness", "name=nx"}))
	case "remove":
		return fmt.Sprintf("remove %s %s", n, pick([]string{"", "force"}))
	case "create":
		return fmt.Sprintf("create %s %s %s", r, pick([]string{"", "lapse=20s"}), pick([]string{"", "group=g1", "group=g2"}))
	case "group", "ungroup":
		return fmt.Sprintf("%s %s %s", kind, pick([]string{"g1", "g2"}), r)
	case "clone":
		return fmt.Sprintf("clone %s %s", r, pick([]string{"", "", "clone-max=2", "clone-max=1", "clone-max=0", "promotable=true", "promotable=true", "promotable=true promoted-max=2"}))
	case "unclone":
		return "unclone " + r + pick([]string{"", "-clone"})
	case "location":
		return fmt.Sprintf("location %s n%s %s", r, n, pick([]string{"5", "-INFINITY"}))
	case "colocation":
		return fmt.Sprintf("colocation %s %s 5", r, other)
	case "order":
		return fmt.Sprintf("order %s %s", r, other)
	case "constrain":
		return "constrain " + strings.NewReplacer("R", r, "S", other, "T", pick(someResources)).Replace(pick([]string{
			`location{resource:"R" score:5 rule{conditions{attribute{attribute:"#uname" comparison:3 value:"nx"}}}}`,
			`colocation{score:5 sets{resources:["R","S"]} sets{resources:"T" parallel:true}}`,
			`order{sets{resources:["R","S","T"]}}`,
			`order{first:"R" then:"S" first_action:1 then_action:1 asymmetrical:true}`,
		}))
	case "move":
		return fmt.Sprintf("move %s n%s", r, n)
	case "property":
		return "property " + pick([]string{"start-failure-is-fatal=true", "start-failure-is-fatal=false", "fencing=power", "fencing=stop"})
	case "fence", "confirmoff":
		return kind + " n" + n
	case "fenced", "unfenced", "switchedon":
		return kind + " " + n
	case "device":
		return "device " + pick([]string{"d1", "d2"}) + " pcmk_host_list=n" + n
	case "meta":
		return fmt.Sprintf("meta %s %s", r, pick([]string{"failure-timeout=0", "failure-timeout=10s", "clone-max=2", "clone-max=1", "promoted-max=2", "promotable=true", "fencing=power", "fencing=stop"}))
	case "admit", "confirm":
		return kind + " " + n
	case "free":
		return "free " + r + pick([]string{"", " " + n})
	case "delete", "cleanup", "restart":
		return kind + " " + r
	default:
		return fmt.Sprintf("%s %s %s", kind, r, n)
	}
}

// testimonies are mostly true ones of all other voters.
func (h *history) testimonies(t *rapid.T, n string) string {
	var out strings.Builder
	for _, v := range h.state().Electorate.Voters {
		if v != n && rapid.IntRange(0, 5).Draw(t, "testifies") > 0 {
			fmt.Fprintf(&out, " %s=%s", v, rapid.SampledFrom([]string{"450ms", "1s", "1s", "1s", "449ms"}).Draw(t, "silence"))
		}
	}
	return out.String()
}

// otherVoters adds the node to the voters, or takes it out.
func (h *history) otherVoters(n string) string {
	voters := h.state().Electorate.Voters
	if slices.Contains(voters, n) {
		return strings.Join(minus(voters, []string{n}), " ")
	}
	return strings.Join(append(slices.Clone(voters), n), " ")
}

// unconfirmed returns a node that the next change of voters waits for, else n.
func (h *history) unconfirmed(n string) string {
	for _, m := range h.state().Nodes {
		if m.Admission == pb.Admission_ADMISSION_ADMITTED && m.ElectorateConfirmed != h.state().Electorate.Version {
			return m.Id
		}
	}
	return n
}

// note follows who may be serving what.
func (r rights) note(before, now *pb.State, cmd *pb.Command) string {
	switch body := cmd.Body.(type) {
	case *pb.Command_Dispatch:
		for _, o := range body.Dispatch.Operations {
			if o.Kind == pb.OperationKind_OPERATION_KIND_PROMOTE {
				others := keptOf(r[promotedKey+o.Resource], func(n string) bool { return n != o.Node })
				if len(others) >= PromotedMax(before, o.Resource) {
					return fmt.Sprintf("%s is promoted on %s, and may be on %v", o.Resource, o.Node, others)
				}
				r.add(promotedKey+o.Resource, o.Node)
			}
			if o.Kind != pb.OperationKind_OPERATION_KIND_START {
				continue
			}
			others := keptOf(r[o.Resource], func(n string) bool { return n != o.Node }) // a node may adopt what its older epoch left
			if len(others) >= Copies(before, o.Resource) {
				return fmt.Sprintf("%s is started on %s, and %v may serve it", o.Resource, o.Node, others)
			}
			r.add(o.Resource, o.Node)
		}
	case *pb.Command_RecordResult:
		res := body.RecordResult.Result
		stopped := res.Kind == pb.OperationKind_OPERATION_KIND_STOP && res.Outcome == pb.Outcome_OUTCOME_DONE
		never := res.Kind == pb.OperationKind_OPERATION_KIND_START && res.Outcome == pb.Outcome_OUTCOME_REFUSED
		looked := res.Outcome == pb.Outcome_OUTCOME_NOT_RUNNING &&
			AssignmentAt(before, res.Resource, res.Node) == nil
		if stopped || never || looked {
			delete(r[res.Resource], res.Node)
		}
		if stopped || never || looked || unpromotes(before, res) {
			delete(r[promotedKey+res.Resource], res.Node)
		}
	case *pb.Command_NodeGone:
		r.release(body.NodeGone.Node, func(resource string) bool {
			resource = strings.TrimPrefix(resource, promotedKey)
			return ResourceByID(before, resource).GetTraits().GetLapse().AsDuration() == 0 && FencingOf(before, resource) != FencingPower
		})
	case *pb.Command_RecordFencing:
		if f := FencingByID(before, body.RecordFencing.Id); body.RecordFencing.Done && f.Epoch == NodeByID(before, f.Node).GetEpoch() {
			r.release(f.Node, func(string) bool { return true })
		}
	case *pb.Command_Change:
		for _, e := range body.Change.Edits {
			if c := e.GetConfirmOff(); c != nil {
				r.release(NodeByName(before, c.Node).GetId(), func(string) bool { return true })
			}
		}
	case *pb.Command_Free:
		if CloneOf(before, body.Free.Resource) == nil { // of two gone nodes the later one counts
			delete(r, body.Free.Resource)
			delete(r, promotedKey+body.Free.Resource)
		}
		for _, a := range AssignmentsOf(before, body.Free.Resource) {
			if a.Number == body.Free.Number {
				delete(r[a.Resource], a.Node)
				delete(r[promotedKey+a.Resource], a.Node)
			}
		}
	case *pb.Command_RemoveNode: // only by force while anything may run there
		r.release(body.RemoveNode.Node, func(string) bool { return true })
	}
	for resource, nodes := range r {
		if ResourceByID(now, strings.TrimPrefix(resource, promotedKey)) == nil && len(nodes) > 0 {
			return fmt.Sprintf("%s is forgotten, and %v may serve it", resource, nodes)
		}
	}
	return ""
}

// promotedKey begins the keys of who may be promoted.
const promotedKey = "promoted "

// unpromotes reports whether a result says that an instance is not promoted.
func unpromotes(before *pb.State, r *pb.Result) bool {
	done := r.Outcome == pb.Outcome_OUTCOME_DONE && !r.Promoted
	switch r.Kind {
	case pb.OperationKind_OPERATION_KIND_PROMOTE:
		return r.Outcome == pb.Outcome_OUTCOME_REFUSED && !InstanceOf(before, r.Resource, r.Node).GetPromoted()
	case pb.OperationKind_OPERATION_KIND_RELOAD:
		return false
	default:
		return done
	}
}

func (r rights) add(resource, node string) {
	if r[resource] == nil {
		r[resource] = map[string]bool{}
	}
	r[resource][node] = true
}

func (r rights) release(node string, falls func(resource string) bool) {
	for resource, nodes := range r {
		if falls(resource) {
			delete(nodes, node)
		}
	}
}

func keptOf(set map[string]bool, keep func(string) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(set)), func(s string) bool { return !keep(s) })
}

// regressed says what went back that may only go on.
func regressed(before, now *pb.State) string {
	if now.LastAssignment < before.LastAssignment || now.LastOperation < before.LastOperation || now.LastEvent < before.LastEvent {
		return "a number was given back"
	}
	if now.Electorate.Version < before.Electorate.Version {
		return "the electorate's version fell"
	}
	for _, n := range before.Nodes {
		after := NodeByID(now, n.Id)
		if after == nil && !slices.Contains(now.Removed, n.Id) {
			return fmt.Sprintf("%s is neither a member nor removed", n.Id)
		}
		if after != nil && after.Epoch < n.Epoch {
			return fmt.Sprintf("the epoch of %s fell from %d to %d", n.Id, n.Epoch, after.Epoch)
		}
	}
	for _, a := range now.Assignments {
		old := AssignmentAt(before, a.Resource, a.Node)
		if (old == nil || old.Number != a.Number) && a.Number <= before.LastAssignment {
			return fmt.Sprintf("assignment %d of %s was given before", a.Number, a.Resource)
		}
	}
	return ""
}

// unsound says what is wrong with a state; nothing, if it is as it must be.
func unsound(s *pb.State) string {
	for _, check := range []func(*pb.State) string{unsorted, unsoundOwners, unsoundInstances, unsoundFencings, dangling, unsoundVoters} {
		if problem := check(s); problem != "" {
			return problem
		}
	}
	return ""
}

func unsorted(s *pb.State) string {
	rising := func(what string, keys []string) string {
		for i := 1; i < len(keys); i++ {
			if keys[i-1] >= keys[i] {
				return fmt.Sprintf("the %s are not sorted or not unique: %q", what, keys)
			}
		}
		return ""
	}
	for _, problem := range []string{
		rising("nodes", keys(s.Nodes, (*pb.Node).GetName)),
		rising("resources", keys(s.Resources, (*pb.Resource).GetId)),
		rising("groups", keys(s.Groups, (*pb.Group).GetId)),
		rising("constraints", keys(s.Constraints, (*pb.Constraint).GetId)),
		rising("clones", keys(s.Clones, (*pb.Clone).GetId)),
		rising("assignments", keys(s.Assignments, func(a *pb.Assignment) string { return a.Resource + " " + a.Node })),
		rising("instances", keys(s.Instances, func(i *pb.Instance) string { return i.Resource + " " + i.Node })),
		rising("operations", keys(s.Operations, func(o *pb.Operation) string { return fmt.Sprintf("%20d", o.Id) })),
		rising("events", keys(s.Events, func(e *pb.Event) string { return fmt.Sprintf("%20d", e.Id) })),
		rising("voters", s.Electorate.Voters),
		rising("removed", s.Removed),
		rising("devices", keys(s.Devices, (*pb.FencingDevice).GetId)),
		rising("levels", keys(s.Levels, (*pb.FencingLevel).GetId)),
		rising("fencings", keys(s.Fencings, func(f *pb.Fencing) string { return fmt.Sprintf("%20d", f.Id) })),
	} {
		if problem != "" {
			return problem
		}
	}
	return ""
}

func keys[T any](list []T, key func(T) string) []string {
	out := make([]string, 0, len(list))
	for _, e := range list {
		out = append(out, key(e))
	}
	return out
}

// unsoundOwners: a live owner owns under its present epoch, an orphan's node is
// gone, every start under way has its assignment, and what is not cloned has one
// owner at most, unless its owners must be fenced.
func unsoundOwners(s *pb.State) string {
	for i, a := range s.Assignments {
		if i > 0 && s.Assignments[i-1].Resource == a.Resource && CloneOf(s, a.Resource) == nil && !s.Assignments[i-1].Unfenced {
			return fmt.Sprintf("%s has two owners and is in no clone", a.Resource)
		}
		n := NodeByID(s, a.Node)
		live := n.GetAdmission() == pb.Admission_ADMISSION_ADMITTED && n.Epoch == a.Epoch
		orphaned := n.GetAdmission() == pb.Admission_ADMISSION_GONE && a.Orphaned
		if a.Orphaned == live || !live && !orphaned || a.Number > s.LastAssignment || ResourceByID(s, a.Resource) == nil {
			return fmt.Sprintf("the assignment %v does not fit its node %v", a, n)
		}
	}
	for _, o := range s.Operations {
		n := NodeByID(s, o.Node)
		if n.GetAdmission() != pb.Admission_ADMISSION_ADMITTED || n.Epoch != o.Epoch || ResourceByID(s, o.Resource) == nil || o.Id > s.LastOperation {
			return fmt.Sprintf("the operation %v does not fit its node %v", o, n)
		}
		if o.Kind == pb.OperationKind_OPERATION_KIND_START && AssignmentAt(s, o.Resource, o.Node).GetNumber() != o.Assignment {
			return fmt.Sprintf("the start %v lost its assignment", o)
		}
		if OperationOn(s, o.Resource, o.Node).Id != o.Id {
			return fmt.Sprintf("%v is one of two operations of one resource on one node", o)
		}
	}
	return ""
}

// unsoundInstances: what is known of an admitted node was learned under its epoch.
func unsoundInstances(s *pb.State) string {
	for _, i := range s.Instances {
		n := NodeByID(s, i.Node)
		if n == nil || ResourceByID(s, i.Resource) == nil || n.Admission == pb.Admission_ADMISSION_ADMITTED && i.Epoch != n.Epoch || i.FailCount > Infinity {
			return fmt.Sprintf("the instance %v does not fit its node %v", i, n)
		}
	}
	return ""
}

// unsoundFencings: of each node one fencing at most is under way, and a node of
// which something waits to be fenced has one.
func unsoundFencings(s *pb.State) string {
	for _, n := range s.Nodes {
		under := 0
		for _, f := range s.Fencings {
			if f.Node == n.Id && !Ended(f) {
				under++
			}
		}
		waits := slices.ContainsFunc(s.Assignments, func(a *pb.Assignment) bool { return a.Node == n.Id && a.Unfenced })
		if under > 1 || waits && FencingUnderWay(s, n.Id).GetPhase() != pb.FencingPhase_FENCING_PHASE_OFF {
			return fmt.Sprintf("%s has %d fencings under way: %v", n.Id, under, s.Fencings)
		}
	}
	return ""
}

// dangling: names lead somewhere, each resource is in one group at most, each
// resource and group in one clone, and no constraint names what is in a clone.
func dangling(s *pb.State) string {
	in := make(map[string]string)
	for _, g := range s.Groups {
		if len(g.Members) == 0 || ResourceByID(s, g.Id) != nil {
			return fmt.Sprintf("group %v is empty or a resource", g)
		}
		for _, m := range g.Members {
			if ResourceByID(s, m) == nil || in[m] != "" {
				return fmt.Sprintf("member %s of %s is not there, or in %q too", m, g.Id, in[m])
			}
			in[m] = g.Id
		}
	}
	for _, c := range s.Clones {
		if Members(s, c.Member) == nil || CloneByID(s, c.Member) != nil || GroupOf(s, c.Member) != nil || CloneOf(s, c.Member) != c || Members(s, c.Id) == nil {
			return fmt.Sprintf("clone %v is of nothing that can be cloned", c)
		}
	}
	for _, c := range s.Constraints {
		names := constraint.Names(c)
		if sets := len(c.GetColocation().GetSets()) + len(c.GetOrder().GetSets()); len(names) == 0 || sets > 0 && len(names) < 2 {
			return fmt.Sprintf("constraint %v has nothing to say", c)
		}
		for _, id := range names {
			if Members(s, id) == nil || CloneOf(s, id) != nil {
				return fmt.Sprintf("constraint %v names nothing", c)
			}
		}
		if l := c.GetLocation(); l != nil && l.Rule == nil && NodeByName(s, l.Node) == nil {
			return fmt.Sprintf("constraint %v names no node", c)
		}
	}
	for _, r := range s.Resources {
		if r.Move != nil && NodeByName(s, r.Move.Node) == nil {
			return fmt.Sprintf("the move of %s names no node", r.Id)
		}
	}
	return ""
}

func unsoundVoters(s *pb.State) string {
	if len(s.Electorate.Voters) == 0 {
		return "nobody votes"
	}
	for _, v := range s.Electorate.Voters {
		if NodeByID(s, v) == nil {
			return fmt.Sprintf("%s votes and is not a member", v)
		}
	}
	for _, id := range s.Removed {
		if NodeByID(s, id) != nil {
			return fmt.Sprintf("%s is a member and removed (rule 3)", id)
		}
	}
	return ""
}

func (h *history) checkNothingPublishedWasModified(t *rapid.T) {
	for i, s := range h.states {
		if !bytes.Equal(h.bytes[i], encoded(t, s)) {
			t.Fatalf("the state after accepted command %d was modified later", i)
		}
	}
}

// checkReplicas applies the log again: from the same beginning, and from a
// snapshot in the middle.
func (h *history) checkReplicas(t *rapid.T, replica *Store) {
	want := h.store.Get()
	middle := rapid.IntRange(0, len(h.log)).Draw(t, "snapshot")
	for i, l := range h.log {
		if i == middle {
			replica = restored(t, replica)
		}
		replica.Apply(l)
	}
	got := replica.Get()
	if got.Index != want.Index || !bytes.Equal(encoded(t, got.State), encoded(t, want.State)) {
		t.Fatalf("a replica that restored a snapshot after %d entries is at\n%d %v\nwant\n%d %v", middle, got.Index, got.State, want.Index, want.State)
	}
}
