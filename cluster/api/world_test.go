package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/consensus"
	"quorate/cluster/identity"
	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	"quorate/cluster/transport"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A world is some machines, and a cluster of those that enrolled. Identities,
// keys, TLS, gRPC and the state are real. Its log applies at once, and the
// cluster answers each entry at once: nodes are admitted, voters follow the
// roles, and operations are done.
type world struct {
	t *testing.T

	mu       sync.Mutex
	store    *state.Store
	index    uint64
	agents   []*agent
	stuck    map[string]string // resources whose stop fails, and why
	headless bool              // no leader is known
	lost     bool              // nothing can be committed
	idle     bool              // the cluster does not answer entries
	ahead    time.Duration     // of the log's clock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, store: state.New(), stuck: make(map[string]string)}
}

// An agent is one machine's.
type agent struct {
	*world
	name     string
	identity *identity.Identity
	net      *transport.Transport
	server   *Server
	socket   string
	local    *grpc.ClientConn // over it
	member   bool             // guarded by world.mu
	kinds    *resources.Registry
	still    bool // without identity and network, for a bubble
}

// boot starts an agent on 127.0.0.1.
func (w *world) boot(name string) *agent {
	w.t.Helper()
	dir := shortDir(w.t)
	id, err := identity.Open(filepath.Join(dir, "data"))
	must(w.t, err)
	a := &agent{world: w, name: name, identity: id, kinds: new(resources.Registry), socket: filepath.Join(dir, "agent.sock")}
	must(w.t, a.kinds.Register(&fileAgent{}))
	logger := slog.New(slog.DiscardHandler)
	a.net = transport.New(transport.Config{Identity: id, Addresses: w.addresses, Listen: "127.0.0.1:0", Log: logger})
	a.server, err = New(Config{
		Self: a, Identity: id, State: a, Log: w, Own: w, Sight: a, Executor: a, Agents: a.kinds, Dialer: a.net,
		Resolver: phoneBook{}, Socket: a.socket,
		Members: a.net.Listener(transport.ALPNAPI), Strangers: a.net.Listener(transport.ALPNJoin), Logger: logger,
	})
	must(w.t, err)
	a.run()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agents = append(w.agents, a)
	return a
}

func (a *agent) run() {
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.net.Run(ctx) })
	g.Go(func() error { return a.server.Run(ctx) })
	var err error
	a.local, err = grpc.NewClient("unix:"+a.socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.5, MaxDelay: 50 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}))
	must(a.t, err)
	a.t.Cleanup(func() {
		a.local.Close()
		cancel()
		if err := g.Wait(); err != nil {
			a.t.Errorf("%s: Run: %v", a.name, err)
		}
		a.identity.Close()
	})
	<-a.net.Ready()
}

func (a *agent) cluster() pb.ClusterClient { return pb.NewClusterClient(a.local) }
func (a *agent) status() pb.StatusClient   { return pb.NewStatusClient(a.local) }

// host is how the others are told of a machine.
func (a *agent) host() *pb.HostSpec {
	return &pb.HostSpec{Name: a.name, Addresses: []string{a.net.Addr().String()}}
}

func (w *world) addresses(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.agents {
		if a.identity.ID() == id {
			return []string{a.net.Addr().String()}
		}
	}
	return nil
}

// Propose commits at once.
func (w *world) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost {
		return nil, &consensus.NotLeaderError{}
	}
	applied, err := w.apply(c)
	if err == nil {
		w.answer()
	}
	return applied, err
}

// commit puts edits into the log as they are.
func (w *world) commit(edits ...*pb.Edit) error {
	_, err := w.Propose(context.Background(), &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}})
	return err
}

// apply is the log. w.mu is held, as in all that follow.
func (w *world) apply(c *pb.Command) (*state.Applied, error) {
	c.Level, c.ProposedAt = 1, timestamppb.New(time.Now().Add(w.ahead))
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	w.index++
	switch answer := w.store.Apply(&raft.Log{Index: w.index, Data: data}).(type) {
	case *state.Applied:
		return answer, nil
	case error:
		return nil, answer
	default:
		return nil, fmt.Errorf("the store answered %T", answer)
	}
}

