package lease

import (
	"testing"
	"time"
)

func TestTheWorstDelayIsForgottenAfterAnHour(t *testing.T) {
	const ms = time.Millisecond
	var d delays
	now := 1000 * time.Hour
	steps := []struct {
		after, late, recent, ever time.Duration
	}{
		{0, 5 * ms, 5 * ms, 5 * ms},
		{time.Second, 90 * ms, 90 * ms, 90 * ms},
		{30 * time.Minute, 7 * ms, 90 * ms, 90 * ms},
		{29 * time.Minute, 1 * ms, 90 * ms, 90 * ms},
		{2 * time.Minute, 1 * ms, 7 * ms, 90 * ms},
		{30 * time.Minute, 2 * ms, 2 * ms, 90 * ms},
		{100 * time.Hour, 0, 0, 90 * ms},
	}
	for i, s := range steps {
		now += s.after
		d.note(now, s.late)
		if got := d.recent(now); got != s.recent || d.ever != s.ever {
			t.Errorf("step %d: recently %v and ever %v, want %v and %v", i, got, d.ever, s.recent, s.ever)
		}
	}
}
