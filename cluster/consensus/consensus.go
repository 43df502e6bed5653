// Package consensus wires hashicorp/raft: its stores, its timing, who votes,
// who leads, and how a command gets committed.
//
// It is given an FSM and a transport and knows nothing of what the commands
// mean. A server's id and its address are both the node's UUID; the transport
// finds the network addresses, so an address may change without a change of
// configuration.
//
// A node whose disk hangs falls silent, so that another leads (see [HangError]).
//
// Leadership decides only who plans. It is never a right to run a resource:
// that is the lease (package lease).
package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// ErrUnknown is returned when leadership was lost while a command was under
// way: it may or may not be committed later.
var ErrUnknown = errors.New("the outcome is unknown: leadership was lost while the change was being committed")

// A NotLeaderError says that another node must be asked.
type NotLeaderError struct {
	Leader string // node id; empty when none is known
}

func (e *NotLeaderError) Error() string {
	if e.Leader == "" {
		return "no leader is known: the cluster has no quorum at the moment, or is electing"
	}
	return fmt.Sprintf("node %s is the leader", e.Leader)
}

// Timing is Raft's share of a timing profile.
type Timing struct {
	Heartbeat   time.Duration // without a leader's word for this long (to twice this), a follower stands for election
	Election    time.Duration
	LeaderLease time.Duration // at most Heartbeat
	Commit      time.Duration // how late, to twice this, followers learn what is committed if its echo is lost
}

// LAN is the default timing. A leadership lost under load is common enough at
// it, and must not matter.
var LAN = Timing{
	Heartbeat:   250 * time.Millisecond,
	Election:    250 * time.Millisecond,
	LeaderLease: 250 * time.Millisecond,
	Commit:      500 * time.Millisecond,
}

// Fast is for machines that are not loaded, with disks that sync within tens of
// milliseconds.
var Fast = Timing{
	Heartbeat:   80 * time.Millisecond,
	Election:    80 * time.Millisecond,
	LeaderLease: 80 * time.Millisecond,
	Commit:      250 * time.Millisecond,
}

// WAN is for links with round trips of tens of milliseconds.
var WAN = Timing{
	Heartbeat:   time.Second,
	Election:    time.Second,
	LeaderLease: time.Second,
	Commit:      time.Second,
}

// Config is what a Node is made of.
type Config struct {
	ID  string // node UUID
	FSM raft.FSM
	// Transport makes the way to the peers: once, and anew when raft is started
	// again. It takes nothing in before ready is closed, when the state is as stored.
	Transport func(ready <-chan struct{}) Transport
	Stores    Stores
	Timing    Timing
	Patience  time.Duration // with its disk; what takes longer costs a node its leadership; 0: endless
	Log       *slog.Logger
}

// Node is this machine's part in the consensus.
type Node struct {
	id        string
	config    Config
	present   atomic.Pointer[raft.Raft]
	transport atomic.Pointer[transport]
	disk      *disk
	changes   chan bool // gained and lost leaderships, every one of them
	sights    chan raft.Observation
	log       *slog.Logger

	committed chan struct{} // holds a token when the followers have something to learn

	handover handover
	over     bool       // Shutdown was called; it belongs to who holds handover.turn
	broken   chan error // holds why raft could not be started again
	pending  pending

	mu        sync.Mutex
	newLeader chan struct{} // closed at the next change of the leader
}

// applyTimeout bounds how long a command may wait to be taken into the log.
const applyTimeout = 2 * time.Second

// Start restores the stored state and joins the elections. A node without
// stored state waits until a leader adds it, or until Bootstrap.
func Start(c Config) (*Node, error) {
	n := &Node{
		id: c.ID, config: c, log: c.Log,
		changes: make(chan bool, 64), sights: make(chan raft.Observation, 64), newLeader: make(chan struct{}),
		committed: make(chan struct{}, 1), broken: make(chan error, 1), disk: newDisk(c.Patience),
		handover: handover{turn: make(chan struct{}, 1), timeout: c.Timing.Election},
	}
	n.config.Stores, n.config.FSM = n.disk.over(c.Stores, c.FSM)
	n.config.Stores.Log = boundary{n.config.Stores.Log, n.config.Stores.Snapshots}
	if err := n.launch(); err != nil {
		return nil, err
	}
	return n, nil
}

