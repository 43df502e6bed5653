package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

// noon is when every test's log begins.
var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// A cluster applies commands, given in words or as they are, to a store. Nodes
// have ids and names in one: "a" is named "na".
type cluster struct {
	t     rapid.TB
	store *Store
	index uint64
}

// newCluster makes the cluster of voters a, b and c, all admitted under epoch 1
// with leases of 400 ms. vip falls silent with its node's lease; db may outlive
// it by 20 s.
func newCluster(t rapid.TB) *cluster {
	t.Helper()
	c := &cluster{t: t, store: New()}
	c.run(`
		bootstrap a
		admit a
		confirm a
		put b
		electorate a b
		admit b
		confirm a
		confirm b
		put c
		electorate a b c
		admit c
		confirm a
		confirm b
		confirm c
		create vip
		create db lapse=20s`)
	return c
}

func (c *cluster) state() *pb.State { return c.store.Get().State }

// propose applies a command as Raft would, a second after the one before. It
// checks that a refusal changes nothing (S8).
func (c *cluster) propose(body *pb.Command) error {
	c.t.Helper()
	c.index++
	if body.ProposedAt == nil {
		body.ProposedAt = timestamppb.New(noon.Add(time.Duration(c.index) * time.Second))
	}
	data, err := proto.Marshal(body)
	if err != nil {
		c.t.Fatalf("encode %v: %v", body, err)
	}
	before, old := encoded(c.t, c.state()), c.state()
	switch answer := c.store.Apply(&raft.Log{Index: c.index, Data: data}).(type) {
	case *Applied:
		if answer.Index != c.index {
			c.t.Fatalf("applied index %d, want %d", answer.Index, c.index)
		}
		if !bytes.Equal(before, encoded(c.t, old)) {
			c.t.Fatalf("%v changed a published state", body)
		}
		return nil
	case *Refusal:
		if !bytes.Equal(before, encoded(c.t, c.state())) {
			c.t.Fatalf("S8: %v was refused (%v) and changed the state", body, answer)
		}
		return answer
	default:
		c.t.Fatalf("%v answered %T, want *Applied or *Refusal", body, answer)
		return nil
	}
}

func encoded(t rapid.TB, s *pb.State) []byte {
	t.Helper()
	data, err := encode(s)
	if err != nil {
		t.Fatalf("encode state: %v", err)
	}
	return data
}

// run applies commands in words, one a line. A line "! COMMAND: TEXT" must be
// refused with a text that holds TEXT; every other line must be accepted.
func (c *cluster) run(script string) {
	c.t.Helper()
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		words, refused := strings.CutPrefix(line, "! ")
		words, want, _ := strings.Cut(words, ": ")
		err := c.propose(c.command(strings.Fields(words)))
		switch {
		case !refused && err != nil:
			c.t.Fatalf("%s\n refused: %v", line, err)
		case refused && err == nil:
			c.t.Fatalf("%s\n was accepted", line)
		case refused && !strings.Contains(err.Error(), want):
			c.t.Fatalf("%s\n refused: %v", line, err)
		}
	}
}

// command makes a command of words; its cases are the language.
func (c *cluster) command(words []string) *pb.Command {
	c.t.Helper()
	arg := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch words[0] {
	case "bootstrap":
		return &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "id", ClusterName: "web", Node: node(arg(1))}}}
	case "put":
		return &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: node(arg(1), words[2:]...)}}}
	case "remove":
		return &pb.Command{Body: &pb.Command_RemoveNode{RemoveNode: &pb.RemoveNode{Node: arg(1), Force: arg(2) == "force"}}}
	case "admit":
		return c.admit(arg(1), words[2:])
	case "gone":
		return c.gone(arg(1), words[2:])
	case "electorate":
		return &pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
			FromVersion: c.state().GetElectorate().GetVersion(), Voters: words[1:],
		}}}
	case "confirm":
		return &pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
			Node: arg(1), Epoch: c.epoch(arg(1)), Version: c.state().GetElectorate().GetVersion(),
		}}}
	case "length":
		return c.length(arg(1), words[2:])
	case "start", "stop", "probe", "monitor", "reload", "promote", "demote":
		return &pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{c.operation(words)}}}}
	case "done", "failed", "timeout", "notrunning", "refused":
		return c.result(words)
	case "report":
		return c.report(words)
	case "free":
		return c.free(arg(1), arg(2))
	case "fenced", "unfenced", "switchedon":
		return c.fencing(words)
	case "byhand":
		return c.byHand(words[1:])
	default:
		return change(c.edit(words))
	}
}

