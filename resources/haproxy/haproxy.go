// Package haproxy runs HAProxy on one node: kind quorate:haproxy, known to
// tutorials as ocf:heartbeat:haproxy.
//
// HAProxy runs as a master with its worker, in a session of its own: it
// outlives the agent, which finds it again by its command line. The
// configuration, a file of the node or text kept in the cluster, is checked by
// haproxy -c before anything that runs is touched, and copied to the run
// directory, so that what runs is what was checked. It is used as it stands. A
// change of it is taken over by the master without losing a connection.
//
// The agent is told of the end of the master or the worker by the kernel, and
// asks the worker through the master's socket whether it works. It lets HAProxy
// bind addresses that the node does not have yet, so that it can start before,
// or without, the floating address it serves.
package haproxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Watcher  = (*Agent)(nil)
	_ resources.Reloader = (*Agent)(nil)
	_ resources.Halter   = (*Agent)(nil)
	_ resources.Detailer = (*Agent)(nil)
	_ resources.Tracer   = (*Agent)(nil)
)

// Config is what the agent is given.
type Config struct {
	RunDir string       // for sockets and copies of configurations; empty: /run/quorate
	Log    *slog.Logger // nil: none
}

// An Agent runs the HAProxys of one node. Its methods may be called at the same
// time, for one resource too: a halt does not wait for a start.
type Agent struct {
	log    *slog.Logger
	runDir string

	mu    sync.Mutex
	holds map[string]*hold // by resource id
}

// A hold is what the agent knows of one resource. It outlives a stop.
type hold struct {
	mu      sync.Mutex
	renewed chan struct{}        // closed, and made anew, when Start or Reload is done
	active  bool                 // between the end of Start and the beginning of Stop
	worker  int                  // process id that was last seen
	orders  *resources.OrderBook // for servers; nil: not read yet
}

