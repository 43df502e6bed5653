package check

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"time"
)

// A watch asks one target, one attempt after another.
type watch struct {
	runner *Runner
	target Target
	check  Check // with the defaults
	at     netip.AddrPort
	probe  probe
	weigh  weigher // in place of probe; nil: the check says no weight

	// Guarded by runner.mu:
	judge  judge
	status Status             // but Since
	since  time.Time          // of the state
	cancel context.CancelFunc // of run; nil before it
}

func newWatch(r *Runner, t Target) (*watch, error) {
	c := t.Check.withDefaults()
	p, err := c.probe()
	if err != nil {
		return nil, err
	}
	at, err := c.endpoint(t.Server)
	if err != nil {
		return nil, err
	}
	return &watch{
		runner: r, target: t, check: c, at: at, probe: p, weigh: c.weigher(),
		judge:  judge{rise: c.Rise, fall: c.Fall, state: t.Assume},
		status: Status{ID: t.ID, State: t.Assume},
		since:  time.Now(),
	}, nil
}

// spread is within how much time the first attempts begin, at most: those that
// were set together are not asked together, and yet all soon.
const spread = time.Second

// jitter is by how much of itself a pause is longer or shorter.
const jitter = 0.05

// run asks until ctx is canceled.
func (w *watch) run(ctx context.Context) {
	due := w.together(time.Now().Add(rand.N(min(w.check.Interval, spread))))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := w.once(ctx, due)
		if ctx.Err() != nil {
			return
		}
		pause := time.Duration(float64(w.runner.pause(w)) * (1 - jitter + 2*jitter*rand.Float64()))
		if due = w.together(began.Add(pause)); time.Until(due) < 0 {
			due = time.Now() // the attempt took longer: the next one is not late
		}
		timer.Reset(time.Until(due))
	}
}

// together moves a time back to the last of a grid, so that attempts begin in small
// crowds: the process wakes, and sleeps again, once for all of them. With thousands
// of checks a second that is a fifth of what they cost.
func (w *watch) together(due time.Time) time.Time {
	grid := min(w.check.Interval/100, coarsest)
	if grid <= 0 {
		return due
	}
	return due.Add(-time.Duration(due.UnixNano()) % grid)
}

// coarsest is the grid of intervals of a second and more.
const coarsest = 10 * time.Millisecond

// once asks when there is room for it, and returns when that was.
func (w *watch) once(ctx context.Context, due time.Time) (began time.Time) {
	room := w.runner.network
	if w.check.Kind == "program" {
		room = w.runner.programs
	}
	select {
	case <-ctx.Done():
		return due
	case room <- struct{}{}:
	}
	defer func() { <-room }()
	began = time.Now()
	limited, cancel := context.WithTimeout(ctx, w.check.Timeout)
	defer cancel()
	a := w.ask(limited)
	if ctx.Err() == nil { // else nobody waits for it, and it may have failed for that
		w.runner.record(w, began, began.Sub(due), a)
	}
	return began
}
