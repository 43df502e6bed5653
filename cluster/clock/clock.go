// Package clock is the clock that leases are counted on. All processes of a
// machine read the same time from it, until the machine boots again, and reading
// it allocates nothing: the warden looks at it too.
package clock

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Raw is CLOCK_MONOTONIC_RAW, which is monotonic and not slewed by NTP (lease
// protocol, H8), and the time that the machine was suspended, which that clock
// leaves out. So a suspended machine wakes up with its lease expired.
type Raw struct{}

// Now is the time since a moment that is the same for all processes.
func (Raw) Now() time.Duration { return read(unix.CLOCK_MONOTONIC_RAW) + asleep.total() }

// asleep is how long this machine was suspended since it booted.
var asleep = suspension{
	boot: func() time.Duration { return read(unix.CLOCK_BOOTTIME) },
	mono: func() time.Duration { return read(unix.CLOCK_MONOTONIC) },
}

// A suspension is by how much a clock that counts suspended time is ahead of one
// that is the same otherwise. Two clocks cannot be read at once: CLOCK_BOOTTIME is
// read first, so that a thread that is preempted in between sees too little, never
// a suspension that was none; and what was seen once stays.
type suspension struct {
	boot, mono func() time.Duration
	seen       atomic.Int64
}

func (s *suspension) total() time.Duration {
	boot := s.boot()
	now := int64(boot - s.mono())
	for {
		seen := s.seen.Load()
		if now <= seen {
			return time.Duration(seen)
		}
		if s.seen.CompareAndSwap(seen, now) {
			return time.Duration(now)
		}
	}
}

func read(clock int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		panic(fmt.Sprintf("read clock %d: %v", clock, err)) // Linux has all three since 2.6.39
	}
	return time.Duration(t.Nano())
}
