package lease

import (
	"testing"
	"testing/synctest"
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

func TestRawClockNeverGoesBack(t *testing.T) {
	last := RawClock{}.Now()
	for range 100_000 {
		now := RawClock{}.Now()
		if now < last {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
}

// A virtual machine whose clock stood still during a pause believes in a lease
// that is long over (lease protocol, H9). Only fencing makes the time none for
// which it serves beside the new owner.
func TestAPausedMachineStopsAtItsFirstRefusedBeat(t *testing.T) {
	var longest time.Duration
	for offset := range 13 {
		inRoom(t, trio, func(r *room) {
			defer r.lead("b")()
			time.Sleep(time.Duration(offset) * 5 * time.Millisecond) // somewhere between two beats
			a := r.engines["a"]
			a.pause()
			time.Sleep(time.Minute)
			if len(r.ends()) != 1 || !r.held("a") {
				t.Fatalf("gone %d times, and it believes that it holds its lease: %v; want 1, true", len(r.ends()), r.held("a"))
			}
			a.mu.Lock()
			cleared := a.cleared
			a.mu.Unlock()
			a.resume()
			began := time.Now()
			for r.held("a") {
				time.Sleep(time.Millisecond)
			}
			took := time.Since(began)
			synctest.Wait()
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.cleared == cleared {
				t.Error("its guard was not cleared at once")
			}
			longest = max(longest, took)
		})
	}
	t.Logf("the lease ended at most %v after the machine went on", longest)
	if limit := 65*time.Millisecond + 3*time.Millisecond; longest > limit {
		t.Errorf("the lease ended %v after the machine went on, want at most a beat and its way there and back, %v", longest, limit)
	}
}
