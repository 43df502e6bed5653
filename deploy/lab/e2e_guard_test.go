package lab

import (
	"testing"
	"time"
)

// TestE2EAKilledOrFrozenOwnerIsSilentBeforeAnotherSpeaks is what keepalived
// cannot do: the agent of the owner is killed or stands still, its addresses
// remain on its links, and no two nodes serve them for a millisecond.
func TestE2EAKilledOrFrozenOwnerIsSilentBeforeAnotherSpeaks(t *testing.T) {
	s := newScene(t, "n1", "n2", "n3")
	s.form()
	q, err := newQuorate(t.Context(), s.cluster, Shape{})
	if err != nil {
		t.Fatal(err)
	}
	var base float64
	for _, tt := range []struct {
		task
		runs int
	}{
		{task{Event: EventPowerOff}, 3},
		{task{Event: EventKill}, 4},
		{task{Event: EventFreeze, Hold: 3 * time.Second}, 2},
	} {
		var r Result
		for range 3 { // an election that takes two attempts makes a run longer, on a busy machine more often
			more, err := bench(t.Context(), s.Lab, q, tt.task, tt.runs, nil)
			if err != nil {
				t.Fatal(err)
			}
			r = Result{Runs: append(r.Runs, more.Runs...)}
			if r.sum(); tt.Event == EventPowerOff || r.Median <= 1.2*base {
				break
			}
		}
		if r.Double != 0 || r.Shared != 0 {
			t.Errorf("%s: two nodes answered for %v ms, and two served the address for %v ms: %+v", tt.Event, r.Double, r.Shared, r)
		}
		if tt.Event == EventPowerOff {
			base = r.Median
		} else if r.Median > 1.2*base {
			t.Errorf("%s: a gap of %v ms, more than 1.2 times the %v ms of a power-off", tt.Event, r.Median, base)
		}
		t.Logf("%s: gaps of %v ms, %v at most", tt.Event, r.Median, r.Max)
	}
}
