package lease

import (
	"testing"
	"testing/synctest"
	"time"
)

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