// byHand reads "[ended|failed] ACTION RESOURCE NODE [force]".
func (c *cluster) byHand(words []string) *pb.Command {
	h := &pb.RunByHand{Ended: words[0] == "ended" || words[0] == "failed", Failed: words[0] == "failed"}
	if h.Ended {
		words = words[1:]
	}
	h.Action, h.Resource, h.Node, h.Force = kinds[words[0]], words[1], words[2], len(words) > 3
	h.Epoch = c.epoch(h.Node)
	return &pb.Command{Body: &pb.Command_RunByHand{RunByHand: h}}
}

// free reads "RESOURCE [NODE]"; the node may be left out of what has one owner.
func (c *cluster) free(resource, node string) *pb.Command {
	a := AssignmentOf(c.state(), resource)
	if node != "" {
		a = AssignmentAt(c.state(), resource, node)
	}
	return &pb.Command{Body: &pb.Command_Free{Free: &pb.Free{Resource: resource, Number: a.GetNumber(), Reason: "its time is over"}}}
}

// fencing reads "fenced NODE", "unfenced NODE [ERROR]" (an attempt failed) and
// "switchedon NODE", of the newest fencing of the node.
func (c *cluster) fencing(words []string) *pb.Command {
	r := &pb.RecordFencing{Phase: pb.FencingPhase_FENCING_PHASE_OFF, Done: words[0] != "unfenced", By: "d1 on " + words[1]}
	for _, f := range c.state().Fencings {
		if f.Node == words[1] {
			r.Id = f.Id
		}
	}
	if words[0] == "switchedon" {
		r.Phase = pb.FencingPhase_FENCING_PHASE_ON
	}
	if !r.Done {
		r.Attempts = []*pb.FencingAttempt{{Device: "d1", Node: "b", Action: "off", Error: strings.Join(append(words[2:], "failed"), " ")}}
	}
	return &pb.Command{Body: &pb.Command_RecordFencing{RecordFencing: r}}
}

