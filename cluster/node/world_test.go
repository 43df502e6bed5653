package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/consensus"
	"quorate/cluster/fork"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A world is two machines on a network in memory, inside a bubble: cores as an
// agent runs them, on real stores in directories of their own.
type world struct {
	t        *testing.T
	ctx      context.Context
	tasks    sync.WaitGroup
	machines map[string]*machine
	log      slog.Handler

	mu  sync.Mutex
	cut bool
}

// A machine is what outlives its agent.
type machine struct {
	world *world
	id    string
	data  string // directory
	boots uint64

	mu     sync.Mutex
	marks  map[string]uint64
	core   *Core
	raft   *raft.InmemTransport // of the core; the newest
	leave  context.CancelCauseFunc
	ended  chan struct{}
	runs   map[string]bool // resources that run here
	stops  int             // how often one was stopped
	gaveUp []string        // archives
}

var errUnreachable = errors.New("unreachable")

// onTwoMachines runs f on a pair that serves "web", with the policy ignore.
func onTwoMachines(t *testing.T, f func(w *world, a, b *machine)) {
	t.Helper()
	dirs := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{t: t, ctx: ctx, machines: map[string]*machine{}, log: slog.DiscardHandler}
		if testing.Verbose() {
			w.log = slog.NewTextHandler(t.Output(), nil)
		}
		defer func() { // also when the test fails: nothing may be left in a bubble
			for _, m := range w.machines {
				m.end(nil)
			}
			cancel()
			w.tasks.Wait()
		}()
		for _, id := range []string{"a", "b"} {
			w.machines[id] = &machine{world: w, id: id, data: filepath.Join(dirs, id), marks: map[string]uint64{}, runs: map[string]bool{}}
			w.machines[id].start()
		}
		a, b := w.machines["a"], w.machines["b"]
		w.found(a, b)
		f(w, a, b)
	})
}

// found makes the cluster of both, with its resource.
func (w *world) found(a, b *machine) {
	w.t.Helper()
	member := func(id string) *pb.Node {
		return &pb.Node{Id: id, Name: id, Role: pb.Role_ROLE_VOTER, Addresses: []string{id + ":7480"}}
	}
	first := &pb.Bootstrap{ClusterId: "c", ClusterName: "c", Node: member("a"), Properties: map[string]string{"no-quorum-policy": "ignore"}}
	if err := a.core.Bootstrap(w.ctx, first); err != nil {
		w.t.Fatal(err)
	}
	a.propose(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: member("b")}}})
	w.await("both vote", func() bool { return w.voters(a) == "a b" && w.voters(b) == "a b" })
	a.create("web")
	w.await("web runs", func() bool { return a.serves("web") || b.serves("web") })
	time.Sleep(time.Second)
}

// await waits, in virtual time, until something is so.
func (w *world) await(what string, so func() bool) {
	w.t.Helper()
	for range 3000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, id := range slices.Sorted(maps.Keys(w.machines)) {
		w.t.Log(w.machines[id].story())
	}
	w.t.Fatalf("it does not come to it that %s", what)
}

func (w *world) voters(m *machine) string {
	return strings.Join(m.state().GetElectorate().GetVoters(), " ")
}

func (w *world) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// reach returns the agent of a machine as another one reaches it; nil: it does not.
func (w *world) reach(from, to string) *Core {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut && from != to {
		return nil
	}
	return w.machines[to].running()
}

// start runs the machine's agent.
func (m *machine) start() {
	m.world.t.Helper()
	if err := finishArchive(m.data); err != nil {
		m.world.t.Fatal(err)
	}
	log := slog.New(m.world.log).With("on", m.id, "start", m.boots+1)
	stores, err := consensus.OpenStores(filepath.Join(m.data, "raft"), log)
	if err != nil {
		m.world.t.Fatal(err)
	}
	m.boots++
	store := state.New()
	core, err := StartCore(CoreConfig{
		ID: m.id, Nonce: m.boots, BootID: "boot", Version: "v", Store: store, Stores: stores, Timing: consensus.LAN,
		Transport: func(<-chan struct{}) consensus.Transport { return m.connect(store) },
		Network:   beats{m}, Clock: sinceNow(time.Now()), Marks: m, Guard: m, Lease: profileByName("lan").Lease,
		Peers: m, Agents: m, Log: log,
	})
	if err != nil {
		m.world.t.Fatal(err)
	}
	ctx, leave := context.WithCancelCause(m.world.ctx)
	ended := make(chan struct{})
	m.mu.Lock()
	m.core, m.leave, m.ended = core, leave, ended
	m.mu.Unlock()
	m.world.tasks.Go(func() {
		defer close(ended)
		m.serve(ctx, core, stores)
	})
}

