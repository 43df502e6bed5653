package vip

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/resources"
)

func monotonic(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// An agent that was frozen past the end of its lease has announcements due when
// it goes on. They would take the address from its new owner.
func TestNothingIsAnnouncedWithoutALeaseS1(t *testing.T) {
	l, r, addr := newLAN(t), resource("ip=10.9.0.100", "arp_count=5", "arp_interval=100"), netip.MustParseAddr("10.9.0.100")
	var end atomic.Int64
	end.Store(int64(monotonic(t) + time.Minute))
	a := up(t, Config{Deadline: func() (time.Duration, bool) { return time.Duration(end.Load()), true }}, r)
	end.Store(int64(monotonic(t) + 350*time.Millisecond))
	watched(t, a, r)
	frames := 0
	for l.tap.Next(t, 1200*time.Millisecond, announced(addr)) != nil { // two each at 0, 100, 200, 300 ms
		frames++
	}
	if frames < 2 || frames > 8 {
		t.Errorf("%d frames, want those of the first 350 ms: 2 to 8", frames)
	}
	l.claim(t, addr)
	if l.tap.Next(t, 200*time.Millisecond, announced(addr)) != nil {
		t.Error("a claim was answered without a lease")
	}
}

func TestAStartWhoseLeaseHasEndedLeavesNothingRule24(t *testing.T) {
	l, r := newLAN(t), resource("ip=10.9.0.100")
	a := newAgent(t, Config{Deadline: func() (time.Duration, bool) { return monotonic(t) - 1, true }})
	if err := a.Start(t.Context(), r); err == nil || !strings.Contains(err.Error(), "lease") {
		t.Errorf("start: %v, want an error about the lease", err)
	}
	if s, err := a.Monitor(t.Context(), r); s != resources.Stopped {
		t.Errorf("monitor: %v, %v; want stopped", s, err)
	}
	if l.tap.Next(t, 100*time.Millisecond, announced(netip.MustParseAddr("10.9.0.100"))) != nil {
		t.Error("the address was announced")
	}
}
