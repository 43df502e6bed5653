// Package node is the composition root: it reads the agent's file, makes the
// parts, joins them, and runs them. Nothing else knows them all.
//
// An [Agent] is the process on one machine, in a cluster or not. A [Core] is
// what runs while it is a member; simulation runs the same core.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"quorate/cluster/api"
	"quorate/cluster/identity"
	"quorate/cluster/lease"
	"quorate/cluster/lvs"
	"quorate/cluster/state"
	"quorate/cluster/transport"
	"quorate/fencing"
	"quorate/fencing/fenceagent"
	"quorate/fencing/warden"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/haproxy"
	"quorate/resources/health"
	"quorate/resources/hook"
	"quorate/resources/ipvs"
	"quorate/resources/ocf"
	"quorate/resources/realserver"
	"quorate/resources/route"
	"quorate/resources/systemd"
	"quorate/resources/vip"
)

// errForgotten ends an agent that left its cluster: it begins anew under a new id.
var errForgotten = errors.New("this node left its cluster")

// An Agent is the process on one machine.
type Agent struct {
	config     Config
	version    string
	logger     *slog.Logger
	identity   *identity.Identity
	directory  *directory
	profile    *profileFile
	threads    *realTime
	transport  *transport.Transport
	streams    atomic.Pointer[transport.RaftTransport] // the newest
	store      *state.Store
	agents     *resources.Registry
	devices    fencing.Catalog
	warden     *warden.Link
	vip        *vip.Agent
	director   *ipvs.Agent
	realServer *realserver.Agent
	notes      chan *pb.Event // to be recorded
	api        *api.Server

	enrolled  chan struct{} // has a token when the machine has just become a member
	forgotten chan struct{} // closed when it has left

	mu        sync.Mutex
	core      *Core         // nil while in no cluster
	guard     addressGuard  // likewise
	began     chan struct{} // closed when core is set
	leave     func()        // ends the core for good; nil while there is none
	forgetErr error         // set before forgotten is closed
}

// Run runs the agent of this machine until ctx is canceled.
func Run(ctx context.Context, c Config, version string, logger *slog.Logger) error {
	for {
		err := runOnce(ctx, c, version, logger)
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errForgotten):
			logger.Info("left the cluster, waiting for another")
		case errors.Is(err, errDiverged):
			logger.Info("joining again, without a log")
		default:
			return err
		}
	}
}

func runOnce(ctx context.Context, c Config, version string, logger *slog.Logger) error {
	id, err := identity.Open(c.DataDir)
	if err != nil {
		return err
	}
	defer id.Close()
	a, err := newAgent(c, version, id, logger)
	if err != nil {
		return err
	}
	return errors.Join(a.run(ctx), a.guardDown())
}

func newAgent(c Config, version string, id *identity.Identity, logger *slog.Logger) (*Agent, error) {
	if err := os.MkdirAll(c.RunDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	data, err := id.DataDir()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		config: c, version: version, logger: logger, identity: id, store: state.New(),
		enrolled: make(chan struct{}, 1), forgotten: make(chan struct{}), began: make(chan struct{}),
		notes: make(chan *pb.Event, 64), devices: fenceagent.New(filepath.Join(c.RunDir, "fencing")),
	}
	a.threads = newRealTime(logger)
	if err := a.attach(); err != nil {
		return nil, err
	}
	a.profile = openProfile(filepath.Join(data, "profile"), logger)
	if a.directory, err = openDirectory(filepath.Join(data, "members.json"), logger); err != nil {
		return nil, err
	}
	a.transport = transport.New(transport.Config{
		Identity: id, Addresses: a.directory.Addresses, Refuse: a.refuse, Moved: a.moved,
		Listen: c.Listen, Log: logger,
	})
	if a.agents, err = a.register(); err != nil {
		return nil, err
	}
	a.api, err = api.New(a.apiConfig())
	return a, err
}

// register makes the kinds of resources this build knows.
func (a *Agent) register() (*resources.Registry, error) {
	a.vip = vip.New(vip.Config{
		Deadline: a.deadline, Now: lease.RawClock{}.Now, Conflict: a.contested, Log: a.logger,
	})
	a.director = ipvs.New(ipvs.Config{RunDir: a.config.RunDir, Log: a.logger, Tell: a.note, Ldirectord: lvs.ServeLdirectord})
	a.realServer = realserver.New(realserver.Config{
		RunDir: a.config.RunDir, Ask: a.vip.Owned, Balanced: a.director.Balances, Log: a.logger,
	})
	r := &resources.Registry{}
	for _, kind := range []resources.Agent{
		a.vip,
		haproxy.New(haproxy.Config{RunDir: a.config.RunDir, Log: a.logger}),
		a.director,
		a.realServer,
		route.New(),
		hook.New(hook.Config{RunDir: a.config.RunDir, Log: a.logger}),
		health.New(health.Config{RunDir: a.config.RunDir, Attributes: coreAttributes{a}, Log: a.logger}),
	} {
		if err := r.Register(kind); err != nil {
			return nil, err
		}
	}
	scripts, err := ocf.New(ocf.Config{
		RunDir: a.config.RunDir, Socket: a.socket(), Node: func() string { return self{a}.Info().Name }, NodeID: a.identity.ID(), Log: a.logger,
	})
	if err != nil {
		return nil, err
	}
	r.Extend(scripts)
	r.Extend(systemd.New(systemd.Config{Log: a.logger}))
	return r, nil
}

