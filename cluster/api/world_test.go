package api

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/consensus"
	"quorate/cluster/identity"
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
	trouble  string            // what Trouble says
	lost     bool              // nothing can be committed
	unsure   int               // how many entries are committed without an answer
	vain     int               // how many are lost before they are committed
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
	devices  programs
	still    bool           // without identity and network, for a bubble
	pair     *pb.PairStatus // as it sees its peer
	known    *pb.State      // from before its start
}

// boot starts an agent on 127.0.0.1.
func (w *world) boot(name string) *agent {
	w.t.Helper()
	dir := shortDir(w.t)
	id, err := identity.Open(filepath.Join(dir, "data"))
	must(w.t, err)
	a := &agent{world: w, name: name, identity: id, kinds: new(resources.Registry), devices: programs{}, socket: filepath.Join(dir, "agent.sock")}
	must(w.t, a.kinds.Register(&fileAgent{}))
	logger := slog.New(slog.DiscardHandler)
	a.net = transport.New(transport.Config{Identity: id, Addresses: w.addresses, Listen: "127.0.0.1:0", Log: logger})
	a.server, err = New(Config{
		Self: a, Identity: id, State: a, Log: w, Own: w, Sight: a, Executor: a, Meeting: a, Agents: a.kinds, Devices: a.devices, Dialer: a.net,
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
	if w.vain > 0 {
		w.vain--
		return nil, fmt.Errorf("%w (leadership lost)", consensus.ErrUnknown)
	}
	applied, err := w.apply(c)
	if err == nil {
		w.answer()
	}
	if w.unsure > 0 {
		w.unsure--
		return nil, fmt.Errorf("%w (leadership lost)", consensus.ErrUnknown)
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

// with runs f while the cluster stands still.
func (w *world) with(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
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
