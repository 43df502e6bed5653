package clock

import (
	"testing"
	"time"
)

func TestASuspendedMachineWakesUpExpired(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name       string
		boot, mono time.Duration // as read one after the other
		want       time.Duration
	}{
		{"since the boot", 1000 * ms, 1000 * ms, 0},
		{"preempted between the two readings", 2000 * ms, 2900 * ms, 0},
		{"suspended for an hour", time.Hour + 3000*ms, 3000 * ms, time.Hour},
		{"then preempted between the readings", time.Hour + 4000*ms, 4300 * ms, time.Hour},
		{"suspended again, and preempted at the first look", 2*time.Hour + 5000*ms, 5400 * ms, 2*time.Hour - 400*ms},
		{"and at the next not", 2*time.Hour + 6000*ms, 6000 * ms, 2 * time.Hour},
	}
	var boot, mono time.Duration
	s := suspension{boot: func() time.Duration { return boot }, mono: func() time.Duration { return mono }}
	for _, tt := range tests {
		boot, mono = tt.boot, tt.mono
		if got := s.total(); got != tt.want {
			t.Errorf("%s: suspended for %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	last := Raw{}.Now()
	for range 100_000 {
		now := Raw{}.Now()
		if now < last {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
}

func TestReadingTheClockAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { Raw{}.Now() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
