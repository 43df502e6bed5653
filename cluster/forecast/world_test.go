package forecast

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// A world is a cluster of which every operation succeeds at once.
type world struct {
	t     rapid.TB
	state *pb.State
	index uint64
}

// newWorld makes the cluster of voters n1, n2 and n3, settled after changes in
// the words of edit, one a line.
func newWorld(t rapid.TB, script string) *world {
	t.Helper()
	w := &world{t: t, state: &pb.State{}}
	nodes := []string{"n1", "n2", "n3"}
	for i, n := range nodes {
		node := &pb.Node{Id: "id-" + n, Name: n, Role: pb.Role_ROLE_VOTER, Addresses: []string{n + ":7480"}}
		c := &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: node}}}
		if i == 0 {
			c.Body = &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{
				ClusterId: "c", ClusterName: "web", Node: node, ResourceDefaults: map[string]string{"resource-stickiness": "1"},
			}}
		}
		w.apply(c)
		w.apply(&pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
			Node: node.Id, Nonce: 1, BootId: "boot", Lease: durationpb.New(400 * time.Millisecond),
		}}})
		w.vote(i)
	}
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" {
			w.change(w.edit(line))
			w.settle()
		}
	}
	return w
}

// vote brings the next node into the electorate, and lets all confirm it.
func (w *world) vote(i int) {
	w.t.Helper()
	w.confirm()
	if i > 0 {
		w.apply(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
			FromVersion: w.state.Electorate.Version, Voters: []string{"id-n1", "id-n2", "id-n3"}[:i+1],
		}}})
		w.confirm()
	}
}

func (w *world) confirm() {
	w.t.Helper()
	for _, n := range w.state.Nodes {
		w.apply(&pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
			Node: n.Id, Epoch: n.Epoch, Version: w.state.Electorate.Version,
		}}})
	}
}

func (w *world) apply(c *pb.Command) *state.Applied {
	w.t.Helper()
	next, applied, err := w.step(c)
	if err != nil {
		w.t.Fatalf("%v: %v", c, err)
	}
	w.index++
	w.state = next
	return applied
}

func (w *world) step(c *pb.Command) (*pb.State, *state.Applied, error) {
	c.ProposedAt = timestamppb.New(w.now())
	return state.Step(w.state, w.index+1, c)
}

// now is a second later at every command.
func (w *world) now() time.Time { return noon.Add(time.Duration(w.index) * time.Second) }

func (w *world) change(edits ...*pb.Edit) {
	w.t.Helper()
	w.apply(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
}

// settle does what the scheduler wants until nothing is left.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		ready := scheduler.Schedule(w.state, noon).Ready()
		if len(ready) == 0 {
			return
		}
		w.do(ready[0])
	}
	w.t.Fatal("the cluster does not come to rest")
}

func (w *world) do(s scheduler.Step) {
	w.t.Helper()
	o := w.apply(&pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{{
		Kind: s.Kind, Resource: s.Resource, Node: s.Node, Epoch: state.NodeByID(w.state, s.Node).Epoch,
	}}}}}).Operations[0]
	r := state.ResourceByID(w.state, s.Resource)
	result := &pb.Result{
		Operation: o.Id, Kind: o.Kind, Resource: o.Resource, Node: o.Node, Epoch: o.Epoch, Assignment: o.Assignment,
		Outcome: pb.Outcome_OUTCOME_DONE, Revision: r.Revision, Restart: r.Restart,
	}
	if o.Kind == pb.OperationKind_OPERATION_KIND_PROBE {
		result.Outcome = pb.Outcome_OUTCOME_NOT_RUNNING
	}
	w.apply(&pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: result}}})
}