// serve is Agent.serve, as far as a core's end goes.
func (m *machine) serve(ctx context.Context, core *Core, stores consensus.Stores) {
	err := core.Run(ctx)
	m.mu.Lock()
	m.core = nil
	m.mu.Unlock()
	if err := stores.Close(); err != nil {
		m.world.t.Error(err)
	}
	var lost *DivergedError
	switch {
	case errors.As(err, &lost):
		at, err := archive(m.data, lost, time.Now())
		if err != nil {
			m.world.t.Error(err)
			return
		}
		m.mu.Lock()
		m.gaveUp = append(m.gaveUp, at)
		m.mu.Unlock()
		m.world.tasks.Go(m.start)
	case err != nil && ctx.Err() == nil:
		m.world.t.Errorf("%s: the core ended: %v", m.id, err)
	}
}

// end ends the agent and waits for it. With [errForgotten] as the cause it does
// nothing to go on later, which is as good as dead.
func (m *machine) end(cause error) {
	m.mu.Lock()
	leave, ended := m.leave, m.ended
	m.mu.Unlock()
	leave(cause)
	<-ended
}

// powerOff lets a machine vanish from the network and then end, with all that
// runs on it.
func (m *machine) powerOff() {
	m.world.setCut(true)
	m.end(errForgotten)
	m.mu.Lock()
	clear(m.runs)
	m.mu.Unlock()
	m.world.setCut(false)
}

func (m *machine) running() *Core {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.core
}

func (m *machine) state() *pb.State {
	if core := m.running(); core != nil {
		return core.store.Get().State
	}
	return nil
}

func (m *machine) propose(c *pb.Command) {
	m.world.t.Helper()
	if err := m.offer(c); err != nil {
		m.world.t.Fatalf("%s: propose %v: %v\n%s", m.id, c, err, m.story())
	}
}

// offer proposes what may be refused.
func (m *machine) offer(c *pb.Command) error {
	ctx, cancel := context.WithTimeout(m.world.ctx, 10*time.Second)
	defer cancel()
	_, err := m.running().Propose(ctx, c)
	return err
}

func (m *machine) change(edits ...*pb.Edit) {
	m.world.t.Helper()
	m.propose(change(edits...))
}

func change(edits ...*pb.Edit) *pb.Command {
	return &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: edits}}}
}

func (m *machine) create(id string) {
	m.world.t.Helper()
	m.change(&pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{
		Resource: &pb.Resource{Id: id, Agent: "thing", Traits: &pb.Traits{}},
	}}})
}

func (m *machine) has(id string) bool { return state.ResourceByID(m.state(), id) != nil }

func (m *machine) forks() []string { return fork.History(m.state().GetForks()) }

func (m *machine) archives() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.gaveUp)
}

func (m *machine) serves(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs[id]
}

func (m *machine) stopped() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stops
}

// story is what a machine knows, for a test that fails.
func (m *machine) story() string {
	st := m.state()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: voters %s, forks %v, archives %v\n", m.id, m.world.voters(m), m.forks(), m.archives())
	for _, e := range st.GetEvents() {
		fmt.Fprintf(&b, "  %s\n", e.Text)
	}
	return b.String()
}

// events returns the texts of the events of a kind.
func (m *machine) events(kind string) (texts []string) {
	for _, e := range m.state().GetEvents() {
		if e.Kind == kind {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// wires is Raft's way over the network in memory, with the rule of cluster/fork.
type wires struct {
	*raft.InmemTransport
	machine *machine
	store   *state.Store
}

func (m *machine) connect(store *state.Store) consensus.Transport {
	_, t := raft.NewInmemTransport(raft.ServerAddress(m.id))
	m.mu.Lock()
	m.raft = t
	m.mu.Unlock()
	return &wires{t, m, store}
}

// open connects to a machine, unless it is not reached or the histories forbid it.
func (t *wires) open(to raft.ServerAddress) error {
	w, id := t.machine.world, string(to)
	core := w.reach(t.machine.id, id)
	if core == nil {
		t.Disconnect(to)
		return errUnreachable
	}
	err := fork.Check(fork.History(t.store.Get().State.Forks), fork.History(core.store.Get().State.Forks))
	if errors.Is(err, fork.ErrSplit) {
		core.Split(t.machine.id)
		if mine := t.machine.running(); mine != nil {
			mine.Split(id)
		}
	}
	if err != nil {
		return err
	}
	m := w.machines[id]
	m.mu.Lock()
	defer m.mu.Unlock()
	t.Connect(to, m.raft)
	return nil
}

func (t *wires) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (t *wires) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	if err := t.open(to); err != nil {
		return err
	}
	return t.InmemTransport.AppendEntries(id, to, q, a)
}

func (t *wires) RequestVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestVoteRequest, a *raft.RequestVoteResponse) error {
	if err := t.open(to); err != nil {
		return err
	}
	return t.InmemTransport.RequestVote(id, to, q, a)
}

func (t *wires) RequestPreVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) error {
	if err := t.open(to); err != nil {
		return err
	}
	return t.InmemTransport.RequestPreVote(id, to, q, a)
}

