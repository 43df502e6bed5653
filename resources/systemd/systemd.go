// Package systemd runs units of systemd for the cluster: systemd:UNIT.
//
// A [Family] has the units that are installed on the node; each is an [Agent], for
// all resources of that unit. It talks to systemd over D-Bus, on the socket that
// systemd itself listens on, so that no message bus is needed. Nothing is polled:
// a start or stop is a job, whose result systemd tells, and so it tells a watch of
// every change of the unit's state.
//
// While a unit is the cluster's it has a drop-in in /run, which goes with the
// machine: it does not restart by itself, since that is for the cluster to decide,
// and at a shutdown it is stopped after this node has handed its work over.
//
// Systemd and what it runs outlive this agent, and no kernel guard silences them at
// the end of a lease; so a resource lapses for as long as its stop may take, as one
// of a script does (decision 18).
package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent       = (*Agent)(nil)
	_ resources.Watcher     = (*Agent)(nil)
	_ resources.Halter      = (*Agent)(nil)
	_ resources.Surveyor    = (*Agent)(nil)
	_ resources.Judge       = (*Agent)(nil)
	_ resources.Installable = (*Agent)(nil)
	_ resources.Contender   = (*Agent)(nil)
	_ resources.Comparer    = (*Agent)(nil)
	_ resources.Detailer    = (*Agent)(nil)
	_ resources.Tracer      = (*Agent)(nil)
)

// An Agent runs one unit. Its methods may be called at the same time: systemd has
// one job for a unit at a time, and a stop replaces a start.
type Agent struct {
	family *Family
	name   string // systemd:UNIT, as short as it may be
	unit   string // with its suffix

	mu      sync.Mutex
	detail  string // of the unit when it was last seen
	summary string // of it, once known
}

// unknownStop is how long a stop may take of which nobody says anything.
const unknownStop = 20 * time.Second

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata {
	return &pb.AgentMetadata{
		Name: a.name, Summary: a.summarize(),
		Description: fmt.Sprintf("Starts and stops %s by systemd, which tells at once when it ends. "+
			"It should not be enabled: which node starts it is for the cluster to say.", a.unit),
		Operations: []*pb.OperationSpec{
			{Name: "start", Timeout: durationpb.New(100 * time.Second)}, // systemd's own limit is 90 s
			{Name: "stop", Timeout: durationpb.New(unknownStop)},
			{Name: "monitor", Interval: durationpb.New(time.Minute), Timeout: durationpb.New(unknownStop)},
		},
		Traits: &pb.Traits{Lapse: durationpb.New(unknownStop)},
	}
}