// forecast is that of changes in the words of edit, separated by semicolons.
func (w *world) forecast(script string) *pb.Forecast {
	w.t.Helper()
	var edits []*pb.Edit
	for words := range strings.SplitSeq(script, ";") {
		edits = append(edits, w.edit(strings.TrimSpace(words)))
	}
	after, _, err := w.step(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	if err != nil {
		w.t.Fatalf("%s: %v", script, err)
	}
	return Change(w.state, after, edits, noon)
}

// edit makes an edit of words; its cases are the language.
func (w *world) edit(line string) *pb.Edit {
	w.t.Helper()
	words := append(strings.Fields(line), "", "", "")
	name, value, _ := strings.Cut(words[2], "=")
	yes, no := true, false
	switch words[0] {
	case "create": // ID [GROUP]
		r := &pb.Resource{Id: words[1], Agent: "vip", Parameters: map[string]string{"ip": "10.0.0.1"}}
		return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: r, Group: words[2]}}}
	case "linger": // ID, of an agent whose resources may outlive a lease
		r := &pb.Resource{Id: words[1], Agent: "haproxy", Traits: &pb.Traits{Lapse: durationpb.New(time.Minute)}}
		return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: r}}}
	case "delete":
		return &pb.Edit{Kind: &pb.Edit_DeleteResource{DeleteResource: &pb.DeleteResource{Id: words[1]}}}
	case "parameter": // ID NAME=VALUE
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[1], SetParameters: map[string]string{name: value}}}}
	case "meta": // ID NAME=VALUE
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[1], SetMeta: map[string]string{name: value}}}}
	case "property", "default": // NAME=VALUE
		name, value, _ := strings.Cut(words[1], "=")
		scope := pb.OptionScope_OPTION_SCOPE_CLUSTER
		if words[0] == "default" {
			scope = pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS
		}
		return &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{Scope: scope, Set: map[string]string{name: value}}}}
	case "location": // ID NODE SCORE
		return constrained(&pb.Constraint{Kind: &pb.Constraint_Location{Location: &pb.Location{Resource: words[1], Node: words[2], Score: w.score(words[3])}}})
	case "colocation": // ID WITH SCORE
		return constrained(&pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: words[1], With: words[2], Score: w.score(words[3])}}})
	case "order": // FIRST THEN
		return constrained(&pb.Constraint{Kind: &pb.Constraint_Order{Order: &pb.Order{First: words[1], Then: words[2]}}})
	case "constraint": // any other, in prototext
		c := new(pb.Constraint)
		if err := prototext.Unmarshal([]byte(strings.TrimPrefix(line, "constraint")), c); err != nil {
			w.t.Fatal(err)
		}
		return constrained(c)
	case "unconstrain":
		return &pb.Edit{Kind: &pb.Edit_DeleteConstraint{DeleteConstraint: &pb.DeleteConstraint{Id: words[1]}}}
	case "group": // GROUP ID …
		return &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{Group: words[1], Resources: strings.Fields(line)[2:]}}}
	case "clone": // MEMBER [NAME=VALUE]
		c := &pb.Clone{Member: words[1]}
		if name != "" {
			c.Meta = map[string]string{name: value}
		}
		return &pb.Edit{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: c}}}
	case "unclone": // CLONE
		return &pb.Edit{Kind: &pb.Edit_UncloneResource{UncloneResource: &pb.UncloneResource{Id: words[1]}}}
	case "move": // ID NODE
		return &pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: words[1], Node: words[2]}}}
	case "restart":
		return &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: words[1]}}}
	case "standby":
		return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: words[1], Standby: &yes}}}
	case "unstandby":
		return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: words[1], Standby: &no}}}
	case "attribute": // NODE NAME=VALUE
		return &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: words[1], SetAttributes: map[string]string{name: value}}}}
	case "again": // the present configuration as a whole
		return &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: state.Configuration(w.state)}}}
	case "empty":
		return &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: &pb.Configuration{}}}}
	}
	w.t.Fatalf("the test's words %q are no edit", line)
	return nil
}

func constrained(c *pb.Constraint) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
}

func (w *world) score(word string) int64 {
	w.t.Helper()
	n, err := state.ParseScore(word)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// places writes where all ends, one a line: "web n1".
func places(f *pb.Forecast) string {
	var b strings.Builder
	for _, p := range f.Placements {
		for _, at := range p.Places {
			fmt.Fprintln(&b, p.Resource, at.Node)
		}
	}
	return b.String()
}

// actions writes what happens, one a line: "move web n1 n2".
func actions(f *pb.Forecast) string {
	var b strings.Builder
	for _, a := range f.Actions {
		fmt.Fprintln(&b, strings.Join(strings.Fields(strings.Join([]string{a.Action, a.Resource, a.From, a.To}, " ")), " "))
	}
	return b.String()
}

// lose has the others testify that a node is silent.
func (w *world) lose(name string) {
	w.t.Helper()
	n := state.NodeByName(w.state, name)
	gone := &pb.NodeGone{Node: n.Id, Epoch: n.Epoch}
	for _, voter := range w.state.Electorate.Voters {
		if voter != n.Id {
			gone.Testimonies = append(gone.Testimonies, &pb.Testimony{Voter: voter, Silence: durationpb.New(time.Second)})
		}
	}
	w.apply(&pb.Command{Body: &pb.Command_NodeGone{NodeGone: gone}})
}