// answer does what the cluster does about the state, until nothing is left.
func (w *world) answer() {
	for step := 0; !w.idle && (w.admit() || w.vote() || w.operate()); step++ {
		if step > 1000 {
			w.t.Error("the cluster does not come to rest")
			return
		}
	}
}

func (w *world) admit() bool {
	for _, n := range w.store.Get().State.Nodes {
		up := slices.ContainsFunc(w.agents, func(a *agent) bool { return a.member && a.id() == n.Id })
		if up && n.Admission != pb.Admission_ADMISSION_ADMITTED {
			w.mustApply(&pb.Command{Body: &pb.Command_Admit{Admit: &pb.Admit{
				Node: n.Id, FromEpoch: n.Epoch, Nonce: 1, BootId: "boot", Lease: durationpb.New(time.Second),
			}}})
			return true
		}
	}
	return false
}

func (w *world) vote() bool {
	st := w.store.Get().State
	for _, n := range st.Nodes {
		if n.Admission == pb.Admission_ADMISSION_ADMITTED && n.ElectorateConfirmed != st.Electorate.Version {
			w.mustApply(&pb.Command{Body: &pb.Command_ConfirmElectorate{ConfirmElectorate: &pb.ConfirmElectorate{
				Node: n.Id, Epoch: n.Epoch, Version: st.Electorate.Version,
			}}})
			return true
		}
	}
	for _, n := range st.Nodes {
		has, shall := state.Votes(st, n.Id), shallVote(n)
		if has == shall || (shall && n.Admission != pb.Admission_ADMISSION_ADMITTED) {
			continue
		}
		voters := slices.DeleteFunc(slices.Clone(st.Electorate.Voters), func(id string) bool { return id == n.Id })
		if shall {
			voters = append(voters, n.Id)
		}
		w.mustApply(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{
			FromVersion: st.Electorate.Version, Voters: voters,
		}}})
		return true
	}
	return false
}

// operate dispatches what the real scheduler wants, and does it.
func (w *world) operate() bool {
	st := w.store.Get().State
	ready := scheduler.Schedule(st, time.Now()).Ready()
	if len(ready) == 0 {
		return false
	}
	step := ready[0]
	applied := w.mustApply(&pb.Command{Body: &pb.Command_Dispatch{Dispatch: &pb.Dispatch{Operations: []*pb.Operation{{
		Kind: step.Kind, Resource: step.Resource, Node: step.Node, Epoch: state.NodeByID(st, step.Node).Epoch,
		Timeout: durationpb.New(time.Minute), Reason: step.Reason,
	}}}}})
	if applied == nil {
		return false
	}
	op, r := applied.Operations[0], state.ResourceByID(st, step.Resource)
	result := &pb.Result{
		Operation: op.Id, Kind: op.Kind, Resource: op.Resource, Node: op.Node, Epoch: op.Epoch, Assignment: op.Assignment,
		Outcome: pb.Outcome_OUTCOME_DONE, Revision: r.Revision, Restart: r.Restart,
	}
	switch why := w.stuck[op.Resource]; {
	case op.Kind == pb.OperationKind_OPERATION_KIND_PROBE:
		result.Outcome = pb.Outcome_OUTCOME_NOT_RUNNING
	case op.Kind == pb.OperationKind_OPERATION_KIND_STOP && why != "":
		result.Outcome, result.Error = pb.Outcome_OUTCOME_FAILED, why
	}
	w.mustApply(&pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: result}}})
	return true
}

// gone lets the others testify that a node is gone.
func (w *world) gone(a *agent) {
	st := w.store.Get().State
	n := state.NodeByID(st, a.identity.ID())
	g := &pb.NodeGone{Node: n.Id, Epoch: n.Epoch}
	for _, id := range st.Electorate.Voters {
		if id != n.Id {
			g.Testimonies = append(g.Testimonies, &pb.Testimony{Voter: id, Silence: durationpb.New(time.Minute)})
		}
	}
	w.mustApply(&pb.Command{Body: &pb.Command_NodeGone{NodeGone: g}})
}

func (w *world) mustApply(c *pb.Command) *state.Applied {
	applied, err := w.apply(c)
	if err != nil {
		w.t.Errorf("the cluster's own %T was refused: %v", c.Body, err)
		w.idle = true
	}
	return applied
}

