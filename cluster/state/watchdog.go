package state

import (
	"fmt"
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