// summarize returns what the unit says of itself. Metadata are asked for often, so
// systemd is asked until it has answered.
func (a *Agent) summarize() string {
	a.mu.Lock()
	known := a.summary
	a.mu.Unlock()
	if known != "" {
		return known
	}
	u, err := a.look(context.Background())
	if err != nil || u.load != "loaded" {
		return "a unit of systemd"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.summary = u.description
	return u.description
}

// Traits implements [resources.Judge]: what runs may outlive the lease for as long
// as its stop may take.
func (a *Agent) Traits(r *pb.Resource) *pb.Traits {
	for _, o := range r.GetOperations() {
		if o.GetName() == "stop" && o.GetTimeout().AsDuration() > 0 {
			return &pb.Traits{Lapse: o.Timeout}
		}
	}
	return &pb.Traits{Lapse: durationpb.New(unknownStop)}
}

// Missing implements [resources.Installable].
func (a *Agent) Missing() error {
	u, err := a.look(context.Background())
	if err != nil {
		return err
	}
	if f := u.obstacle(); f != nil && f.Kind == notInstalled {
		return f
	}
	return nil
}

// Contends implements [resources.Contender]: a unit is of one resource.
func (a *Agent) Contends(_, other *pb.Resource) error {
	return &resources.ParameterError{
		Parameter: "agent", Problem: fmt.Sprintf("%s runs %s already", other.GetId(), a.unit),
		Fix: "to run it on several nodes, clone that one",
	}
}

// Validate implements [resources.Agent].
func (a *Agent) Validate(ctx context.Context, _ *pb.Resource) ([]string, error) {
	u, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if f := u.obstacle(); f != nil {
		return nil, &resources.ParameterError{Parameter: "agent", Problem: f.Text}
	}
	return u.remarks(), nil
}

// Common implements [resources.Comparer]: whether a unit is enabled is to be the same
// on every node. So each is asked about the unit when a resource is made.
func (a *Agent) Common(*pb.Resource) (what string, lines []string, err error) {
	u, err := a.look(context.Background())
	if err != nil || u.enablement == "" {
		return "", nil, err
	}
	return a.unit, []string{"UnitFileState=" + u.enablement}, nil
}

// Start implements [resources.Agent].
func (a *Agent) Start(ctx context.Context, _ *pb.Resource) error {
	return a.with(ctx, func(c *dbus.Conn, u *unit) error {
		if f := u.obstacle(); f != nil {
			return f
		}
		if err := a.depend(ctx, c, u); err != nil {
			return err
		}
		if u.active == stateActive {
			return nil
		}
		_ = c.ResetFailedUnitContext(ctx, a.unit) // how often it may start is for the cluster to count
		if err := a.job(ctx, c.StartUnitContext, "start", "replace"); err != nil {
			return err
		}
		return a.started(ctx, c)
	})
}

// started checks that a unit whose start job is done does run.
func (a *Agent) started(ctx context.Context, c *dbus.Conn) error {
	u, err := a.read(ctx, c)
	switch {
	case err != nil:
		return err
	case u.active == stateActive || u.active == "reloading":
		return nil
	case u.active == stateInactive && u.result == "success":
		return fmt.Errorf("start: %s did nothing, or is over already: its conditions (Condition…=) have to hold on this node, and Type=oneshot needs RemainAfterExit=yes", a.unit)
	}
	return fmt.Errorf("start: %s is %s: %s", a.unit, u.active, u.why())
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(ctx context.Context, _ *pb.Resource) error {
	return a.with(ctx, func(c *dbus.Conn, u *unit) error {
		if !u.isDown() {
			if err := a.job(ctx, c.StopUnitContext, "stop", a.stopMode(ctx, c, u)); err != nil {
				return err
			}
		}
		return a.release(ctx, c)
	})
}

// stopMode is how a stop is asked for. At a shutdown systemd has a stop of the unit
// waiting, until this agent has ended, which itself waits for this stop: that order
// does not hold for what we ask.
func (a *Agent) stopMode(ctx context.Context, c *dbus.Conn, u *unit) string {
	jobs, err := c.ListJobsContext(ctx)
	if err != nil {
		return "replace"
	}
	for _, j := range jobs {
		if j.Unit == u.id && j.JobType == "stop" && j.Status == "waiting" {
			return "ignore-dependencies"
		}
	}
	return "replace"
}

// release lets a unit that is stopped be as if the cluster had not run it. That it
// is stopped counts, whatever becomes of the rest.
func (a *Agent) release(ctx context.Context, c *dbus.Conn) error {
	u, err := a.read(ctx, c)
	switch {
	case err != nil:
		return err
	case !u.isDown():
		return fmt.Errorf("stop: %s is %s", a.unit, u.active)
	}
	a.seen(nil)
	_ = c.ResetFailedUnitContext(ctx, a.unit) // that it was killed is no fault any more
	if err := a.undepend(ctx, c, u); err != nil {
		a.family.log.Warn("unit keeps its drop-in", "unit", a.unit, "err", err)
	}
	return nil
}

// Halt implements [resources.Halter]. Systemd has three quarters of the time to stop
// the unit; then all that it runs is killed.
func (a *Agent) Halt(ctx context.Context, r *pb.Resource) error {
	polite := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		polite, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
		defer cancel()
	}
	err := a.Stop(polite, r)
	if err == nil || polite == ctx {
		return err
	}
	return a.with(ctx, func(c *dbus.Conn, u *unit) error {
		if killErr := c.KillUnitWithTarget(ctx, a.unit, dbus.All, int32(unix.SIGKILL)); killErr != nil && !u.isDown() {
			return errors.Join(err, killErr)
		}
		return a.Stop(ctx, r)
	})
}

// Monitor implements [resources.Agent]. While systemd starts or stops the unit it
// waits for the outcome.
func (a *Agent) Monitor(ctx context.Context, _ *pb.Resource) (resources.State, error) {
	if !booted() && resources.RecurringIn(ctx) == nil {
		return resources.Stopped, nil // of a probe: nothing runs by what does not run itself
	}
	u, err := a.settled(ctx)
	if err != nil {
		return resources.Unknown, fmt.Errorf("monitor: %w", err)
	}
	switch {
	case u.active == stateActive || u.active == "reloading" || u.active == "refreshing":
		a.seen(u)
		return resources.Running, nil
	case u.active == stateFailed:
		return resources.Stopped, &resources.Fault{Text: fmt.Sprintf("%s has failed: %s", a.unit, u.why())}
	case u.isDown():
		return resources.Stopped, nil
	}
	return resources.Failed, fmt.Errorf("monitor: %s is %s (%s)", a.unit, u.active, u.sub)
}

// Detail implements [resources.Detailer]: "pid 812".
func (a *Agent) Detail(*pb.Resource) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.detail
}

// seen notes what a unit looks like; nil: it does not run.
func (a *Agent) seen(u *unit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.detail = ""
	if u != nil {
		a.detail = strings.Join(u.details(), ", ")
	}
}
