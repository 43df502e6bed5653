package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/cluster/consensus"
	"quorate/cluster/controller"
	"quorate/cluster/executor"
	"quorate/cluster/lease"
	"quorate/cluster/pair"
	"quorate/cluster/reach"
	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// CoreConfig is what a member is made of. All that reaches outside the process
// is injected, so that simulation runs the same core.
type CoreConfig struct {
	ID      string
	Nonce   uint64 // drawn at random for this start
	BootID  string
	Version string

	Store     *state.Store                                    // empty; raft fills it
	Transport func(ready <-chan struct{}) consensus.Transport // see consensus.Config
	Stores    consensus.Stores
	Timing    consensus.Timing

	Network lease.Network
	Clock   lease.Clock
	Marks   lease.Marks
	Guard   lease.Guard
	Lease   time.Duration // length
	Beat    time.Duration // between beats; 0: as in the profile lan

	Reach   pair.Reach      // pings quorum.ping; nil: no targets
	Devices fencing.Catalog // types of fencing devices; nil: none
	Pinger  *reach.Pinger   // by which isolation is found; the core runs it; nil: none

	Peers    Peers
	Agents   executor.Agents
	Warden   executor.Warden    // nil: none
	Watchdog func() error       // why this node has no watchdog; nil: nothing needs one
	Alerts   controller.Alerter // runs alerts while this node leads; nil: none are told
	Log      *slog.Logger
}

// Peers asks other members.
type Peers interface {
	Execute(ctx context.Context, node string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error)
	Operate(ctx context.Context, node string, r *pb.OperateRequest) (*pb.OperateResponse, error)
	Propose(ctx context.Context, node string, r *pb.ProposeRequest) (*pb.ProposeResponse, error)
	Meet(ctx context.Context, node string, r *pb.MeetRequest) (*pb.MeetResponse, error)
}

// Core is a member of a cluster: the replicated state, its consensus, the
// lease, the executor, and the controller for when this node leads.
type Core struct {
	id         string
	store      *state.Store
	raft       *consensus.Node
	lease      *lease.Engine
	foresight  *foresight
	pair       *pair.Driver
	executor   *executor.Executor
	operator   *fencing.Operator
	fencer     *fencer
	controller *controller.Controller
	reporter   *reporter
	attributes *attributes
	understudy *understudy
	lapses     *lapses
	log        *log
	peers      Peers
	healing    *healing
	logger     *slog.Logger
}

// StartCore restores the stored state and joins the elections. The lease and
// the executor begin with Run.
func StartCore(c CoreConfig) (*Core, error) {
	k := &Core{id: c.ID, store: c.Store, peers: c.Peers, healing: newHealing(), lapses: newLapses(), logger: c.Log}
	k.lease = lease.New(lease.Config{
		Self: c.ID, Nonce: c.Nonce, BootID: c.BootID, Version: c.Version, Length: c.Lease, Interval: c.Beat,
		Clock: c.Clock, Network: c.Network, Marks: c.Marks, Guard: c.Guard,
		Log: leaseLog{k}, Rights: rights{k}, StepDown: k.StepDown, Observer: verdicts{k}, Logger: c.Log,
	})
	k.store.Observe(func(s state.Snapshot) { k.lease.Apply(s.State) })
	var err error
	k.raft, err = consensus.Start(consensus.Config{
		ID: c.ID, FSM: k.store, Transport: c.Transport, Stores: c.Stores, Timing: c.Timing,
		Patience: c.Lease, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	k.log = &log{self: c.ID, raft: k.raft, peers: c.Peers}
	k.foresight = foresee(k.store, k.raft, c.Log)
	k.operator = fencing.NewOperator(c.Devices, k.reportUse)
	k.fencer = newFencer(k)
	k.pair = k.newPair(c)
	k.executor = executor.New(executor.Config{
		Node: c.ID, Nonce: c.Nonce, Lease: k.lease, Log: resultLog{k.log}, Agents: c.Agents, Clear: k.pair.Clear, Warden: c.Warden, Logger: c.Log,
	})
	k.controller = controller.New(controller.Config{
		Self: c.ID, Alerts: c.Alerts, State: k.store, Log: voterLog{localLog{k.raft}, k.lease}, Peers: orders{k, c.Peers}, Servers: k.raft, Logger: c.Log,
	})
	k.reporter = newReporter(k, c)
	k.attributes = newAttributes(k, c)
	k.understudy = &understudy{id: c.ID, store: c.Store, agents: c.Agents, stood: k.reporter.poke, logger: c.Log}
	return k, nil
}

// Run takes part in the cluster until ctx is canceled. Then it sees to it that
// what is served may go on until the agent is back, hands leadership over, and
// ends its part in the consensus, which takes a second when a peer does not
// answer. It beats to the last, and leaves what is served as it is: the lease
// decides how long that may be. Canceled because of [errForgotten], it leaves
// for good. It ends by itself with a [DivergedError] when its log gives way to
// another one's; then nothing is served any more.
func (k *Core) Run(ctx context.Context) error {
	beating, silence := context.WithCancel(context.WithoutCancel(ctx))
	defer silence()
	holder, beating := errgroup.WithContext(beating)
	holder.Go(func() error { return k.lease.Run(beating) })
	err := k.work(ctx, beating)
	if down := k.raft.Shutdown(); err == nil || errors.Is(err, context.Canceled) {
		err = down
	}
	silence()
	return errors.Join(err, holder.Wait())
}

// work takes orders, and leads when it is elected, until ctx is canceled or this
// node stops beating.
func (k *Core) work(ctx, beating context.Context) error {
	working, stop := context.WithCancel(beating)
	defer stop()
	g, working := errgroup.WithContext(working)
	g.Go(func() error { return k.executor.Run(working) })
	g.Go(func() error { return k.operator.Run(working) })
	g.Go(func() error { return k.callOff(working) })
	g.Go(func() error { return k.fencer.Run(working) })
	g.Go(func() error { return k.pair.Run(working) })
	g.Go(func() error { return k.raft.Lead(working, k.term) })
	g.Go(func() error { return k.reportDisk(working) })
	g.Go(func() error { return k.heal(working) })
	g.Go(func() error { return k.reporter.Run(working) })
	g.Go(func() error { return k.attributes.Run(working) })
	g.Go(func() error { return k.understudy.Run(working) })
	g.Go(func() error { return k.tellLapses(working) })
	g.Go(func() error {
		select {
		case <-working.Done():
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), errForgotten) {
				k.bridge(working)
			}
			k.StepDown()
			stop()
		}
		return nil
	})
	return g.Wait()
}

