package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// leaseLength is L of the lease protocol.
const leaseLength = 400 * time.Millisecond

// A world is a cluster of machines and all that can happen to it. It must be
// made, run and ended inside one synctest bubble.
type world struct {
	seed     uint64
	epoch    time.Time // virtual time zero
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup // messages under way, thaws, processes that end
	people   sync.WaitGroup // what operators have under way
	network  *network
	machines map[string]*machine
	names    []string
	level    slog.Level // of what the machines log into the timeline
	gentle   bool       // no agent dies or freezes without its machine

	fate  *dice // what goes wrong; only the schedule draws it, so that a seed has the same faults always
	noise *dice // how long things take

	mu         sync.Mutex
	timeline   []string
	violations []string
	acked      []string // keys that were acknowledged (S2)
	faults     map[string]int
	standing   map[string]standing // by node: the newest that anybody has applied
}

// maxDrift is how far apart two clocks' rates may be, as lease.md has it for a
// guard on a slewed clock.
const maxDrift = 0.04

func newWorld(seed uint64, size int) *world {
	w := &world{
		seed: seed, epoch: time.Now(), machines: map[string]*machine{}, level: slog.LevelInfo,
		fate: newDice(seed, 1), noise: newDice(seed, 2), network: newNetwork(newDice(seed, 3)),
		faults: map[string]int{}, standing: map[string]standing{},
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for i := range size {
		m := &machine{
			world: w, id: fmt.Sprintf("n%d", i+1), starting: make(chan struct{}, 1),
			rate:   1 + w.drift(),
			offset: w.fate.between(0, time.Hour),
		}
		m.kernel, m.disk = newKernel(m), newDisk()
		w.machines[m.id] = m
		w.names = append(w.names, m.id)
	}
	return w
}

// drift is at one of its limits for half of all machines.
func (w *world) drift() float64 {
	d := float64(w.fate.between(-2*time.Second, 2*time.Second)) / float64(time.Second)
	return min(max(d, -1), 1) * maxDrift
}

// end stops everything and waits for it.
func (w *world) end() {
	w.network.heal()
	for _, name := range w.names {
		w.machines[name].kill(true)
	}
	w.cancel()
	w.people.Wait()
	w.tasks.Wait()
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timeline = append(w.timeline, fmt.Sprintf("%9.1f ms  %s", float64(time.Since(w.epoch).Microseconds())/1000, fmt.Sprintf(format, args...)))
}

// violate notes that something that must always hold did not.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note("VIOLATION %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, text)
}

// sleep waits, or until the world ends.
func (w *world) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// story is what a failing schedule prints: what was violated, and how it came
// to that. Of the long wait for a cluster that does not come back only the
// beginning and the end are of interest.
func (w *world) story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.timeline
	if repaired := slices.IndexFunc(told, func(line string) bool { return strings.HasSuffix(line, "  repair") }); repaired >= 0 && len(told) > repaired+300 {
		told = slices.Concat(told[:repaired+250], []string{"..."}, told[len(told)-50:])
	}
	told = told[max(0, len(told)-700):]
	return fmt.Sprintf("seed %d violates:\n  %s\ntimeline:\n%s", w.seed, strings.Join(slices.Compact(slices.Clone(w.violations)), "\n  "), strings.Join(told, "\n"))
}

func (w *world) acknowledge(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, key)
}

func (w *world) violated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.violations) > 0
}
