package state

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Bounds of the property watchdog-timeout: a watchdog counts whole seconds, and one
// that is fed ten times a second should not fire for a machine that is slow.
const (
	leastWatchdog = 2 * time.Second
	mostWatchdog  = 10 * time.Minute
)

func checkWatchdogTimeout(s string) (string, error) {
	d, err := ParseDuration(s)
	if err == nil && (d < leastWatchdog || d > mostWatchdog || d%time.Second != 0) {
		err = fmt.Errorf("%q is no time for a watchdog; use whole seconds, 2s to 10min", s)
	}
	return s, err
}

// WatchdogTimeout is within what time after the lease of its node a resource's watchdog
// must have fired; 0: it needs none.
func WatchdogTimeout(s *pb.State, resource string) time.Duration {
	if FencingOf(s, resource) != FencingWatchdog {
		return 0
	}
	d, err := ParseDuration(Property(s, "watchdog-timeout"))
	if err != nil {
		return mostWatchdog // not checked in: nobody starts too early
	}
	return d
}

// watchdog is the same for a start; nil: none.
func (d *draft) watchdog(resource string) *durationpb.Duration {
	if t := WatchdogTimeout(d.State, resource); t > 0 {
		return durationpb.New(t)
	}
	return nil
}

// longer returns the longer of two durations, either of which may be nil.
func longer(a, b *durationpb.Duration) *durationpb.Duration {
	if b.AsDuration() > a.AsDuration() {
		return b
	}
	return a
}

// rebooted takes in that a node which has a new epoch was booted since the last one, be it
// before others have waited for that.
func (d *draft) rebooted(n *pb.Node) {
	for _, a := range d.Assignments {
		if a.Node == n.Id {
			d.reset(a)
		}
	}
}

// reset takes in that the machine was reset on which something could not be stopped that
// needs a watchdog. That is as good as a fencing: it is on record as one, and counts as one
// of those after which a node waits for an operator; the node returns as a clean member.
func (d *draft) reset(a *pb.Assignment) {
	i := InstanceOf(d.State, a.Resource, a.Node)
	if !a.Watchdog || i.GetState() != pb.InstanceState_INSTANCE_STATE_BLOCKED || d.leftBlocked(i) {
		return
	}
	known := slices.ContainsFunc(d.Fencings, func(f *pb.Fencing) bool {
		return f.Node == a.Node && f.Epoch == a.Epoch && f.OffAt != nil
	})
	if !known {
		d.recordReset(a, i)
	}
	d.putInstance(with(i, func(i *pb.Instance) {
		d.clean(i)
		d.stopped(i)
	}))
}

// leftBlocked reports whether a failed stop leads to nothing, and a person is to look.
func (d *draft) leftBlocked(i *pb.Instance) bool {
	policy := d.onFailedStop(i)
	return policy == failBlock || policy == failStandby
}

func (d *draft) recordReset(a *pb.Assignment, i *pb.Instance) {
	name := NodeName(d.State, a.Node)
	d.LastFencing++
	d.putFencing(&pb.Fencing{
		Id: d.LastFencing, Node: a.Node, Epoch: a.Epoch, Phase: pb.FencingPhase_FENCING_PHASE_DONE,
		Reason: fmt.Sprintf("the stop of %s there failed: %s", i.Resource, i.LastError), AskedAt: i.LastFailure,
		OffAt: d.at, EndedAt: d.at, By: "its watchdog", Note: "that resets it",
	})
	d.record(&pb.Event{
		Kind: "fenced", Node: name, Severity: pb.Severity_SEVERITY_WARNING,
		Text: fmt.Sprintf("%s was reset by its watchdog, as the stop of %s there had failed", name, i.Resource),
	})
	d.hold(a.Node)
}