// bridgeTimeout bounds how long a restart waits for the lease that bridges it.
const bridgeTimeout = 2 * time.Second

// bridge lets what runs here, and what others run who need this node's vote, go
// on while its agent restarts (lease protocol, rule 25). Where that cannot be had it
// ends with the lease. A node that goes on without its peer has nobody to tell of
// a longer one: the peer, back and still apart, would take over too early.
func (k *Core) bridge(ctx context.Context) {
	st := k.store.Get().State
	length := state.RestartLease(st)
	if length == 0 || !k.executor.Owns() && !state.Missed(st, k.id) {
		return
	}
	if peer := state.Lost(st, k.id); peer != "" {
		k.logger.Warn("what runs here may end with its lease: a longer one would be unknown to the peer that is away", "peer", state.NodeName(st, peer))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, bridgeTimeout)
	defer cancel()
	err := k.lease.Bridge(ctx, length, "its agent restarts")
	if err == nil {
		err = k.awaitBridges(ctx, length)
	}
	if err != nil {
		k.logger.Warn("what runs here, or needs this node's vote, may end with its lease: it could not be made longer for the restart", "err", err)
		return
	}
	k.logger.Info("what runs here goes on without the agent", "for", length)
}

// awaitBridges waits until others hold longer leases too, if they need this
// node's vote: for three of their beats after it is known that they may.
func (k *Core) awaitBridges(ctx context.Context, length time.Duration) error {
	for {
		changed := k.store.Changed()
		st := k.store.Get().State
		if !state.Missed(st, k.id) {
			return nil
		}
		short := slices.ContainsFunc(st.Nodes, func(n *pb.Node) bool {
			return n.Id != k.id && n.Admission == pb.Admission_ADMISSION_ADMITTED && n.Lease.AsDuration() < length
		})
		wait := time.Hour
		if !short {
			wait = 3 * k.lease.Interval
		}
		select {
		case <-time.After(wait):
			return nil
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the leases of the others: %w", ctx.Err())
		}
	}
}

// term is one term of leadership.
func (k *Core) term(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return k.lease.Lead(ctx) })
	g.Go(func() error { return k.controller.Lead(ctx) })
	g.Go(func() error { return k.relinquish(ctx) })
	if err := g.Wait(); !controller.Deposed(err) {
		return err
	}
	return nil
}

// Bootstrap makes this node the first member of a new cluster.
func (k *Core) Bootstrap(ctx context.Context, b *pb.Bootstrap) error {
	if err := k.raft.Bootstrap(); err != nil {
		return err
	}
	if _, err := k.log.Propose(ctx, &pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: b}}); err != nil {
		return fmt.Errorf("begin the cluster's log: %w", err)
	}
	return nil
}

// StepDown hands leadership over, if this node leads.
func (k *Core) StepDown() {
	if err := k.raft.TransferLeadership(); err != nil {
		k.logger.Warn("leadership not handed over", "err", err)
	}
}

// Receive takes a datagram of the lease protocol in.
func (k *Core) Receive(from string, d *pb.LeaseDatagram) { k.lease.Receive(from, d) }

// Execute runs an operation on this node.
func (k *Core) Execute(ctx context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	if err := k.healing.over(); err != nil {
		return nil, err
	}
	return k.executor.Execute(ctx, r)
}

// Operate has this node use a fencing device.
func (k *Core) Operate(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	return k.operator.Operate(ctx, r)
}

// Propose commits a command, by way of the leader.
func (k *Core) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	return k.log.Propose(ctx, c)
}

// ProposeAsLeader commits a command only while this node leads.
func (k *Core) ProposeAsLeader(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	return localLog{k.raft}.Propose(ctx, c)
}

// Held reports under which epoch, and until when on the node's clock, this node may serve.
func (k *Core) Held() (epoch uint64, deadline time.Duration, ok bool) { return k.lease.Held() }

// Leads reports whether this node leads, as far as it knows.
func (k *Core) Leads() bool {
	leader, ok := k.raft.Leader()
	return ok && leader == k.id
}

// Term is the newest term of leadership that this node knows.
func (k *Core) Term() uint64 { return k.raft.Term() }

// verdicts lets the controller tell how a node was found gone.
type verdicts struct{ *Core }

func (v verdicts) Silent(node string, epoch uint64, heard, noticed time.Time) {
	v.controller.Silent(node, epoch, heard, noticed)
}

func (v verdicts) Testified(node string, epoch uint64, at time.Time) {
	v.controller.Testified(node, epoch, at)
}

// rights lets the lease drive the executor.
type rights struct{ *Core }

func (r rights) Drop(reason string) {
	r.lapses.drop()
	r.executor.Drop(reason)
}

func (r rights) Lapsed() {
	r.lapses.begin(r.executor.Owns())
	r.executor.Lapsed()
}

func (r rights) Regained() {
	r.executor.Regained()
	r.lapses.end()
}
