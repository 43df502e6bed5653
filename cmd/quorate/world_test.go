package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/forecast"
	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A world is an agent to talk to over a real unix socket. State and scheduler
// are the real ones, and what a change asks for is done at once; a second passes
// before each change. Their sentences are replaced, as they are not ours to test.
type world struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedStatusServer
	pb.UnimplementedServersServer
	t      *testing.T
	socket string

	mu       sync.Mutex
	state    *pb.State
	index    uint64
	newest   uint64 // change
	at       time.Time
	refusals []error            // of the next questions, in order
	asked    []string           // the questions that change nothing in the state, as text
	stuck    map[string]string  // resources whose start fails, and why
	changed  chan struct{}      // closed at the next change
	pending  []*pb.WaitResponse // answers of Wait, before "settled"
	pair     *pb.PairStatus
	balances []*pb.BalanceStatus // what nodes tell of servers
	attended bool                // a person can be asked
	env      map[string]string
	files    map[string]string // of nodes that hold a resource's text, by node
}

// newWorld starts an agent; with nodes, in a cluster of them.
func newWorld(t *testing.T, nodes ...string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "q") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, socket: filepath.Join(dir, "agent.sock"), state: &pb.State{},
		at: time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC), stuck: make(map[string]string), changed: make(chan struct{}),
	}
	l, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterClusterServer(server, w)
	pb.RegisterStatusServer(server, w)
	pb.RegisterServersServer(server, w)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		server.Stop()
		running.Wait()
		os.RemoveAll(dir)
	})
	if len(nodes) > 0 {
		w.found("web", nodes...)
	}
	return w
}

// run runs one command line and returns all it printed and its exit status.
func (w *world) run(program string, words ...string) (out, err string, exit int) {
	return w.runWith(strings.NewReader(""), program, words...)
}

func (w *world) runWith(in *strings.Reader, program string, words ...string) (out, errOut string, exit int) {
	var o, e strings.Builder
	a := newApp(program, in, &o, &e, func(name string) string { return w.env[name] })
	a.socket = w.socket
	a.now, a.attended = w.now, func() bool { return w.attended }
	exit = a.run(w.t.Context(), words)
	return o.String(), e.String(), exit
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// found makes a cluster of nodes that are up.
func (w *world) found(name string, nodes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range nodes {
		node := &pb.Node{Id: "id-" + n, Name: n, Role: pb.Role_ROLE_VOTER, Addresses: []string{n + ":7480"}, Version: "v1"}
		c := &pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: node}}}
		if i == 0 {
			c.Body = &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "c", ClusterName: name, Node: node}}
		}
		w.must(c)
	}
	for _, n := range nodes {
		w.must(&pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
			Node: "id-" + n, Nonce: 1, BootId: "boot", Version: "v1", Lease: durationpb.New(400 * time.Millisecond),
		}}})
	}
	for i := range nodes {
		if i > 0 {
			w.vote("id-" + nodes[i])
		}
		w.confirm()
	}
}

// vote brings an admitted node into the electorate.
func (w *world) vote(id string) {
	voters := append(slices.Clone(w.state.GetElectorate().GetVoters()), id)
	slices.Sort(voters)
	w.must(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
		FromVersion: w.state.GetElectorate().GetVersion(), Voters: voters,
	}}})
}

// confirm lets every node know the electorate.
func (w *world) confirm() {
	for _, n := range w.state.GetNodes() {
		if n.GetElectorateConfirmed() != w.state.GetElectorate().GetVersion() {
			w.must(&pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
				Node: n.GetId(), Epoch: n.GetEpoch(), Version: w.state.GetElectorate().GetVersion(),
			}}})
		}
	}
}

// apply commits one command. w.mu is held, as in all that follow.
func (w *world) apply(c *pb.Command) (*state.Applied, error) {
	c.Level, c.ProposedAt = 1, timestamppb.New(w.at)
	next, applied, err := state.Step(w.state, w.index+1, c)
	if err != nil {
		return nil, err
	}
	w.index++
	w.state = next
	close(w.changed)
	w.changed = make(chan struct{})
	return applied, nil
}

