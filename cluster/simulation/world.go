package simulation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
	network  *network
	machines map[string]*machine
	names    []string
	level    slog.Level // of what the machines log into the timeline
	gentle   bool       // no agent dies or freezes without its machine

	mu         sync.Mutex
	rng        *rand.Rand
	timeline   []string
	violations []string
	acked      []string // keys that were acknowledged (S2)
	faults     int
}

// maxDrift is how far apart two clocks' rates may be, as lease.md has it for a
// guard on a slewed clock.
const maxDrift = 0.04

func newWorld(seed uint64, size int) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		seed: seed, epoch: time.Now(), rng: rng, machines: map[string]*machine{},
		network: newNetwork(rand.New(rand.NewPCG(seed, 2))), level: slog.LevelInfo,
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	for i := range size {
		m := &machine{
			world: w, id: fmt.Sprintf("n%d", i+1),
			rate:   1 + (rng.Float64()*2-1)*maxDrift,
			offset: time.Duration(rng.Int64N(int64(time.Hour))),
		}
		m.kernel, m.disk = newKernel(m), newDisk()
		w.machines[m.id] = m
		w.names = append(w.names, m.id)
	}
	return w
}

// end stops everything and waits for it.
func (w *world) end() {
	w.network.heal()
	for _, name := range w.names {
		w.machines[name].kill(true)
	}
	w.cancel()
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

// judge checks S1 for a resource, at the only instants at which it can begin to
// be violated: when a machine begins to serve, or goes on longer.
func (w *world) judge(resource string) {
	var serving []string
	for _, name := range w.names {
		if w.machines[name].kernel.serves(resource) {
			serving = append(serving, name)
		}
	}
	if resource == service && !w.gentle {
		return // nothing but its agent stops it
	}
	if len(serving) > 1 && !w.violated() {
		w.violate("S1: %s is served by %s", resource, strings.Join(serving, " and "))
	}
}

// serving returns who serves a resource.
func (w *world) serving(resource string) []string {
	var list []string
	for _, name := range w.names {
		if w.machines[name].kernel.serves(resource) {
			list = append(list, name)
		}
	}
	return list
}

func (w *world) between(low, high time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return low + time.Duration(w.rng.Int64N(int64(high-low)))
}

func (w *world) chance(p float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Float64() < p
}

func (w *world) pick(from ...string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return from[w.rng.IntN(len(from))]
}

// syncTime is how long a synced write takes: seldom much longer than usual.
func (w *world) syncTime() time.Duration {
	if w.chance(0.01) {
		return w.between(10*time.Millisecond, 200*time.Millisecond)
	}
	return w.between(200*time.Microsecond, 2*time.Millisecond)
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

// story is what a failing schedule prints.
func (w *world) story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.timeline[max(0, len(w.timeline)-400):]
	return fmt.Sprintf("seed %d violates:\n  %s\ntimeline:\n%s", w.seed, strings.Join(slices.Compact(slices.Clone(w.violations)), "\n  "), strings.Join(last, "\n"))
}

func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
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
