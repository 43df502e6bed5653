package simulation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// leaseLength is L of the lease protocol.
const leaseLength = 400 * time.Millisecond

// maxDrift is how far from true time a clock's rate may be: two of them differ
// by as much as lease.md has it for a guard on a slewed clock.
const maxDrift = 0.04

// A world is a cluster of machines and all that can happen to it. It must be
// made, run and ended inside one synctest bubble.
type world struct {
	shape
	seed     uint64
	epoch    time.Time // virtual time zero
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup // messages under way, thaws, processes that end
	people   sync.WaitGroup // what operators have under way
	network  *network
	lan      *lan
	machines map[string]*machine
	names    []string
	level    slog.Level // of what the machines log into the timeline

	fate  *dice // what goes wrong; only the schedule draws it, so that a seed has the same faults always
	noise *dice // how long things take
	power *dice // what the fencing device does

	repaired atomic.Bool

	history history // of what clients read and wrote
	owners  owners

	mu         sync.Mutex
	timeline   []string
	violations []string
	played     map[string]int              // by fault: how often
	standing   map[string]standing         // by node: the newest that anybody has applied
	gaveWay    map[string]string           // newest fork of a log that gave way: that of the log that goes on
	digests    map[place][sha256.Size]byte // of the state there
}

func newWorld(seed uint64, wanted wish) *world {
	w := &world{
		shape: wanted.draw(newDice(seed, 4)),
		seed:  seed, epoch: time.Now(), machines: map[string]*machine{}, level: slog.LevelInfo,
		fate: newDice(seed, 1), noise: newDice(seed, 2), power: newDice(seed, 5),
		played: map[string]int{}, standing: map[string]standing{}, gaveWay: map[string]string{}, digests: map[place][sha256.Size]byte{},
	}
	w.promotes = newDice(seed, 6).chance(0.5) // of its own: the other dice fall as before
	w.network, w.lan = newNetwork(newDice(seed, 3), w.lanes), newLAN()
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for i := range w.shape.machines() {
		m := newMachine(w, fmt.Sprintf("n%d", i+1), w.role(i))
		w.machines[m.id] = m
		w.names = append(w.names, m.id)
	}
	return w
}

// drift is at one of its limits for half of all machines.
func (w *world) drift() float64 {
	return drifting(float64(w.fate.between(-2*time.Second, 2*time.Second)) / float64(time.Second))
}

// drifting is how far from true time a rate is, from -1, the slowest, to 1.
func drifting(d float64) float64 {
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

// longestTimeline is more than any schedule tells of. One that goes round in a
// circle without an end must not take all memory.
const longestTimeline = 200_000

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.timeline) > longestTimeline {
		panic("this schedule goes round in a circle: " + strings.Join(w.timeline[longestTimeline-20:], "\n"))
	}
	w.timeline = append(w.timeline, fmt.Sprintf("%9.1f ms  %s", float64(time.Since(w.epoch).Microseconds())/1000, fmt.Sprintf(format, args...)))
}

// violate notes that something that must always hold did not.
func (w *world) violate(format string, args ...any) {
	if w.violated() {
		return // what follows from a violation is of no interest
	}
	text := fmt.Sprintf(format, args...)
	w.note("VIOLATION %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, text)
}

func (w *world) violated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.violations) > 0
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

// after runs f after a while, also when the world ends before.
func (w *world) after(d time.Duration, f func()) {
	w.tasks.Add(1)
	time.AfterFunc(d, func() {
		defer w.tasks.Done()
		f()
	})
}

// later runs f after a while, unless the world ends before.
func (w *world) later(d time.Duration, f func()) {
	w.tasks.Go(func() {
		w.sleep(d)
		if w.ctx.Err() == nil {
			f()
		}
	})
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
	return fmt.Sprintf("seed %d (%s), violations:\n  %s\ntimeline:\n%s", w.seed, w.name,
		strings.Join(slices.Compact(slices.Clone(w.violations)), "\n  "), strings.Join(told, "\n"))
}