// with runs f while the cluster stands still.
func (w *world) with(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// The agent is its server's Self, State, Sight and Executor.

func (a *agent) id() string {
	if a.still {
		return "id of " + a.name
	}
	return a.identity.ID()
}

func (a *agent) Info() Info {
	if a.still {
		return Info{ID: a.id(), Name: a.name, Version: "test"}
	}
	at := a.net.Addr().(*net.TCPAddr)
	info := Info{ID: a.identity.ID(), Name: a.name, Version: "test", Port: uint16(at.Port)}
	if n := state.NodeByID(a.Get().State, info.ID); n != nil {
		info.Name = n.Name
	}
	return info
}

func (a *agent) Bootstrap(ctx context.Context, r *pb.EnrolRequest, first *pb.Bootstrap) error {
	if err := a.enrol(r); err != nil {
		return err
	}
	_, err := a.Propose(ctx, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: first}})
	return err
}

func (a *agent) Enrol(_ context.Context, r *pb.EnrolRequest) error {
	if err := a.enrol(r); err != nil {
		return err
	}
	a.with(a.answer)
	return nil
}

func (a *agent) enrol(r *pb.EnrolRequest) error {
	err := a.identity.Enrol(identity.Enrolment{
		ClusterID: r.ClusterId, ClusterName: r.ClusterName, CA: r.CaCertificate, CAKey: r.CaKey, Certificate: r.Certificate,
	})
	if err == nil {
		a.with(func() { a.member = true })
	}
	return err
}

func (a *agent) Forget(context.Context) error {
	a.with(func() { a.member = false })
	return a.identity.Forget()
}

func (a *agent) Get() state.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.member {
		return state.Snapshot{State: &pb.State{}}
	}
	return a.store.Get()
}

func (a *agent) Changed() <-chan struct{} { return a.store.Changed() }

func (a *agent) Leader() (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.headless {
		return "", false
	}
	return a.agents[0].id(), true
}

func (a *agent) LastContact() time.Duration { return 7 * time.Millisecond }

func (a *agent) Links() []*pb.Link {
	return []*pb.Link{{Node: "peer", Address: "127.0.0.1:1", Up: true}}
}

func (a *agent) Lease() *pb.LeaseStatus { return &pb.LeaseStatus{Epoch: 1, Held: true} }

func (a *agent) Execute(_ context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	return &pb.ExecuteResponse{Result: &pb.Result{Operation: r.Operation.Id, Node: a.identity.ID(), Outcome: pb.Outcome_OUTCOME_DONE}}, nil
}

// phoneBook resolves names.
type phoneBook map[string][]string

func (b phoneBook) LookupHost(_ context.Context, host string) ([]string, error) {
	if found := b[host]; found != nil {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// fileAgent keeps a file there while it runs.
type fileAgent struct{}

var _ resources.Agent = (*fileAgent)(nil)

func (*fileAgent) Metadata() *pb.AgentMetadata {
	return &pb.AgentMetadata{
		Name: "ocf:quorate:file", Serves: []string{"ocf:heartbeat:File"}, Summary: "keeps a file there",
		Parameters: []*pb.Parameter{
			{Name: "path", Type: "path", Required: true, Summary: "the file"},
			{Name: "mode", Type: "integer", Summary: "its permissions", Reloadable: true},
		},
		Traits: &pb.Traits{Reloadable: true, Lapse: durationpb.New(time.Second)},
	}
}

func (*fileAgent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	dir := filepath.Dir(r.Parameters["path"])
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, &resources.ParameterError{Parameter: "path", Problem: dir + " is no directory here", Fix: "make it"}
	}
	return []string{"directory " + dir}, nil
}

func (*fileAgent) Start(_ context.Context, r *pb.Resource) error {
	return os.WriteFile(r.Parameters["path"], nil, 0o600)
}

func (*fileAgent) Stop(_ context.Context, r *pb.Resource) error {
	if err := os.Remove(r.Parameters["path"]); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (*fileAgent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	if _, err := os.Stat(r.Parameters["path"]); err != nil {
		return resources.Stopped, nil
	}
	return resources.Running, nil
}

// shortDir is a directory whose path fits into a socket's address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "api")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
