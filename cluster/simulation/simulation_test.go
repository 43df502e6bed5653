package simulation

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
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

// TestSchedules looks for a violation of S1, S2, S3, S4 or S7.
func TestSchedules(t *testing.T) {
	count := *schedules
	if testing.Short() {
		count = min(count, 100)
		t.Logf("only %d schedules because of -short", count)
	}
	var total tally
	began := time.Now()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)); i <= count && !t.Failed(); i = int(next.Add(1)) {
				seed := *firstSeed + uint64(i) - 1
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { total.add(play(t, seed)) })
			}
		})
	}
	workers.Wait()
	t.Logf("%s, in %v", &total, time.Since(began).Round(100*time.Millisecond))
}

// play runs one schedule in a bubble of its own.
func play(t *testing.T, seed uint64) (r report) {
	synctest.Test(t, func(t *testing.T) {
		size := 3
		if seed%5 == 0 {
			size = 5
		}
		r = run(seed, size)
	})
	if r.story != "" {
		t.Error(r.story)
	}
	return r
}

// A tally sums reports up.
type tally struct {
	mu                          sync.Mutex
	schedules, failovers, acked int
	faults                      map[string]int
}

func (s *tally) add(r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults = map[string]int{}
	}
	s.schedules++
	s.failovers += r.failovers
	s.acked += r.acked
	for name, n := range r.faults {
		s.faults[name] += n
	}
}

func (s *tally) String() string {
	total, kinds := 0, make([]string, 0, len(s.faults))
	for _, name := range slices.Sorted(maps.Keys(s.faults)) {
		total += s.faults[name]
		kinds = append(kinds, fmt.Sprintf("%s %d", name, s.faults[name]))
	}
	return fmt.Sprintf("%d schedules, %d failovers, %d acknowledged changes, %d faults (%s)",
		s.schedules, s.failovers, s.acked, total, strings.Join(kinds, ", "))
}