func (w *world) must(c *pb.Command) *state.Applied {
	applied, err := w.apply(c)
	if err != nil {
		w.t.Errorf("the world's own %T was refused: %v", c.GetBody(), err)
	}
	return applied
}

// operate does what the scheduler wants until nothing is left.
func (w *world) operate() {
	for range 200 {
		ready := scheduler.Schedule(w.state, w.at).Ready()
		if len(ready) == 0 {
			return
		}
		w.do(ready[0])
	}
	w.t.Error("the cluster does not come to rest")
}

func (w *world) do(step scheduler.Step) {
	applied := w.must(&pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{{
		Kind: step.Kind, Resource: step.Resource, Node: step.Node, Epoch: state.NodeByID(w.state, step.Node).GetEpoch(),
		Timeout: durationpb.New(time.Minute), Reason: step.Reason,
	}}}}})
	op, r := applied.Operations[0], state.ResourceByID(w.state, step.Resource)
	result := &pb.Result{
		Operation: op.GetId(), Kind: op.GetKind(), Resource: op.GetResource(), Node: op.GetNode(), Epoch: op.GetEpoch(),
		Assignment: op.GetAssignment(), Outcome: pb.Outcome_OUTCOME_DONE, Revision: r.GetRevision(), Restart: r.GetRestart(),
	}
	switch why := w.stuck[op.GetResource()]; {
	case op.GetKind() == pb.OperationKind_OPERATION_KIND_PROBE:
		result.Outcome = pb.Outcome_OUTCOME_NOT_RUNNING
	case op.GetKind() == pb.OperationKind_OPERATION_KIND_START && why != "":
		result.Outcome, result.Error = pb.Outcome_OUTCOME_FAILED, why
	}
	w.must(&pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: result}}})
}

// refuse makes the API's kind of error of the state's.
func refuse(err error) error {
	r, ok := errors.AsType[*state.Refusal](err)
	if !ok {
		return err
	}
	code := map[state.Code]codes.Code{
		state.Invalid: codes.InvalidArgument, state.NotFound: codes.NotFound,
		state.Exists: codes.AlreadyExists, state.Precondition: codes.FailedPrecondition,
	}[r.Code]
	return refusal(code, strings.ToUpper(strings.ReplaceAll(r.Code.String(), " ", "_")), "(the state's words: "+r.Code.String()+")", nil)
}

func refusal(code codes.Code, reason, text string, metadata map[string]string) error {
	maps.DeleteFunc(metadata, func(_, v string) bool { return v == "" })
	s, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason, Metadata: metadata})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

// next notes a question and returns the refusal that waits for it, if any.
func (w *world) next(name string, m proto.Message) error {
	w.asked = append(w.asked, fmt.Sprintf("%s %s", name, compact(m)))
	if len(w.refusals) == 0 {
		return nil
	}
	err := w.refusals[0]
	w.refusals = w.refusals[1:]
	return err
}

func (w *world) Change(_ context.Context, r *pb.ChangeRequest) (*pb.ChangeResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("Change", r); err != nil {
		return nil, err
	}
	w.at = w.at.Add(time.Second)
	resp := new(pb.ChangeResponse)
	for _, e := range r.GetEdits() {
		if c := e.GetCreateResource(); c.GetResource().GetAgent() == "ocf:heartbeat:IPaddr2" {
			resp.Notes = append(resp.Notes, "interface eth0, from the route 10.0.0.0/24")
		}
	}
	for _, e := range r.GetEdits() {
		if k := e.GetReplaceConfiguration(); k.GetCheckpoint() > 0 {
			old, err := state.ConfigurationAt(w.state, k.GetCheckpoint())
			if err != nil {
				return nil, refuse(err)
			}
			k.Configuration = old
		}
	}
	next, _, err := state.Step(w.state, w.index+1, &pb.Command{ProposedAt: timestamppb.New(w.at), Body: &pb.Command_Change{Change: &pb.Change{Edits: r.GetEdits()}}})
	if err != nil {
		return nil, refuse(err)
	}
	foretold := w.foretell(forecast.Change(w.state, next, r.GetEdits(), w.at))
	switch {
	case r.GetDryRun():
		resp.Forecast = foretold
		return resp, nil
	case !r.GetForce() && len(foretold.GetInterruptions()) > 0:
		return nil, interrupted(foretold)
	}
	applied, err := w.apply(&pb.Command{Actor: "root@lvsm", Body: &pb.Command_Change{Change: &pb.Change{Edits: r.GetEdits()}}})
	if err != nil {
		return nil, refuse(err)
	}
	resp.Index, w.newest = applied.Index, applied.Index
	w.operate()
	return resp, nil
}