// New returns an agent that has done nothing yet.
func New(c Config) *Agent {
	a := &Agent{log: c.Log, runDir: c.RunDir, holds: make(map[string]*hold)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.runDir == "" {
		a.runDir = "/run/quorate"
	}
	return a
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// Validate implements [resources.Agent]. It has this node's haproxy check the
// configuration.
func (a *Agent) Validate(ctx context.Context, r *pb.Resource) ([]string, error) {
	s, err := parse(r, a.runDir)
	if err != nil {
		return nil, err
	}
	text, notes, err := s.load()
	if err != nil {
		return nil, err
	}
	warnings, err := s.check(ctx, text)
	if err != nil {
		return nil, err
	}
	if s.nonlocal && !bindsNonlocal() {
		notes = append(notes, "net.ipv4.ip_nonlocal_bind and net.ipv6.ip_nonlocal_bind will be set to 1, so that addresses can be bound before they are here")
	}
	return append(notes, warnings...), nil
}

// Start implements [resources.Agent]. It returns once the worker answers; its
// listening sockets are bound before that.
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	s, err := parse(r, a.runDir)
	if err != nil {
		return err
	}
	text, _, err := s.load()
	if err != nil {
		return err
	}
	if s.nonlocal {
		if err := allowNonlocal(); err != nil {
			return err
		}
	}
	worker, adopted, err := a.adopt(ctx, s, text)
	if err == nil && !adopted {
		worker, err = launch(ctx, s, text)
	}
	if err == nil {
		_, err = a.settle(ctx, s, r, worker)
	}
	if err != nil {
		return fmt.Errorf("start haproxy: %w", err)
	}
	a.hold(r).begin(worker)
	return nil
}

// adopt takes over what runs already, and gives it the wanted configuration.
// What does not work, or runs with other arguments, is ended. Where nothing
// runs, nothing can be harmed by a wrong configuration: haproxy itself checks
// it again when it is launched, so a check here would only double a failover.
func (a *Agent) adopt(ctx context.Context, s *settings, text string) (worker int, adopted bool, err error) {
	all, err := s.processes()
	if err != nil {
		return 0, false, err
	}
	if len(all) == 0 {
		return 0, false, s.clean()
	}
	if _, err := s.check(ctx, text); err != nil {
		return 0, false, err
	}
	if m := leader(all); m != 0 && s.launched(m) {
		worker, err := healthy(ctx, s)
		if err == nil && s.installed() != s.wanted(text) {
			worker, err = reload(ctx, s, text)
		}
		if err == nil {
			return worker, true, nil
		}
		a.log.Warn("haproxy that was found is replaced", "resource", s.id, "err", err)
	}
	return 0, false, s.end(ctx, 0)
}

// Reload implements [resources.Reloader]. When the new configuration is wrong
// or cannot be taken over, the old one stays in force.
func (a *Agent) Reload(ctx context.Context, r *pb.Resource) error {
	s, err := parse(r, a.runDir)
	if err != nil {
		return err
	}
	text, _, err := s.load()
	if err != nil {
		return err
	}
	if _, err := s.check(ctx, text); err != nil {
		return err
	}
	m, err := s.master()
	switch {
	case err != nil:
		return err
	case m == 0:
		return errors.New("reload haproxy: it is not running")
	case !s.launched(m): // binary or options changed: the master cannot take those over
		return a.restart(ctx, r, s)
	}
	if s.nonlocal {
		if err := allowNonlocal(); err != nil {
			return err
		}
	}
	if done, err := a.reorder(ctx, s, r, text); done || err != nil {
		return err
	}
	worker, err := reload(ctx, s, text)
	if err == nil {
		_, err = a.settle(ctx, s, r, worker)
	}
	if err != nil {
		return fmt.Errorf("reload haproxy: %w", err)
	}
	a.hold(r).begin(worker)
	return nil
}

func (a *Agent) restart(ctx context.Context, r *pb.Resource, s *settings) error {
	a.log.Info("haproxy is restarted for other arguments", "resource", s.id)
	if err := a.Stop(ctx, r); err != nil {
		return err
	}
	return a.Start(ctx, r)
}

// maxGrace bounds how long Stop lets haproxy end by itself; a third of the
// stop's timeout bounds it too.
const maxGrace = 5 * time.Second

// Stop implements [resources.Agent]. Connections end with it: their address is
// about to leave the node.
func (a *Agent) Stop(ctx context.Context, r *pb.Resource) error {
	grace := maxGrace
	if deadline, ok := ctx.Deadline(); ok {
		grace = min(grace, time.Until(deadline)/3)
	}
	return a.end(ctx, r, grace)
}

// Halt implements [resources.Halter]: all its processes are killed at once.
func (a *Agent) Halt(ctx context.Context, r *pb.Resource) error {
	return a.end(ctx, r, 0)
}

func (a *Agent) end(ctx context.Context, r *pb.Resource, grace time.Duration) error {
	a.hold(r).end()
	if err := place(r, a.runDir).end(ctx, grace); err != nil {
		return fmt.Errorf("stop haproxy: %w", err)
	}
	if err := a.hold(r).drop(r, a.runDir); err != nil {
		return fmt.Errorf("stop haproxy: %w", err)
	}
	return nil
}

// Monitor implements [resources.Agent].
func (a *Agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	s := place(r, a.runDir)
	all, err := s.processes()
	if err != nil {
		return resources.Unknown, fmt.Errorf("monitor haproxy: %w", err)
	}
	if len(all) == 0 {
		return resources.Stopped, nil
	}
	worker, err := healthy(ctx, s)
	if err != nil {
		return resources.Failed, fmt.Errorf("monitor haproxy: %w", err)
	}
	a.hold(r).seen(worker)
	return resources.Running, nil
}

// Detail implements [resources.Detailer]: "pid 1234".
func (a *Agent) Detail(r *pb.Resource) string {
	h := a.hold(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.worker == 0 {
		return ""
	}
	return fmt.Sprintf("pid %d", h.worker)
}

func (a *Agent) hold(r *pb.Resource) *hold {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.holds[r.GetId()]
	if !ok {
		h = &hold{renewed: make(chan struct{})}
		a.holds[r.GetId()] = h
	}
	return h
}

// begin notes that a worker serves and wakes its watch.
func (h *hold) begin(worker int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active, h.worker = true, worker
	close(h.renewed)
	h.renewed = make(chan struct{})
}

// next returns what the next Start or Reload closes.
func (h *hold) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.renewed
}

func (h *hold) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active = false
}

func (h *hold) seen(worker int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worker = worker
}

// ended reports whether Stop or Halt has begun since the last Start.
func (h *hold) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.active
}
