// Package pair decides when one node of two may go on without the other.
//
// Two voters have no majority without each other. Where no-quorum-policy=ignore
// says that one of them shall go on nevertheless, a [Machine] decides which and
// when, from what this node sees: how long the peer is silent, what fencing,
// ping targets and the LAN say. The [Driver] looks, asks, and carries out what
// was decided. The protocol, with every turn and its reason, is in DESIGN.md.
//
// A pair keeps S1 only with fencing or a witness: cut in two while both halves
// pass their tie-breakers, both go on, until they meet.
package pair

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/cluster/lease"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// State is the replicated state.
type State interface {
	Get() state.Snapshot      // as far as this node knows, be it from before its start
	Current() bool            // what it knows is committed
	Changed() <-chan struct{} // closed at the next change
}

// Lease is this node's lease, and what it knows of the peer's.
type Lease interface {
	Held() (epoch uint64, deadline time.Duration, ok bool)
	Peer(id string) lease.Peer
	Prolong(peer string, start time.Duration) error
	Vouch(start time.Duration)
	Bind(ctx context.Context, known *pb.State, peer string, last time.Duration) (epoch uint64, silence time.Duration, err error)
}

// Reach pings targets.
type Reach interface {
	// Newest is when, on the lease's clock, the newest answered ping was sent;
	// whether there are targets at all.
	Newest() (sent time.Duration, configured bool)
	Hurry(fast bool)
}

// A Fencer fences the peer. Fence begins with the first call for an epoch, and
// tells with every one how that stands. While it is not called, nothing begins.
type Fencer interface {
	// Configured reports whether the peer is to be fenced, and can be.
	Configured(st *pb.State, peer string) bool
	Fence(peer string, epoch uint64) Fencing
}

// Agents finds the agent for a resource.
type Agents interface {
	Find(name string) (resources.Agent, error)
}

// A Log commits commands, through the leader.
type Log interface {
	Propose(ctx context.Context, c *pb.Command) error
}

// Config is what a Driver is made of.
type Config struct {
	Self   string // node id
	Length time.Duration
	Clock  lease.Clock
	State  State
	Lease  Lease
	Agents Agents
	Reach  Reach  // nil: no targets
	Fencer Fencer // nil: no devices
	Log    Log
	// Fork makes this node the only voter. The peer's epoch was testified to.
	Fork   func(ctx context.Context, peer string, epoch uint64, silence time.Duration) error
	Logger *slog.Logger
}

// A Driver feeds the machine and does what it orders.
type Driver struct {
	Config
	wake  chan struct{}   // has a token when something ended that a step waits for
	notes chan *pb.Event  // to be committed
	tasks *errgroup.Group // of Run

	mu      sync.Mutex
	machine Machine
	peer    string // as of the newest step
	round   Round
	forking bool
	failed  string
	excused bool                       // a person said to go on although the peer was never heard
	refused map[string]string          // by resource: the claim that was told last
	trusted map[int]context.CancelFunc // the starts under way that nobody was asked about
	trusts  int                        // how many there ever were
}

// keptNotes is how many events may wait for a leader. More are in the log only.
const keptNotes = 64

// New makes a Driver that does nothing until Run.
func New(c Config) *Driver {
	return &Driver{
		Config: c, wake: make(chan struct{}, 1), notes: make(chan *pb.Event, keptNotes), refused: make(map[string]string),
		trusted: make(map[int]context.CancelFunc),
		machine: Machine{Length: c.Length, Threshold: lease.Threshold(c.Length)},
	}
}

// Run looks and acts until ctx is canceled.
func (d *Driver) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	d.tasks = g
	g.Go(func() error { return d.stepLoop(ctx) })
	g.Go(func() error { return d.noteLoop(ctx) })
	return g.Wait()
}

func (d *Driver) stepLoop(ctx context.Context) error {
	for {
		changed := d.State.Changed()
		next := d.step(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step looks once, decides, and acts. It returns how long nothing is due.
func (d *Driver) step(ctx context.Context) time.Duration {
	st := d.State.Get().State
	d.mu.Lock()
	s := d.look(st)
	before := d.machine
	next, orders := before.Step(s)
	d.machine = next
	if next.Phase.Cautious() {
		d.distrust() // before the lease is kept
	}
	if orders.Fork {
		d.forking, d.failed = true, ""
	}
	peer := d.peer
	d.mu.Unlock()
	d.tell(st, before, next)
	d.carry(ctx, peer, s, orders)
	return max(orders.Next-d.Clock.Now(), time.Millisecond)
}

// carry carries orders out. What takes time runs beside the loop, which keeps
// the lease.
func (d *Driver) carry(ctx context.Context, peer string, s Sight, o Orders) {
	if o.Prolong > 0 {
		if err := d.Lease.Prolong(peer, o.Prolong); err != nil {
			d.Logger.Debug("lease not prolonged", "err", err)
		}
	}
	if o.Vouch > 0 {
		d.Lease.Vouch(o.Vouch)
	}
	if d.Reach != nil {
		d.Reach.Hurry(o.Hurry)
	}
	if o.Ask > 0 {
		d.tasks.Go(func() error {
			d.ask(ctx, peer, Round{Number: o.Ask, Began: s.Now, Asked: s.Open})
			return nil
		})
	}
	if o.Fork {
		d.tasks.Go(func() error {
			d.fork(ctx, peer, s.Last)
			return nil
		})
	}
}

// forkTimeout bounds one attempt to go on alone. It takes 25 ms where the disk
// does; a disk that hangs must not keep this node from saying so.
const forkTimeout = 10 * time.Second

// fork binds this node, durably, and makes it the only voter. If the peer was
// heard at the last moment there is no fork, and that is no failure.
func (d *Driver) fork(ctx context.Context, peer string, last time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, forkTimeout)
	defer cancel()
	epoch, silence, err := d.Lease.Bind(ctx, d.State.Get().State, peer, last)
	if err == nil {
		err = d.Config.Fork(ctx, peer, epoch, silence)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forking = false
	if err != nil && !errors.Is(err, lease.ErrHeard) {
		d.failed = err.Error()
	}
	d.poke()
}

// poke makes the loop step at once.
func (d *Driver) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Unblock lets this node go on although it has not heard its peer since it
// started. A person must know that the peer serves nothing.
func (d *Driver) Unblock() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.machine.Phase != Waiting {
		return errors.New("this node does not wait for its peer")
	}
	d.excused = true
	d.poke()
	return nil
}