// socket is where this machine's programs reach the API.
func (a *Agent) socket() string { return filepath.Join(a.config.RunDir, "agent.sock") }

// run takes part until ctx is canceled. The network and the API outlive the
// core: what it still has to say when it ends must go out, and be answered.
func (a *Agent) run(ctx context.Context) error {
	reachable, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	network, reachable := errgroup.WithContext(reachable)
	network.Go(func() error { return a.threads.Run(reachable) })
	network.Go(func() error { return a.keepWarden(reachable) })
	network.Go(func() error { return a.transport.Run(reachable) })
	network.Go(func() error {
		defer hangUp()
		select {
		case <-a.transport.Ready():
		case <-reachable.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
		network.Go(func() error { return a.api.Run(reachable) })
		a.logger.Info("agent started", "node", a.identity.ID(), "version", a.version, "listen", a.transport.Addr().String())
		return a.work(ctx, reachable)
	})
	return network.Wait()
}

// work is all but being reachable, which it ends with.
func (a *Agent) work(ctx, reachable context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(reachable, stop)()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.member(ctx) })
	g.Go(func() error { return a.followDirectory(ctx) })
	g.Go(func() error { return a.realServer.Run(ctx) })
	g.Go(func() error { return notifySystemd(ctx, a.alive) })
	return g.Wait()
}

// member waits until this machine is in a cluster, and is a member then.
func (a *Agent) member(ctx context.Context) error {
	for {
		if _, ok := a.identity.Cluster(); ok {
			return a.serve(ctx)
		}
		select {
		case <-a.enrolled:
		case <-ctx.Done():
			return nil
		}
	}
}

// serve runs the core until ctx is canceled or the machine leaves.
func (a *Agent) serve(ctx context.Context) error {
	stores, err := a.openStores(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stores.Close() }() // again, when it left in good order
	core, err := a.startCore(stores)
	if err != nil {
		return err
	}
	serving, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	a.setCore(core, func() { leave(errForgotten) })
	g, serving := errgroup.WithContext(serving)
	g.Go(func() error { return core.Run(serving) })
	g.Go(func() error { return a.gossip(serving) })
	g.Go(func() error { return a.followForks(serving) })
	g.Go(func() error { return a.tell(serving, core) })
	g.Go(func() error { return a.mend(serving, core) })
	err = g.Wait()
	var diverged *DivergedError
	if errors.As(err, &diverged) {
		core.executor.Drop(diverged.Error())
		return a.giveWay(stores, diverged)
	}
	if ctx.Err() != nil {
		a.warden.Plan()
	}
	if ctx.Err() != nil || err != nil {
		return err
	}
	core.executor.Drop("this node leaves the cluster")
	if err := a.realServer.Retire(); err != nil {
		a.logger.Error("this host may be a real server still", "err", err)
	}
	a.forget(stores.Close())
	return errForgotten
}

func (a *Agent) setCore(core *Core, leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.core, a.leave = core, leave
	close(a.began)
}

// current is the core, or nil while this machine is in no cluster.
func (a *Agent) current() *Core {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.core
}

// alive is what systemd's watchdog checks: that the locks everything goes
// through are free.
func (a *Agent) alive() {
	if core := a.current(); core != nil {
		core.lease.Status()
		core.executor.Alive()
	}
}

// followDirectory keeps what is stored of the state for the next start up to date
// with it: the members' addresses, and the timing profile.
func (a *Agent) followDirectory(ctx context.Context) error {
	for {
		changed := a.store.Changed()
		st := a.store.Get().State
		a.directory.Learn(st.Nodes)
		if len(st.Nodes) > 0 {
			a.profile.learn(state.Property(st, "profile"))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// moved lets the consensus go on over other streams with a node.
func (a *Agent) moved(string) {
	if core := a.current(); core != nil {
		core.raft.Moved()
	}
}

// draw makes a boot nonce.
func draw() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("draw a nonce: %w", err)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// bootID tells one boot of the kernel from another (random(4)).
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
