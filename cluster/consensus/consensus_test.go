package consensus

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	pb "quorate/proto/quorate/v1"
)

// counter is an FSM that counts what it applies.
type counter struct {
	mu      sync.Mutex
	applied int
	stuck   atomic.Pointer[chan struct{}] // an apply waits for it to be closed
}

func (c *counter) Apply(*raft.Log) any {
	if stuck := c.stuck.Load(); stuck != nil {
		<-*stuck
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applied++
	return c.applied
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applied
}

func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("not used") }
func (c *counter) Restore(io.ReadCloser) error         { return errors.New("not used") }

// trio is three voters on an in-memory network, inside a bubble.
type trio struct {
	t          *testing.T
	nodes      map[string]*Node
	fsms       map[string]*counter
	transports map[string]*raft.InmemTransport
	disks      map[string]*faulty
	ctx        context.Context
	running    sync.WaitGroup
	terms      func(ctx context.Context, id string, fsm *counter) error
}

// plain is a transport that has at most one message to a peer under way, as
// raft falls back to when a peer does not keep up.
type plain struct{ *raft.InmemTransport }

func (plain) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func onTrio(t *testing.T, terms func(ctx context.Context, id string, fsm *counter) error, f func(*trio)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := &trio{
			t: t, nodes: map[string]*Node{}, fsms: map[string]*counter{}, transports: map[string]*raft.InmemTransport{},
			disks: map[string]*faulty{}, ctx: ctx, terms: terms,
		}
		for _, id := range []string{"a", "b", "c"} {
			_, transport := raft.NewInmemTransport(raft.ServerAddress(id))
			c.transports[id] = transport
			c.fsms[id] = &counter{}
		}
		for id := range c.transports {
			c.connect(id)
		}
		for id := range c.transports {
			c.start(id)
		}
		if err := c.nodes["a"].Bootstrap(); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"b", "c"} {
			c.waitLeader()
			if err := c.nodes["a"].AddVoter(id); err != nil {
				t.Fatal(err)
			}
		}
		f(c)
		cancel()
		for _, n := range c.nodes {
			if err := n.raft().Shutdown().Error(); err != nil {
				t.Error(err)
			}
		}
		c.running.Wait()
	})
}

func (c *trio) start(id string) {
	c.t.Helper()
	store := newFaulty()
	c.disks[id] = store
	n, err := Start(Config{
		ID: id, FSM: c.fsms[id], Transport: func(<-chan struct{}) Transport { return plain{c.transports[id]} },
		Timing: LAN, Patience: patience, Log: slog.New(slog.DiscardHandler),
		Stores: Stores{Log: store, Stable: store, Snapshots: raft.NewInmemSnapshotStore()},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[id] = n
	c.running.Go(func() {
		_ = n.Lead(c.ctx, func(ctx context.Context) error { return c.terms(ctx, id, c.fsms[id]) })
	})
}

func (c *trio) connect(id string) {
	for other, transport := range c.transports {
		c.transports[id].Connect(raft.ServerAddress(other), transport)
		transport.Connect(raft.ServerAddress(id), c.transports[id])
	}
}

func (c *trio) cut(id string) {
	c.transports[id].DisconnectAll()
	for _, transport := range c.transports {
		transport.Disconnect(raft.ServerAddress(id))
	}
}

// waitLeader waits until somebody leads and returns the node.
func (c *trio) waitLeader() *Node {
	for range 100 {
		for _, n := range c.nodes {
			if n.raft().State() == raft.Leader {
				return n
			}
		}
		time.Sleep(50 * time.Millisecond) // virtual
	}
	c.t.Fatal("nobody leads")
	return nil
}

// waitOther waits until another node leads.
func (c *trio) waitOther(old *Node) *Node {
	for range 500 {
		for _, n := range c.nodes {
			if n != old && n.raft().State() == raft.Leader {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	c.t.Fatal("nobody else leads")
	return nil
}

func idle(ctx context.Context, _ string, _ *counter) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAReturningNodeDoesNotRaiseTheTerm(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		leader := c.waitLeader()
		term := leader.Term()
		lost := "b"
		if leader.id == lost {
			lost = "c"
		}
		c.cut(lost)
		time.Sleep(10 * time.Second)
		c.connect(lost)
		time.Sleep(5 * time.Second)
		if got := c.waitLeader(); got != leader || got.Term() != term {
			t.Errorf("leader %s of term %d after the return of %s, want still %s of term %d", got.id, got.Term(), lost, leader.id, term)
		}
	})
}

func TestTermsNeverOverlapAndBeginAfterABarrier(t *testing.T) {
	var mu sync.Mutex
	leading, committed, terms := map[string]bool{}, 0, 0
	term := func(ctx context.Context, id string, fsm *counter) error {
		mu.Lock()
		if leading[id] {
			t.Errorf("a second term of %s began before the first had ended", id)
		}
		leading[id] = true
		terms++
		if got := fsm.count(); got < committed {
			t.Errorf("%s leads having applied %d of %d commands", id, got, committed)
		}
		mu.Unlock()
		<-ctx.Done()
		time.Sleep(300 * time.Millisecond) // slow to let go
		mu.Lock()
		leading[id] = false
		mu.Unlock()
		return nil
	}
	onTrio(t, term, func(c *trio) {
		for range 10 {
			leader := c.waitLeader()
			if _, err := leader.Propose(c.t.Context(), &pb.Command{}); err == nil {
				mu.Lock()
				committed++
				mu.Unlock()
			}
			_ = leader.TransferLeadership()
			time.Sleep(time.Second)
		}
		mu.Lock()
		defer mu.Unlock()
		if terms < 8 {
			t.Errorf("only %d terms began", terms)
		}
	})
}

func TestALeaderThatCannotPlanHandsLeadershipOver(t *testing.T) {
	fail := func(ctx context.Context, id string, fsm *counter) error {
		if id == "a" {
			return errors.New("cannot")
		}
		return idle(ctx, id, fsm)
	}
	onTrio(t, fail, func(c *trio) {
		time.Sleep(10 * time.Second)
		if c.waitLeader().id == "a" {
			t.Error("a still leads although its terms fail")
		}
	})
}

func TestAFollowerNamesTheLeader(t *testing.T) {
	onTrio(t, idle, func(c *trio) {
		leader := c.waitLeader()
		time.Sleep(time.Second)
		for _, n := range c.nodes {
			_, err := n.Propose(c.t.Context(), &pb.Command{})
			var other *NotLeaderError
			if n != leader && (!errors.As(err, &other) || other.Leader != leader.id) {
				t.Errorf("proposing to %s: got %v, want a pointer to %s", n.id, err, leader.id)
			}
		}
	})
}