// edit makes an edit of words.
func (c *cluster) edit(words []string) *pb.Edit {
	c.t.Helper()
	switch words[0] {
	case "create":
		return createResource(words[1], words[2:]...)
	case "delete":
		return &pb.Edit{Kind: &pb.Edit_DeleteResource{DeleteResource: &pb.DeleteResource{Id: words[1]}}}
	case "cleanup":
		return &pb.Edit{Kind: &pb.Edit_Cleanup{Cleanup: &pb.Cleanup{Resource: words[1]}}}
	case "group":
		return &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{Group: words[1], Resources: words[2:]}}}
	case "ungroup":
		return &pb.Edit{Kind: &pb.Edit_RemoveFromGroup{RemoveFromGroup: &pb.RemoveFromGroup{Group: words[1], Resources: words[2:]}}}
	case "clone": // MEMBER [NAME=VALUE]
		clone := &pb.Clone{Member: words[1], Meta: map[string]string{}}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			clone.Meta[name] = value
		}
		return &pb.Edit{Kind: &pb.Edit_CloneResource{CloneResource: &pb.CloneResource{Clone: clone}}}
	case "unclone":
		return &pb.Edit{Kind: &pb.Edit_UncloneResource{UncloneResource: &pb.UncloneResource{Id: words[1]}}}
	case "location", "colocation", "order":
		return createConstraint(words...)
	case "unconstrain":
		return &pb.Edit{Kind: &pb.Edit_DeleteConstraint{DeleteConstraint: &pb.DeleteConstraint{Id: words[1]}}}
	case "move":
		return &pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: words[1], Node: words[2]}}}
	case "clear":
		return &pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: words[1], Clear: true}}}
	case "restart":
		return &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: words[1]}}}
	case "meta":
		name, value, _ := strings.Cut(words[2], "=")
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[1], SetMeta: map[string]string{name: value}}}}
	case "parameter":
		name, value, _ := strings.Cut(words[2], "=")
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[1], SetParameters: map[string]string{name: value}}}}
	case "op": // RESOURCE NAME INTERVAL [NAME=VALUE]
		d, err := time.ParseDuration(words[3])
		if err != nil {
			c.t.Fatal(err)
		}
		o := &pb.OperationSpec{Name: words[2], Interval: durationpb.New(d), Options: map[string]string{}}
		for _, w := range words[4:] {
			name, value, _ := strings.Cut(w, "=")
			o.Options[name] = value
		}
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: words[1], SetOperations: []*pb.OperationSpec{o}}}}
	case "opdefault":
		name, value, _ := strings.Cut(words[1], "=")
		return setOptions(ofOperations, name, value)
	case "constrain":
		e := new(pb.Edit)
		if err := prototext.Unmarshal([]byte("create_constraint{constraint{"+strings.Join(words[1:], " ")+"}}"), e); err != nil {
			c.t.Fatal(err)
		}
		return e
	case "device": // ID [NAME=VALUE]
		device := &pb.FencingDevice{Id: words[1], Type: "fence_test", Parameters: map[string]string{}, Traits: &pb.DeviceTraits{On: true, Status: true, Secrets: []string{"password"}}}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			device.Parameters[name] = value
		}
		return &pb.Edit{Kind: &pb.Edit_CreateDevice{CreateDevice: &pb.CreateDevice{Device: device}}}
	case "redevice": // ID NAME=VALUE
		name, value, _ := strings.Cut(words[2], "=")
		return &pb.Edit{Kind: &pb.Edit_UpdateDevice{UpdateDevice: &pb.UpdateDevice{Id: words[1], SetParameters: map[string]string{name: value}}}}
	case "enable", "disable": // ID [force]
		disabled := words[0] == "disable"
		return &pb.Edit{Kind: &pb.Edit_UpdateDevice{UpdateDevice: &pb.UpdateDevice{Id: words[1], Disabled: &disabled, Force: len(words) > 2}}}
	case "undevice":
		return &pb.Edit{Kind: &pb.Edit_DeleteDevice{DeleteDevice: &pb.DeleteDevice{Id: words[1], Force: len(words) > 2}}}
	case "level": // NODE LEVEL DEVICE...
		var level uint64
		c.scan(words[2], &level)
		l := &pb.FencingLevel{Target: words[1], Level: uint32(level), Devices: words[3:]}
		return &pb.Edit{Kind: &pb.Edit_AddLevel{AddLevel: &pb.AddLevel{Level: l}}}
	case "unlevel": // NODE [LEVEL]
		var level uint64
		if len(words) > 2 {
			c.scan(words[2], &level)
		}
		return &pb.Edit{Kind: &pb.Edit_RemoveLevels{RemoveLevels: &pb.RemoveLevels{Target: words[1], Level: uint32(level)}}}
	case "fence":
		return &pb.Edit{Kind: &pb.Edit_FenceNode{FenceNode: &pb.FenceNode{Node: words[1], StayOff: len(words) > 2}}}
	case "confirmoff":
		return &pb.Edit{Kind: &pb.Edit_ConfirmOff{ConfirmOff: &pb.ConfirmOff{Node: words[1]}}}
	case "forget":
		return &pb.Edit{Kind: &pb.Edit_CleanupFencing{CleanupFencing: &pb.CleanupFencing{Node: words[1]}}}
	case "property":
		name, value, _ := strings.Cut(strings.Join(words[1:], " "), "=")
		return setOptions(ofCluster, name, value)
	default:
		c.t.Fatalf("the test's words %v are no command", words)
		return nil
	}
}

func change(edits ...*pb.Edit) *pb.Command {
	return &pb.Command{Actor: "root@na", Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}}
}

// node makes a node of its id and of settings: name=…, replica, witness, stopped, disabled.
func node(id string, settings ...string) *pb.Node {
	n := &pb.Node{Id: id, Name: "n" + id, Addresses: []string{"10.0.0.1:7000"}, Version: "1.0"}
	for _, s := range settings {
		switch name, ok := strings.CutPrefix(s, "name="); {
		case ok:
			n.Name = name
		case s == "replica":
			n.Role = pb.Role_ROLE_REPLICA
		case s == "witness":
			n.Role = pb.Role_ROLE_WITNESS
		case s == "stopped":
			n.Stopped = true
		case s == "disabled":
			n.Disabled = true
		}
	}
	return n
}

