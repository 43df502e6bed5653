// Package ipvs makes a node a director (LVS): kind quorate:ipvs.
//
// The kernel's table says which virtual services are balanced over which real
// servers. It is in the kernel or it is not; there is no process behind it. So the
// agent reads it over netlink and writes the differences to what its configuration
// and the checks of the servers ask for ([Reconcile]): at once when a check's
// result changes, and every few seconds, since nothing tells when another hand has
// changed it. Services that no configuration names are left alone. A record in the
// run directory says which are the resource's own.
//
// Packets get to a table by an address, and the address is another resource, whose
// guard silences it when the node's lease ends. So a table needs none.
package ipvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
	"quorate/resources/internal/sysctl"
)

var (
	_ resources.Agent      = (*Agent)(nil)
	_ resources.Watcher    = (*Agent)(nil)
	_ resources.Reloader   = (*Agent)(nil)
	_ resources.Detailer   = (*Agent)(nil)
	_ resources.Balancer   = (*Agent)(nil)
	_ resources.Contender  = (*Agent)(nil)
	_ resources.Forerunner = (*Agent)(nil)
	_ resources.Comparer   = (*Agent)(nil)
	_ resources.Judge      = (*Agent)(nil)
	_ resources.Rehearser  = (*Agent)(nil)
)

// Config is what the agent is given.
type Config struct {
	RunDir string          // for records; empty: /run/quorate
	Log    *slog.Logger    // nil: none
	Tell   func(*pb.Event) // takes what the cluster is to know, and does not block; nil: nobody
	// Ldirectord reads an ldirectord.cf, for the parameter configfile. Nil: nobody can.
	Ldirectord func(name string, data []byte) (*Translation, error)
}

// An Agent runs the directors of one node. Its methods may be called at the same
// time, for one resource too.
type Agent struct {
	log        *slog.Logger
	runDir     string
	sysctls    *sysctl.Store
	tell       func(*pb.Event)
	ldirectord func(name string, data []byte) (*Translation, error)
	realServer RealServer // nil: this node is none

	mu    sync.Mutex
	holds map[string]*hold // by resource id
	names map[Key]string   // the resource that each service belongs to

	syncing sync.Mutex         // held over a change of the kernel's sync daemons; the last to be locked
	roles   map[string]Daemon  // by resource id, of those that copy their connections
	hears   map[string]hearing // by resource id, of those whose daemon runs
	stands  map[string]bool    // the resources that Stand was told last
}

// A hold is what the agent knows of one resource. It outlives a stop.
type hold struct {
	renewed chan struct{} // has a token when Start or Reload is done
	changed chan struct{} // has a token when a check's result has changed

	mu       sync.Mutex   // held over a change of the table, and of what follows
	r        *pb.Resource // as it was at the newest Start or Reload
	config   *Configuration
	table    []Service // its services as the kernel had them at the newest read or write; nil: not known
	edition  edition   // of the file that config was read from
	targets  []check.Target
	round    int // of the targets: what they were before have another
	down     Health
	active   bool // between the end of Start and the beginning of Stop
	standing Standing
	news     []Notice                // to be told
	known    map[string]check.Status // what the checks knew when they were last asked, by the id of the question
	checks   *check.Runner
	orders   *resources.OrderBook // nil: not read yet
}

