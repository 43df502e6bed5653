package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/executor"
	"quorate/cluster/lease"
	"quorate/fencing/warden"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// wards lets the executor tell the warden what runs.
type wards struct{ *warden.Link }

var _ executor.Warden = wards{}

// kinds are the warden's for the agents' traces.
var kinds = map[resources.TraceKind]warden.Kind{
	resources.TraceEnvironment: warden.Environment, resources.TraceArgument: warden.Argument,
	resources.TraceCgroup: warden.Cgroup, resources.TraceAddress: warden.Address, resources.TraceDescriptor: warden.Descriptor,
}

func (w wards) Hold(ctx context.Context, r *pb.Resource, agent resources.Agent, watchdog time.Duration) error {
	e := warden.Entry{Resource: r.Id, Lapse: r.GetTraits().GetLapse().AsDuration(), Watchdog: watchdog}
	for _, t := range resources.Traces(agent, r) {
		e.Traces = append(e.Traces, warden.Trace{Kind: kinds[t.Kind], Mark: t.Mark})
	}
	err := w.Link.Hold(ctx, e)
	if errors.Is(err, warden.ErrNoWatchdog) {
		return &resources.Fault{Kind: "no-watchdog", Text: fmt.Sprintf("%s needs a watchdog: %v", r.Id, err)}
	}
	return err
}

// haltShare is how much of the time of a halt passes before the warden does what the
// halt has not done by then: what is killed needs some time to end.
const haltShare = 7.0 / 8

func (w wards) Halting(r *pb.Resource, within time.Duration) {
	w.Link.Halting(r.Id, time.Duration(float64(within)*haltShare))
}

// A doubleGuard keeps the lease twice: addresses by the kernel, processes by the warden.
type doubleGuard struct {
	addresses lease.Guard
	processes *warden.Link
}

// Extend implements [lease.Guard]. The warden comes first: the kernel may have it wait.
func (g doubleGuard) Extend(deadline time.Duration) error {
	g.processes.Extend(deadline)
	return g.addresses.Extend(deadline)
}

// Clear implements [lease.Guard].
func (g doubleGuard) Clear() error {
	g.processes.Clear()
	return g.addresses.Clear()
}

// Kept implements [lease.Guard].
func (g doubleGuard) Kept() bool {
	return g.processes.Kept() || g.addresses.Kept()
}

// attach makes this agent the one of the machine's warden.
func (a *Agent) attach() (err error) {
	a.warden, err = warden.Attach(warden.LinkConfig{RunDir: a.config.RunDir, Lease: a.deadline})
	return err
}

// keepWarden keeps a warden alive until ctx is canceled, and tells what becomes of it.
func (a *Agent) keepWarden(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, for its warden: %w", err)
	}
	return a.warden.Watch(ctx, program, wardenTales{a})
}

// wardenTales tells people of the warden, in the log and by events.
type wardenTales struct{ *Agent }

// Lost implements [warden.Observer].
func (t wardenTales) Lost(pid int, why string) {
	t.logger.Warn("the warden is lost, another one is started", "pid", pid, "why", why)
	t.tale("warden-lost", time.Now(), "the warden of %s is lost (%s), another one is started", self(t).Info().Name, why)
}

// Killed implements [warden.Observer].
func (t wardenTales) Killed(e warden.Execution) {
	ago := lease.RawClock{}.Now() - e.At
	t.logger.Warn("the warden killed what ran here when the lease was over", "resources", e.Resources, "processes", e.Processes, "took", e.Took, "ago", ago)
	t.tale("warden-killed", time.Now().Add(-ago), "the lease of %s was over and its agent did not stop %s: the warden killed it, %d processes", self(t).Info().Name, e.Resources, e.Processes)
}

// Absent implements [warden.Observer].
func (t wardenTales) Absent(err error) {
	t.logger.Error("no warden: if this agent dies, what it runs goes on", "err", err)
}

// tale has an event recorded.
func (t wardenTales) tale(kind string, at time.Time, format string, args ...any) {
	t.note(&pb.Event{Kind: kind, At: timestamppb.New(at), Severity: pb.Severity_SEVERITY_WARNING, Text: fmt.Sprintf(format, args...)})
}

// wardenStatus is the warden's, for people.
func wardenStatus(s warden.Status) *pb.WardenStatus {
	w := &pb.WardenStatus{
		Pid: int32(s.PID), MemoryLocked: s.Locked, RealTime: s.RealTime, Resources: uint32(s.Held),
		Watchdog: s.Watchdog.State, WatchdogText: s.Watchdog.Text,
	}
	if s.Watchdog.Needed > 0 {
		w.WatchdogTimeout, w.ResetWithin = durationpb.New(s.Watchdog.Timeout), durationpb.New(s.Watchdog.Needed)
	}
	return w
}
