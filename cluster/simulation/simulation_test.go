package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Int("schedules", 2000, "how many schedules TestSchedules runs")
	firstSeed = flag.Uint64("seed", 1, "the first seed")
)

// play runs one schedule in a bubble of its own.
func play(t *testing.T, seed uint64) (r report) {
	synctest.Test(t, func(t *testing.T) {
		size := 3
		if seed%5 == 0 {
			size = 5
		}
		r = run(seed, size)
	})
	return r
}

// TestSchedules looks for a violation of S1, S2, S3, S4 or S7.
func TestSchedules(t *testing.T) {
	count := *schedules
	if testing.Short() {
		count = min(count, 100)
	}
	began := time.Now()
	var next, faults, failovers, acked atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(count) && !t.Failed(); i = next.Add(1) - 1 {
				seed := *firstSeed + uint64(i)
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
					r := play(t, seed)
					if r.story != "" {
						t.Error(r.story)
					}
					faults.Add(int64(r.faults))
					failovers.Add(int64(r.failovers))
					acked.Add(int64(r.acked))
				})
			}
		})
	}
	workers.Wait()
	t.Logf("%d schedules, %d faults, %d failovers, %d acknowledged changes in %v", count, faults.Load(), failovers.Load(), acked.Load(), time.Since(began).Round(time.Second))
}