// New returns an agent that has done nothing yet.
func New(c Config) *Agent {
	a := &Agent{
		log: c.Log, runDir: c.RunDir, tell: c.Tell, ldirectord: c.Ldirectord,
		holds: make(map[string]*hold), names: make(map[Key]string), roles: make(map[string]Daemon),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.tell == nil {
		a.tell = func(*pb.Event) {}
	}
	if a.runDir == "" {
		a.runDir = "/run/quorate"
	}
	a.sysctls = sysctl.In(a.runDir)
	return a
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent]. It loads no module, and finds out whether
// this kernel has those that Start would load.
func (a *Agent) Validate(ctx context.Context, r *pb.Resource) ([]string, error) {
	s, err := a.parse(r)
	if err != nil {
		return nil, err
	}
	var notes []string
	k, err := openKernel()
	switch {
	case errors.Is(err, errNone):
		if err := modprobe(ctx, "-n", "ip_vs"); err != nil {
			return nil, fmt.Errorf("this node's kernel has no IPVS: module ip_vs: %w", err)
		}
		notes = append(notes, "module ip_vs will be loaded")
	case err != nil:
		return nil, err
	default:
		defer k.close()
		if _, err := k.read(func(Key) bool { return false }); err != nil {
			return nil, err
		}
	}
	if s.sync != nil {
		if _, err := s.sync.daemon(Master); err != nil {
			return nil, err
		}
	}
	for _, v := range s.config.Virtuals {
		if !schedulerThere(ctx, v.Scheduler) {
			return nil, wrong(s.source, "", "line %d: scheduler %s: module ip_vs_%s is not in this node's kernel", v.Line, v.Scheduler, v.Scheduler)
		}
	}
	return slices.Concat(notes, s.said, a.notes(s)), nil
}

// Start implements [resources.Agent]. It adopts what is in the table as wanted,
// servers that are down there included.
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	s, err := a.parse(r)
	if err != nil {
		return err
	}
	if err := a.claim(r, s.config.Keys()); err != nil {
		return err
	}
	k, err := loadKernel(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.takeOrders(r, a.runDir); err != nil {
		return err
	}
	if err := a.take(k, h, r, s, true); err != nil {
		return fmt.Errorf("start the director: %w", err)
	}
	return nil
}

// Reload implements [resources.Reloader]. Servers keep what is known of them.
func (a *Agent) Reload(_ context.Context, r *pb.Resource) error {
	s, err := a.parse(r)
	if err != nil {
		return err
	}
	if err := a.claim(r, s.config.Keys()); err != nil {
		return err
	}
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.takeOrders(r, a.runDir); err != nil {
		return err
	}
	if err := a.take(k, h, r, s, false); err != nil {
		return fmt.Errorf("reload the director: %w", err)
	}
	return nil
}

// take makes the settings those that are in force. h.mu is held.
func (a *Agent) take(k *kernel, h *hold, r *pb.Resource, s *settings, adopt bool) error {
	path := place(r, a.runDir)
	mine, err := readRecord(path)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(mine.Services), func(key Key) bool { return slices.Contains(s.config.Keys(), key) })
	mine.own(s.config.Keys())
	if err := mine.write(path); err != nil {
		return err
	}
	if err := a.tune(r.GetId(), s.sysctls(), &mine); err != nil {
		return err
	}
	if err := a.direct(r.GetId(), mine.Services); err != nil {
		return err
	}
	found, err := k.read(func(key Key) bool { return slices.Contains(mine.Services, key) })
	if err != nil {
		return err
	}
	h.r, h.config, h.edition = r, s.config, s.edition
	h.round++
	if adopt {
		h.targets = s.config.Questions(found, h.orders.InForce())
		h.down, h.standing = assumed(h.targets), s.config.found(found)
	} else {
		before := h.targets
		h.targets = s.config.Questions(nil, nil)
		h.keep(before)
	}
	if err := a.write(k, h, r, found, gone); err != nil {
		return err
	}
	mine.Services = s.config.Keys()
	if err := mine.write(path); err != nil {
		return err
	}
	if err := a.turn(k, r, s.sync, Master); err != nil { // it serves without, until it fails over
		a.log.Error("connections are not copied", "resource", r.GetId(), "err", err)
	}
	if err := a.direct(r.GetId(), mine.Services); err != nil {
		return err
	}
	a.release(r, mine.Services)
	h.active = true
	signal(h.renewed)
	return nil
}

// write makes the table what is wanted. h.mu is held.
func (a *Agent) write(k *kernel, h *hold, r *pb.Resource, found []Service, owned []Key) error {
	var err error
	h.notice()
	wanted := h.config.Services(h.down, h.orders.InForce(), h.standing)
	for _, c := range Reconcile(wanted, found, owned) {
		if failed := k.perform(c); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		a.log.Info("table changed", "resource", r.GetId(), "change", c.String())
	}
	if h.table = wanted; err != nil {
		h.table = nil
	}
	return err
}

// Stop implements [resources.Agent]. It removes the resource's services, and with
// them their servers; connections that are open end.
func (a *Agent) Stop(ctx context.Context, r *pb.Resource) error {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active {
		defer a.end(ctx, r, h.config.Endings(h.standing))
	}
	h.active, h.table, h.news = false, nil, nil
	owned, mine, err := a.owned(r)
	if err != nil {
		return err
	}
	if err := errors.Join(a.clear(r, owned), a.direct(r.GetId(), nil)); err != nil {
		return fmt.Errorf("stop the director: %w", err)
	}
	if err := a.tune(r.GetId(), nil, &mine); err != nil {
		return fmt.Errorf("stop the director: %w", err)
	}
	a.release(r, nil)
	h.orders = nil
	if err := resources.DropOrders(ordersPlace(r, a.runDir)); err != nil {
		return fmt.Errorf("stop the director: %w", err)
	}
	return removeRecord(place(r, a.runDir))
}