// launch starts raft on what the stores hold.
func (n *Node) launch() error {
	c, ready := n.config, make(chan struct{})
	t := newTransport(c.Transport(ready), c.Timing.Heartbeat, n.disk)
	r, err := raft.NewRaft(raftConfig(c, n.changes), c.FSM, c.Stores.Log, c.Stores.Stable, c.Stores.Snapshots, t)
	if err != nil {
		return fmt.Errorf("start raft: %w", errors.Join(err, t.Close()))
	}
	n.present.Store(r)
	n.transport.Store(t)
	t.raft.Store(r)
	r.RegisterObserver(raft.NewObserver(n.sights, false, observed))
	close(ready)
	return nil
}

// raft is the part that runs now: Recover replaces it.
func (n *Node) raft() *raft.Raft { return n.present.Load() }

func raftConfig(c Config, changes chan<- bool) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.ID)
	rc.HeartbeatTimeout = c.Timing.Heartbeat
	rc.ElectionTimeout = c.Timing.Election
	rc.LeaderLeaseTimeout = c.Timing.LeaderLease
	rc.CommitTimeout = c.Timing.Commit
	rc.NotifyCh = changes
	rc.Logger = newLogger(c.Log)
	rc.NoLegacyTelemetry = true
	rc.ShutdownOnRemove = false // a removed node is told, and stops by itself
	return rc
}

// Bootstrap makes this node the only voter of a new cluster.
func (n *Node) Bootstrap() error {
	err := n.raft().BootstrapCluster(raft.Configuration{Servers: []raft.Server{server(n.id)}}).Error()
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

func server(id string) raft.Server {
	return raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)}
}

// Propose commits a command and returns what the FSM answered; an answer that
// is an error is returned as the error. On a follower it is a *NotLeaderError,
// and nothing was done. After ErrUnknown the command may still be committed.
func (n *Node) Propose(ctx context.Context, c *pb.Command) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	if leader, deposed := n.deposed(); deposed {
		return nil, &NotLeaderError{Leader: leader}
	}
	if !n.pending.begin() {
		return nil, &NotLeaderError{}
	}
	f := n.raft().Apply(data, applyTimeout)
	if err := n.translate(n.answered(ctx, f)); err != nil {
		return nil, err
	}
	n.followed()
	if refused, ok := f.Response().(error); ok {
		return nil, refused
	}
	return f.Response(), nil
}

// answered waits for raft's answer until ctx ends: a main loop that hangs does
// not answer.
func (n *Node) answered(ctx context.Context, f raft.Future) error {
	answer := make(chan error, 1)
	n.pending.answers.Go(func() {
		defer n.pending.end()
		answer <- f.Error()
	})
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", ErrUnknown, ctx.Err())
	}
}

func (n *Node) translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		leader, _ := n.Leader()
		if leader == n.id {
			leader = "" // on its way to another
		}
		return &NotLeaderError{Leader: leader}
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrRaftShutdown), errors.Is(err, raft.ErrAbortedByRestore):
		return fmt.Errorf("%w (%w)", ErrUnknown, err)
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return &NotLeaderError{} // its main loop hangs, and has not taken it
	default:
		return err
	}
}

// Leader returns the leader's node id, if one is known.
func (n *Node) Leader() (id string, ok bool) {
	if leader, deposed := n.deposed(); deposed {
		return leader, leader != ""
	}
	_, leader := n.raft().LeaderWithID()
	return string(leader), leader != ""
}

// LeaderChanged is closed at the next change of the leader; take it before
// Leader. It needs Lead to run.
func (n *Node) LeaderChanged() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.newLeader
}

func (n *Node) announceLeader() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.newLeader)
	n.newLeader = make(chan struct{})
}

// LastContact returns how long ago this node last heard of the leader; zero on the leader.
func (n *Node) LastContact() time.Duration {
	if hang := n.Hang(); hang != nil && n.raft().State() == raft.Leader {
		return time.Since(hang.Since)
	}
	if n.raft().State() == raft.Leader {
		return 0
	}
	last := n.raft().LastContact()
	if last.IsZero() {
		return time.Duration(1<<63 - 1)
	}
	return time.Since(last)
}

// Term returns the present term.
func (n *Node) Term() uint64 { return n.raft().CurrentTerm() }