func createResource(id string, settings ...string) *pb.Edit {
	r := &pb.Resource{Id: id, Agent: "ocf:heartbeat:Dummy", Traits: &pb.Traits{}}
	group := ""
	for _, s := range settings {
		switch name, value, _ := strings.Cut(s, "="); name {
		case "lapse":
			d, err := ParseDuration(value)
			if err != nil {
				panic(err)
			}
			r.Traits.Lapse = durationpb.New(d)
		case "group":
			group = value
		}
	}
	return &pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: r, Group: group}}}
}

// createConstraint makes one of "location R NODE SCORE", "colocation R WITH
// SCORE" or "order FIRST THEN [optional|serialize]".
func createConstraint(words ...string) *pb.Edit {
	c := &pb.Constraint{}
	switch words[0] {
	case "location":
		c.Kind = &pb.Constraint_Location{Location: &pb.Location{Resource: words[1], Node: words[2], Score: score(words[3])}}
	case "colocation":
		c.Kind = &pb.Constraint_Colocation{Colocation: &pb.Colocation{Resource: words[1], With: words[2], Score: score(words[3])}}
	default:
		o := &pb.Order{First: words[1], Then: words[2]}
		if len(words) > 3 {
			o.Kind = pb.OrderKind(pb.OrderKind_value["ORDER_KIND_"+strings.ToUpper(words[3])])
		}
		c.Kind = &pb.Constraint_Order{Order: o}
	}
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
}

func score(s string) int64 {
	n, err := ParseScore(s)
	if err != nil {
		panic(err)
	}
	return n
}

func setOptions(scope pb.OptionScope, name, value string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{Scope: scope, Set: map[string]string{name: value}}}}
}

func (c *cluster) epoch(node string) uint64 { return NodeByID(c.state(), node).GetEpoch() }

// admit reads "NODE [from=EPOCH] [boot=ID]".
func (c *cluster) admit(node string, settings []string) *pb.Command {
	a := &pb.Admit{Node: node, FromEpoch: c.epoch(node), Nonce: 7, BootId: "boot1", Lease: durationpb.New(400 * time.Millisecond)}
	for _, s := range settings {
		if v, ok := strings.CutPrefix(s, "from="); ok {
			c.scan(v, &a.FromEpoch)
		}
		if v, ok := strings.CutPrefix(s, "boot="); ok {
			a.BootId = v
		}
	}
	return &pb.Command{Body: &pb.Command_Admit{Admit: a}}
}

// length reads "NODE LENGTH [epoch=EPOCH] [from=VERSION]".
func (c *cluster) length(node string, settings []string) *pb.Command {
	d, err := time.ParseDuration(settings[0])
	if err != nil {
		c.t.Fatal(err)
	}
	l := &pb.SetLength{
		Node: node, Epoch: c.epoch(node), FromVersion: NodeByID(c.state(), node).GetLeaseVersion(),
		Length: durationpb.New(d), Reason: "a test asks for it",
	}
	for _, s := range settings[1:] {
		if v, ok := strings.CutPrefix(s, "epoch="); ok {
			c.scan(v, &l.Epoch)
		}
		if v, ok := strings.CutPrefix(s, "from="); ok {
			c.scan(v, &l.FromVersion)
		}
	}
	return &pb.Command{Body: &pb.Command_SetLength{SetLength: l}}
}

// gone reads "NODE [epoch=EPOCH] VOTER=SILENCE …".
func (c *cluster) gone(node string, settings []string) *pb.Command {
	g := &pb.NodeGone{Node: node, Epoch: c.epoch(node)}
	for _, s := range settings {
		voter, v, _ := strings.Cut(s, "=")
		if voter == "epoch" {
			c.scan(v, &g.Epoch)
			continue
		}
		silence, err := time.ParseDuration(v)
		if err != nil {
			c.t.Fatal(err)
		}
		g.Testimonies = append(g.Testimonies, &pb.Testimony{Voter: voter, Silence: durationpb.New(silence)})
	}
	return &pb.Command{Body: &pb.Command_NodeGone{NodeGone: g}}
}

func (c *cluster) scan(s string, into *uint64) {
	c.t.Helper()
	if _, err := fmt.Sscan(s, into); err != nil {
		c.t.Fatalf("read %q: %v", s, err)
	}
}

var kinds = map[string]pb.OperationKind{
	"start": pb.OperationKind_OPERATION_KIND_START, "stop": pb.OperationKind_OPERATION_KIND_STOP,
	"probe": pb.OperationKind_OPERATION_KIND_PROBE, "monitor": pb.OperationKind_OPERATION_KIND_MONITOR,
	"reload":  pb.OperationKind_OPERATION_KIND_RELOAD,
	"promote": pb.OperationKind_OPERATION_KIND_PROMOTE, "demote": pb.OperationKind_OPERATION_KIND_DEMOTE,
}