// foretell replaces the sentences of a forecast.
func (w *world) foretell(f *pb.Forecast) *pb.Forecast {
	for _, a := range f.GetActions() {
		a.Reason = "(why)"
	}
	for _, p := range f.GetPlacements() {
		p.Reason = "(why " + p.GetResource() + " is there)"
	}
	for _, s := range f.GetSteps() {
		s.Reason = "(why)"
	}
	for i := range f.GetProblems() {
		f.Problems[i] = "(a problem)"
	}
	for i, text := range f.GetInterruptions() {
		f.Interruptions[i] = "(" + strings.Fields(text)[0] + " is interrupted)"
	}
	return f
}

// interrupted refuses a change as the API does.
func interrupted(f *pb.Forecast) error {
	s := status.Convert(refusal(codes.FailedPrecondition, reasonInterrupts, "it interrupts: "+strings.Join(f.GetInterruptions(), "; "), map[string]string{"fix": "force it"}))
	s, err := s.WithDetails(&pb.Forecast{Interruptions: f.GetInterruptions()})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

// SetAttributes takes a dampened change in at once.
func (w *world) SetAttributes(_ context.Context, r *pb.SetAttributesRequest) (*pb.SetAttributesResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("SetAttributes", r); err != nil {
		return nil, err
	}
	n := state.NodeByName(w.state, cmp.Or(r.GetNode(), "lvsm"))
	_, err := w.apply(&pb.Command{Body: &pb.Command_SetTransient{SetTransient: &pb.SetTransient{Node: n.GetId(), Epoch: n.GetEpoch(), Set: r.GetSet()}}})
	if err != nil {
		return nil, refuse(err)
	}
	return &pb.SetAttributesResponse{}, nil
}

// RunByHand has a script say a line, and does what a start would.
func (w *world) RunByHand(_ context.Context, r *pb.RunByHandRequest) (*pb.RunByHandResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("RunByHand", r); err != nil {
		return nil, err
	}
	resp := &pb.RunByHandResponse{
		Resource: r.GetResource(), Node: "lvsm", Action: r.GetAction(), Outcome: pb.Outcome_OUTCOME_DONE,
		Output: "INFO: here I am\n", Took: durationpb.New(12 * time.Millisecond),
	}
	if r.GetAction() == pb.OperationKind_OPERATION_KIND_MONITOR {
		resp.State = "running"
	} else if _, err := w.apply(&pb.Command{Body: &pb.Command_RunByHand{RunByHand: &pb.RunByHand{
		Resource: r.GetResource(), Node: "id-lvsm", Epoch: state.NodeByName(w.state, "lvsm").GetEpoch(), Action: r.GetAction(), Force: r.GetForce(),
	}}}); err != nil {
		return nil, refuse(err)
	}
	if why := w.stuck[r.GetResource()]; why != "" {
		resp.Outcome, resp.Error, resp.State = pb.Outcome_OUTCOME_FAILED, why, strings.Replace(resp.State, "running", "stopped", 1)
	}
	return resp, nil
}

func (w *world) answer() *pb.GetResponse {
	r := &pb.GetResponse{State: proto.CloneOf(state.Shown(w.state)), Index: w.index, Node: "id-lvsm", NodeName: "lvsm", Version: "v1"}
	if w.state.GetClusterId() == "" {
		return r
	}
	r.Leader, r.Quorate, r.AsOf, r.Pair = "id-lvsm", true, durationpb.New(0), w.pair
	plan := scheduler.Schedule(w.state, w.at)
	for _, p := range plan.Placements {
		status := &pb.PlacementStatus{Resource: p.Resource, Node: p.Node, Reason: "(why " + p.Resource + " is there)"}
		if len(p.Blocked) > 0 {
			status.Blocked = []string{"(why " + p.Resource + " is blocked)"}
			r.Problems = append(r.Problems, status.GetBlocked()...)
		}
		r.Placements = append(r.Placements, status)
	}
	for _, e := range r.GetState().GetEvents() {
		e.Text = fmt.Sprintf("(event of kind %s)", e.GetKind())
	}
	return r
}

func (w *world) Get(_ context.Context, r *pb.GetRequest) (*pb.GetResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := w.answer()
	if r.GetServers() != pb.ServerDetail_SERVER_DETAIL_NONE {
		answer.Balances = w.balances
	}
	return answer, nil
}

func (w *world) List(_ context.Context, r *pb.ListServersRequest) (*pb.ListServersResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.GetServer() == "" { // a drain asks often
		if err := w.next("List", r); err != nil {
			return nil, err
		}
	}
	answer := &pb.ListServersResponse{Balances: each(w.balances, proto.CloneOf[*pb.BalanceStatus])}
	if r.GetServer() != "" {
		s := answer.Balances[0].GetServices()[0]
		s.Servers = slices.DeleteFunc(s.GetServers(), func(e *pb.BalancedServer) bool { return e.GetName() != r.GetServer() })
		w.drain()
	}
	return answer, nil
}

// drain ends a connection of each server.
func (w *world) drain() {
	for _, b := range w.balances {
		for _, s := range b.GetServices() {
			for _, e := range s.GetServers() {
				e.Open = max(e.GetOpen(), 1) - 1
			}
		}
	}
}

func (w *world) Order(_ context.Context, r *pb.OrderServersRequest) (*pb.OrderServersResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("Order", r); err != nil {
		return nil, err
	}
	answer := &pb.OrderServersResponse{Targets: []*pb.ServerTarget{{Resource: "lb", Service: "tcp 192.0.2.10:80", Server: r.GetServer() + ":80"}}}
	if r.GetKept() {
		answer.Index, answer.Notes = w.newest, []string{"(what is to be known)"}
	}
	return answer, nil
}

func (w *world) Watch(_ *pb.WatchRequest, s grpc.ServerStreamingServer[pb.GetResponse]) error {
	for {
		w.mu.Lock()
		r, changed := w.answer(), w.changed
		w.mu.Unlock()
		if err := s.Send(r); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.Context().Done():
			return nil
		}
	}
}

