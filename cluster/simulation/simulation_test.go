package simulation

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

var (
	schedules = flag.Int("schedules", 1500, "how many schedules TestSchedules plays")
	firstSeed = flag.Uint64("seed", 1, "the first seed")
	stride    = flag.Uint64("stride", 1, "how far the next seed is from the last one")
	size      = flag.String("size", "", "play only clusters of this size, for example \"three nodes\"")
	only      = flag.String("faults", "", "play only these faults, separated by commas; one that is named twice is twice as likely")
	on        = flag.Bool("on", false, "go on after a violation")
	tries     = flag.Int("tries", 1, "how often TestAgain plays its schedule at most")
	tell      = flag.Bool("tell", false, "report timelines also of schedules that do not fail")
	worker    = flag.Bool("worker", false, "play in this process, and report each schedule in a line")
)

// TestSchedules looks for a violation of what must always hold (S1 to S8).
func TestSchedules(t *testing.T) {
	if *worker {
		work(t)
		return
	}
	count := *schedules
	if testing.Short() {
		count = min(count, 100)
		t.Logf("only %d schedules because of -short", count)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := tally{began: time.Now(), wanted: count}
	crew := crew{binary: binary, first: *firstSeed, count: count, size: *size, faults: *only, workers: runtime.NumCPU()}
	err = crew.play(t.Context(), func(r report) bool {
		all.add(r)
		if r.Story != "" {
			t.Errorf("%s\nplay it again: make simulate SEED=%d", r.Story, r.Seed)
		}
		return *on || r.Story == ""
	})
	if err != nil {
		t.Error(err)
	}
	t.Log(&all)
}

// TestAgain plays the schedule of -seed until it fails, and prints what happened
// in it. The same goes wrong each time, but not always at the same step of the
// others, so that it may take a few tries.
func TestAgain(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	crew := crew{binary: binary, first: *firstSeed, count: *tries, repeat: true, size: *size, faults: *only, workers: 1}
	err = crew.play(t.Context(), func(r report) bool {
		told = r.Timeline
		if r.Story != "" {
			t.Error(r.Story)
		}
		return r.Story == ""
	})
	if err != nil {
		t.Error(err)
	}
	if !t.Failed() && *tries > 1 {
		t.Logf("no violation in %d tries. The last one:\n%s", *tries, told)
	}
}

// A crew plays schedules in processes of its own, each with one processor, so
// that goroutines run in much the same order whenever a seed is played.
type crew struct {
	binary       string
	first        uint64
	count        int
	size, faults string
	workers      int
	repeat       bool // play the first seed again and again
	environment  []string
}

// play hands each report to f as it comes in, until f returns false. An error
// says that a schedule ended its process.
func (c crew) play(ctx context.Context, f func(report) (more bool)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var order sync.Mutex
	g, playing := errgroup.WithContext(ctx)
	for k := range min(c.workers, c.count) {
		g.Go(func() error {
			err := c.work(playing, k, func(r report) {
				order.Lock()
				defer order.Unlock()
				if playing.Err() == nil && !f(r) {
					stop()
				}
			})
			if playing.Err() != nil {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// work runs one worker, which plays every c.workers'th seed.
func (c crew) work(ctx context.Context, k int, f func(report)) error {
	step := c.workers
	if c.repeat {
		step = 0
	}
	share := (c.count - k + c.workers - 1) / c.workers
	run := exec.CommandContext(ctx, c.binary, "-test.run=^TestSchedules$", "-test.timeout=0", "-worker",
		"-schedules="+strconv.Itoa(share), "-seed="+strconv.FormatUint(c.first+uint64(k), 10),
		"-stride="+strconv.Itoa(step), "-size="+c.size, "-faults="+c.faults, "-tell="+strconv.FormatBool(c.repeat))
	run.Env = append(append(os.Environ(), "GOMAXPROCS=1", "GOGC=400"), c.environment...)
	var told bytes.Buffer
	run.Stderr = &told
	out, err := run.StdoutPipe()
	if err != nil {
		return err
	}
	if err := run.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	playing := ""
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		var r report
		switch {
		case kind == "playing":
			playing = rest
		case kind == "report" && json.Unmarshal([]byte(rest), &r) == nil:
			f(r)
		default:
			told.WriteString(lines.Text() + "\n")
		}
	}
	if err := run.Wait(); err != nil {
		return fmt.Errorf("seed %s ended its process: %w\n%s", playing, err, told.String())
	}
	return nil
}

// work plays schedules in this process, each in a bubble of its own.
func work(t *testing.T) {
	wanted := wish{size: *size, timeline: *tell}
	if *only != "" {
		wanted.faults = strings.Split(*only, ",")
	}
	var playing atomic.Pointer[uint64] // another one for each play, also of the same seed
	watched := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { watchWorker(&playing, watched) })
	defer watch.Wait()
	defer close(watched)
	for i := range *schedules {
		seed := *firstSeed + uint64(i)**stride
		fmt.Println("playing", seed)
		playing.Store(&seed)
		var r report
		var h *history
		synctest.Test(t, func(*testing.T) { r, h = run(seed, wanted) })
		if wrong := h.check(); wrong != "" {
			r.Story = fmt.Sprintf("%s\nseed %d (%s), violations:\nVIOLATION %s", r.Story, seed, r.Size, wrong)
		}
		r.print()
	}
}

// print hands the report to the crew.
func (r report) print() {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err) // it holds nothing that has no JSON
	}
	fmt.Printf("report %s\n", line)
}

// What a schedule takes at most is a small part of this.
const (
	mostMemory = 2 << 30
	mostWork   = 15 * time.Second // of the processor
)

// watchWorker ends this process when a schedule goes round in a circle without an
// end, until the worker is done. Real time goes on beside the bubbles' own.
func watchWorker(playing *atomic.Pointer[uint64], done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began, seed := worked(), playing.Load()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if now := playing.Load(); now != seed {
			began, seed = worked(), now
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if work := worked() - began; seed != nil && (m.HeapAlloc > mostMemory || work > mostWork) {
			report{Seed: *seed, Story: fmt.Sprintf("seed %d, violations:\nVIOLATION S7: it does not come to its end: it has worked for %v and holds %d MiB",
				*seed, work.Round(time.Second), m.HeapAlloc>>20)}.print()
			os.Exit(3)
		}
	}
}

// worked is for how long this process has had a processor.
func worked() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // Linux has it
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A tally sums reports up.
type tally struct {
	began                          time.Time
	wanted                         int
	told                           time.Time
	schedules, failovers, accesses int
	sizes, faults                  map[string]int
}

// add also tells of the progress of a long run, every half minute.
func (s *tally) add(r report) {
	if s.faults == nil {
		s.faults, s.sizes, s.told = map[string]int{}, map[string]int{}, s.began
	}
	s.schedules++
	s.sizes[r.Size]++
	s.failovers += r.Failovers
	s.accesses += r.Accesses
	for name, n := range r.Faults {
		s.faults[name] += n
	}
	if time.Since(s.told) > 30*time.Second {
		s.told = time.Now()
		fmt.Printf("%d of %d schedules, %d failovers, %.0f a second\n", s.schedules, s.wanted, s.failovers, float64(s.schedules)/time.Since(s.began).Seconds())
	}
}

func (s *tally) String() string {
	total := 0
	for _, n := range s.faults {
		total += n
	}
	return fmt.Sprintf("%d schedules (%s), %d failovers, %d reads and writes, %d faults (%s), in %v",
		s.schedules, list(s.sizes), s.failovers, s.accesses, total, list(s.faults), time.Since(s.began).Round(100*time.Millisecond))
}

func list(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