var outcomes = map[string]pb.Outcome{
	"done": pb.Outcome_OUTCOME_DONE, "failed": pb.Outcome_OUTCOME_FAILED, "timeout": pb.Outcome_OUTCOME_TIMED_OUT,
	"notrunning": pb.Outcome_OUTCOME_NOT_RUNNING, "refused": pb.Outcome_OUTCOME_REFUSED,
}

// operation reads "KIND RESOURCE NODE [EPOCH]".
func (c *cluster) operation(words []string) *pb.Operation {
	o := &pb.Operation{Kind: kinds[words[0]], Resource: words[1], Node: words[2], Epoch: c.epoch(words[2])}
	if len(words) > 3 {
		c.scan(words[3], &o.Epoch)
	}
	return o
}

// result reads "OUTCOME RESOURCE NODE", of the operation under way there.
func (c *cluster) result(words []string) *pb.Command {
	o := OperationOn(c.state(), words[1], words[2])
	if o == nil {
		o = &pb.Operation{Id: 999, Resource: words[1], Node: words[2]}
	}
	return record(&pb.Result{
		Operation: o.Id, Kind: o.Kind, Resource: o.Resource, Node: o.Node, Epoch: o.Epoch, Assignment: o.Assignment,
		Outcome: outcomes[words[0]], Revision: ResourceByID(c.state(), o.Resource).GetRevision(), Error: "because",
	})
}

// report reads "report RESOURCE NODE OUTCOME [ASSIGNMENT] [INTERVAL]": a monitor that nobody ordered.
func (c *cluster) report(words []string) *pb.Command {
	r := &pb.Result{
		Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: words[1], Node: words[2], Epoch: c.epoch(words[2]),
		Assignment: AssignmentAt(c.state(), words[1], words[2]).GetNumber(), Outcome: outcomes[words[3]], Error: "because",
	}
	for _, w := range words[4:] {
		if d, err := time.ParseDuration(w); err == nil && w != "0" && strings.HasSuffix(w, "s") {
			r.Interval = durationpb.New(d)
			continue
		}
		c.scan(w, &r.Assignment)
	}
	return record(r)
}

func record(r *pb.Result) *pb.Command {
	return &pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: r}}}
}

// summary tells of each resource who owns it and what is known of it where, in
// one line: "db owned by a#1 revoking: a failed 1, b stopped". Of a clone it names
// all owners.
func summary(s *pb.State) string {
	var out strings.Builder
	for _, r := range s.Resources {
		out.WriteString(r.Id)
		if r.Deleting {
			out.WriteString(" deleting")
		}
		for _, a := range AssignmentsOf(s, r.Id) {
			fmt.Fprintf(&out, " owned by %s#%d", a.Node, a.Number)
			if a.Revoking {
				out.WriteString(" revoking")
			}
			if a.Orphaned {
				out.WriteString(" orphaned")
			}
		}
		between := ": "
		for _, i := range s.Instances {
			if i.Resource != r.Id {
				continue
			}
			state := strings.ToLower(strings.TrimPrefix(i.State.String(), "INSTANCE_STATE_"))
			fmt.Fprintf(&out, "%s%s %s", between, i.Node, state)
			if i.FailCount > 0 {
				fmt.Fprintf(&out, " %s", FormatScore(int64(i.FailCount)))
			}
			if i.OnFail != "" {
				out.WriteString(" on-fail=" + i.OnFail)
			}
			if i.ByHand {
				out.WriteString(" by hand")
			}
			between = ", "
		}
		for _, o := range s.Operations {
			if o.Resource == r.Id {
				fmt.Fprintf(&out, "; %s on %s", kindName(o.Kind), o.Node)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// A scenario is a script on a new cluster and what it leads to.
type scenario struct {
	name   string
	script string
	want   string // the summary, without the indentation
}

func runScenarios(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, tt := range scenarios {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run(tt.script)
			if got, want := summary(c.state()), trimmed(tt.want); got != want {
				t.Errorf("after%s\n got:\n%swant:\n%s", tt.script, got, want)
			}
		})
	}
}

func trimmed(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}