func (w *world) Wait(_ context.Context, r *pb.WaitRequest) (*pb.WaitResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	which := fmt.Sprintf("index %d", r.GetIndex())
	if r.GetIndex() == w.newest {
		which = "for that change"
	}
	w.asked = append(w.asked, "Wait "+which)
	w.at = w.at.Add(r.GetTimeout().AsDuration())
	if len(w.pending) > 0 {
		resp := w.pending[0]
		w.pending = w.pending[1:]
		return resp, nil
	}
	return &pb.WaitResponse{Settled: true}, nil
}

func (w *world) Why(_ context.Context, r *pb.WhyRequest) (*pb.WhyResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sentences, scores := scheduler.Explain(w.state, w.at, r.GetResource(), r.GetNode())
	if sentences == nil {
		return nil, status.Errorf(codes.NotFound, "resource: there is no resource or group %q", r.GetResource())
	}
	for _, n := range scores {
		for _, reason := range n.GetReasons() {
			reason.Text = "(why)"
		}
	}
	said := fmt.Sprintf("(why %s is where it is)", r.GetResource())
	return &pb.WhyResponse{Sentences: []string{said, said, "(about " + cmp.Or(r.GetNode(), "every node") + ")"}, Scores: scores}, nil
}

func (w *world) Simulate(_ context.Context, r *pb.SimulateRequest) (*pb.SimulateResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("Simulate", r); err != nil {
		return nil, err
	}
	then := w.state
	if len(r.GetEdits()) > 0 {
		next, _, err := state.Step(w.state, w.index+1, &pb.Command{ProposedAt: timestamppb.New(w.at), Body: &pb.Command_Change{Change: &pb.Change{Edits: r.GetEdits()}}})
		if err != nil {
			return nil, refuse(err)
		}
		then = next
	}
	f, err := forecast.Simulate(w.state, then, r.GetWhatIf(), w.at)
	if err != nil {
		return nil, refuse(err)
	}
	return &pb.SimulateResponse{Forecast: w.foretell(f), Index: w.index}, nil
}