func (t *wires) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, q *raft.InstallSnapshotRequest, a *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := t.open(to); err != nil {
		return err
	}
	return t.InmemTransport.InstallSnapshot(id, to, q, a, data)
}

func (t *wires) TimeoutNow(id raft.ServerID, to raft.ServerAddress, q *raft.TimeoutNowRequest, a *raft.TimeoutNowResponse) error {
	if err := t.open(to); err != nil {
		return err
	}
	return t.InmemTransport.TimeoutNow(id, to, q, a)
}

// beats carries the lease's datagrams.
type beats struct{ *machine }

func (d beats) Send(to string, m *pb.LeaseDatagram) error {
	m = proto.CloneOf(m)
	d.world.tasks.Go(func() {
		time.Sleep(time.Millisecond)
		if core := d.world.reach(d.id, to); core != nil {
			core.Receive(d.id, m)
		}
	})
	return nil
}

type sinceNow time.Time

func (s sinceNow) Now() time.Duration { return time.Since(time.Time(s)) + time.Hour }

// Load and Save implement lease.Marks.
func (m *machine) Load() (map[string]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.marks), nil
}

func (m *machine) Save(about string, epoch uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks[about] = max(m.marks[about], epoch)
	return nil
}

// Extend, Clear and Kept implement lease.Guard: "thing" has none.
func (m *machine) Extend(time.Duration) error { return nil }
func (m *machine) Clear() error               { return nil }
func (m *machine) Kept() bool                 { return false }

// Execute, Propose and Meet implement Peers.
func (m *machine) Execute(ctx context.Context, to string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	return call(m, to, func(core *Core) (*pb.ExecuteResponse, error) { return core.Execute(ctx, r) })
}

func (m *machine) Propose(ctx context.Context, to string, r *pb.ProposeRequest) (*pb.ProposeResponse, error) {
	return call(m, to, func(core *Core) (*pb.ProposeResponse, error) {
		applied, err := core.ProposeAsLeader(ctx, r.Command)
		if err != nil {
			return nil, err
		}
		return &pb.ProposeResponse{Index: applied.Index, Operations: applied.Operations}, nil
	})
}

func (m *machine) Operate(ctx context.Context, to string, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	return call(m, to, func(core *Core) (*pb.OperateResponse, error) { return core.Operate(ctx, r) })
}

func (m *machine) Meet(_ context.Context, to string, r *pb.MeetRequest) (*pb.MeetResponse, error) {
	return call(m, to, func(core *Core) (*pb.MeetResponse, error) { return core.Meet(r) })
}

func call[R any](m *machine, to string, f func(*Core) (R, error)) (R, error) {
	time.Sleep(time.Millisecond)
	core := m.world.reach(m.id, to)
	if core == nil {
		var none R
		return none, errUnreachable
	}
	return f(core)
}

// Find implements executor.Agents: there is one kind, and it runs on the machine.
func (m *machine) Find(string) (resources.Agent, error) { return thing{m}, nil }

type thing struct{ *machine }

func (thing) Metadata() *pb.AgentMetadata                              { return &pb.AgentMetadata{Name: "thing"} }
func (thing) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }

func (t thing) Start(_ context.Context, r *pb.Resource) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs[r.Id] = true
	return nil
}

func (t thing) Stop(_ context.Context, r *pb.Resource) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runs[r.Id] {
		t.stops++
	}
	delete(t.runs, r.Id)
	return nil
}

func (t thing) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	if t.serves(r.Id) {
		return resources.Running, nil
	}
	return resources.Stopped, nil
}