// clear removes services from the table, and receives connections from then on.
func (a *Agent) clear(r *pb.Resource, owned []Key) error {
	k, err := openKernel()
	if errors.Is(err, errNone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer k.close()
	found, err := k.read(func(key Key) bool { return slices.Contains(owned, key) })
	for _, c := range Reconcile(nil, found, owned) {
		err = errors.Join(err, k.perform(c))
	}
	if wrong := a.stepDown(k, r); wrong != nil {
		a.log.Error("connections are not received", "resource", r.GetId(), "err", wrong)
	}
	return err
}

// owned are the services that are the resource's, by its record and its
// parameters. What cannot be read of the parameters, the record alone says.
func (a *Agent) owned(r *pb.Resource) ([]Key, record, error) {
	mine, err := readRecord(place(r, a.runDir))
	if err != nil {
		return nil, mine, err
	}
	all := record{Services: slices.Clone(mine.Services)}
	if s, err := a.parse(r); err == nil {
		all.own(s.config.Keys())
	}
	return all.Services, mine, nil
}

// Monitor implements [resources.Agent]. A director that has none of its services
// is stopped; one whose table is not as wanted, and cannot be made so, has failed.
func (a *Agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	owned, _, err := a.owned(r)
	if err != nil {
		return resources.Unknown, err
	}
	k, err := openKernel()
	if errors.Is(err, errNone) {
		return resources.Stopped, nil
	}
	if err != nil {
		return resources.Unknown, err
	}
	defer k.close()
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	found, err := k.read(func(key Key) bool { return slices.Contains(owned, key) })
	switch {
	case err != nil:
		return resources.Unknown, err
	case !h.active && len(found) == 0:
		return resources.Stopped, nil
	case !h.active:
		return resources.Running, nil
	}
	if err := a.write(k, h, r, found, nil); err != nil {
		return resources.Failed, err
	}
	return resources.Running, nil
}

// Detail implements [resources.Detailer]: "2 virtual services, 6 real servers,
// sets vs.expire_nodest_conn=1".
func (a *Agent) Detail(r *pb.Resource) string {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active {
		return ""
	}
	servers := map[string]bool{}
	for _, v := range h.config.Virtuals {
		for _, real := range v.Reals {
			servers[real.Name()] = true
		}
	}
	return count(len(h.config.Keys()), "virtual service") + ", " + count(len(servers), "real server") + a.syncDetail(r) + a.tuneDetail(r)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *Agent) hold(r *pb.Resource) *hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.holds[r.GetId()]
	if !ok {
		h = &hold{renewed: make(chan struct{}, 1), changed: make(chan struct{}, 1), down: Health{}}
		a.holds[r.GetId()] = h
	}
	return h
}

// claim makes services the resource's, unless one is another's on this node.
func (a *Agent) claim(r *pb.Resource, keys []Key) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range keys {
		if other, taken := a.names[k]; taken && other != r.GetId() {
			return fmt.Errorf("the virtual service %s belongs to the resource %s on this node", k, other)
		}
	}
	for _, k := range keys {
		a.names[k] = r.GetId()
	}
	return nil
}

// release gives all of the resource's services up but those to keep.
func (a *Agent) release(r *pb.Resource, keep []Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, owner := range a.names {
		if owner == r.GetId() && !slices.Contains(keep, k) {
			delete(a.names, k)
		}
	}
}

// keep forgets what is known of questions that are asked no more. What was not asked
// before is as it is assumed to be. h.mu is held.
func (h *hold) keep(before []check.Target) {
	asked := make(map[string]bool, len(before))
	for _, t := range before {
		asked[t.ID] = true
	}
	down, weights := Health{}, Weights{}
	for _, t := range h.targets {
		q := Question{t.Server, t.Check}
		if h.down[q] || t.Assume == check.Down && !asked[t.ID] {
			down[q] = true
		}
		if w, said := h.standing.weights[q]; said {
			weights[q] = w
		}
	}
	h.down, h.standing.weights = down, weights
}

// signal leaves a token for whoever waits.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one
	}
}