func (w *world) Checkpoints(_ context.Context, r *pb.CheckpointsRequest) (*pb.CheckpointsResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.GetNumber() == 0 {
		list := each(w.state.GetCheckpoints(), proto.CloneOf[*pb.Checkpoint])
		for _, k := range list {
			k.Change = nil
			k.Text = fmt.Sprintf("(what checkpoint %d changed)", k.GetNumber())
		}
		return &pb.CheckpointsResponse{Checkpoints: list}, nil
	}
	c, err := state.ConfigurationAt(w.state, r.GetNumber())
	if err != nil {
		return nil, refuse(err)
	}
	return &pb.CheckpointsResponse{Configuration: c}, nil
}

// Text is of agents that have a text, config, and the file conffile in its place.
func (w *world) Text(_ context.Context, r *pb.TextRequest) (*pb.TextResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	resource := state.ResourceByID(w.state, r.GetResource())
	if resource == nil {
		return nil, status.Errorf(codes.NotFound, "resource: there is no resource %q", r.GetResource())
	}
	t := &pb.TextResponse{Resource: r.GetResource(), Parameter: "config", Text: resource.GetParameters()["config"], FileParameter: "conffile", Revision: resource.GetRevision()}
	if t.Text != "" {
		return t, nil
	}
	t.Path = "/etc/haproxy/haproxy.cfg"
	for _, n := range w.state.GetNodes() {
		text := &pb.NodeText{Node: n.GetName(), Text: w.files[n.GetName()]}
		if text.Text == "" {
			text.Error = "open " + t.Path + ": no such file or directory"
		}
		t.Nodes = append(t.Nodes, text)
	}
	return t, nil
}

func (w *world) Auth(_ context.Context, r *pb.AuthRequest) (*pb.AuthResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next("Auth", r); err != nil {
		return nil, err
	}
	resp := new(pb.AuthResponse)
	for _, h := range r.GetHosts() {
		resp.Hosts = append(resp.Hosts, &pb.HostResult{Name: h.GetName(), Fingerprint: "00"})
	}
	return resp, nil
}

// sender is the server's end of a long work.
type sender = grpc.ServerStreamingServer[pb.Progress]

// work notes a long work, does it and tells of it.
func (w *world) work(name string, m proto.Message, s sender, do func() []*pb.Progress) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.next(name, m); err != nil {
		return err
	}
	w.at = w.at.Add(time.Second)
	for _, p := range do() {
		if err := s.Send(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Setup(r *pb.SetupRequest, s sender) error {
	return w.work("Setup", r, s, func() []*pb.Progress {
		if w.state.GetClusterId() != "" {
			return nothing() // the question is what counts
		}
		var lines []*pb.Progress
		for i, h := range r.GetHosts() {
			lines = append(lines, &pb.Progress{Node: h.GetName(), Text: fmt.Sprintf("joined (%d of %d)", i+1, len(r.GetHosts()))})
		}
		w.mu.Unlock()
		w.found(r.GetName(), each(r.GetHosts(), (*pb.HostSpec).GetName)...)
		w.mu.Lock()
		w.setStopped(nodeNames(w.answer()), !r.GetStart())
		return append(lines, &pb.Progress{Text: "cluster " + r.GetName() + " is ready", Index: w.index})
	})
}

func (w *world) setStopped(names []string, stopped bool) {
	var edits []*pb.Edit
	for _, n := range names {
		edits = append(edits, &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: n, Stopped: &stopped}}})
	}
	w.must(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	w.operate()
}

