package simulation

import (
	"sync"
	"time"
)

// A watch is a machine's monotonic clock. It runs at a rate of its own, and
// stands still while the machine is paused. It is read under locks, so no
// machine freezes there: in a bubble, time stands still while anybody waits for
// a mutex.
type watch struct {
	epoch  time.Time
	rate   float64
	offset time.Duration

	mu     sync.Mutex
	paused time.Time     // zero: it runs
	stood  time.Duration // how long it stood still so far, in true time
}

// Now implements lease.Clock.
func (c *watch) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.paused.IsZero() {
		now = c.paused
	}
	return time.Duration(float64(now.Sub(c.epoch)-c.stood+c.offset) * c.rate)
}

// stop makes the clock stand still until run.
func (c *watch) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = time.Now()
}

func (c *watch) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stood += time.Since(c.paused)
	c.paused = time.Time{}
}

// stands reports whether the clock stands still.
func (c *watch) stands() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.paused.IsZero()
}