// stopping starts or stops nodes: the named ones, all or lvsm.
func (w *world) stopping(names []string, all, stopped bool, said string) []*pb.Progress {
	switch {
	case all:
		names = nodeNames(w.answer())
	case len(names) == 0:
		names = []string{"lvsm"}
	case !slices.Contains(nodeNames(w.answer()), names[0]):
		return nothing() // the question is what counts
	}
	w.setStopped(names, stopped)
	var lines []*pb.Progress
	for _, n := range names {
		lines = append(lines, &pb.Progress{Node: n, Text: said})
	}
	return append(lines, &pb.Progress{Index: w.index})
}

func (w *world) Start(r *pb.StartRequest, s sender) error {
	return w.work("Start", r, s, func() []*pb.Progress { return w.stopping(r.GetNodes(), r.GetAll(), false, "takes work") })
}

func (w *world) Stop(r *pb.StopRequest, s sender) error {
	return w.work("Stop", r, s, func() []*pb.Progress {
		if slices.Contains(r.GetNodes(), "away") {
			return []*pb.Progress{{Node: "away", Text: "still holds A", Failed: true}}
		}
		return w.stopping(r.GetNodes(), r.GetAll(), true, "idles")
	})
}

func nothing() []*pb.Progress { return []*pb.Progress{{Text: "done"}} }

func (w *world) Destroy(r *pb.DestroyRequest, s sender) error {
	return w.work("Destroy", r, s, nothing)
}

func (w *world) AddNode(r *pb.AddNodeRequest, s sender) error {
	return w.work("AddNode", r, s, nothing)
}

func (w *world) RemoveNode(r *pb.RemoveNodeRequest, s sender) error {
	return w.work("RemoveNode", r, s, nothing)
}

func (w *world) Join(r *pb.JoinRequest, s sender) error {
	return w.work("Join", r, s, nothing)
}

func (w *world) CreateToken(_ context.Context, r *pb.CreateTokenRequest) (*pb.CreateTokenResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &pb.CreateTokenResponse{Token: "TOKEN", ExpiresAt: timestamppb.New(w.at.Add(r.GetLifetime().AsDuration()))}, w.next("CreateToken", r)
}

func (w *world) SetPassword(_ context.Context, r *pb.SetPasswordRequest) (*pb.SetPasswordResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &pb.SetPasswordResponse{}, w.next("SetPassword", r)
}

func (w *world) Unblock(_ context.Context, r *pb.UnblockRequest) (*pb.UnblockResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &pb.UnblockResponse{}, w.next("Unblock", r)
}

func (w *world) CreateCertificate(_ context.Context, r *pb.CreateCertificateRequest) (*pb.CreateCertificateResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &pb.CreateCertificateResponse{CertificatePem: []byte("crt"), KeyPem: []byte("key"), CaPem: []byte("ca")}, w.next("CreateCertificate", r)
}

func (w *world) DescribeAgents(_ context.Context, r *pb.DescribeAgentsRequest) (*pb.DescribeAgentsResponse, error) {
	all := []*pb.AgentMetadata{
		{Name: "vip", Serves: []string{"ocf:heartbeat:IPaddr2"}, Summary: "an address", Parameters: []*pb.Parameter{{Name: "ip", Type: "address", Required: true, Summary: "the address"}}},
		{Name: "haproxy", Serves: []string{"ocf:heartbeat:haproxy"}, Summary: "an HAProxy"},
	}
	if r.GetName() == "" {
		return &pb.DescribeAgentsResponse{Agents: all}, nil
	}
	for _, m := range all {
		if m.GetName() == r.GetName() || slices.Contains(m.GetServes(), r.GetName()) {
			return &pb.DescribeAgentsResponse{Agents: []*pb.AgentMetadata{m}}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "agent: %q is unknown", r.GetName())
}
