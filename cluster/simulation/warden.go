package simulation

import (
	"context"
	"time"

	"quorate/cluster/lease"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A warden is the agent's end of the machine's warden, which kills the processes of
// services when the lease is over and the agent has not stopped them.
//
// The machine's own end is no goroutine: what it has killed is found out whenever
// somebody looks, or is about to change what it goes by.
type warden struct {
	process *process
	held    map[string]bool // by this process; kernel.mu guards it
	kept    time.Duration   // end of the lease under which an earlier process left some
}

// A ward is what the machine's warden goes by, in memory that outlives the agent. It is
// guarded by kernel.mu.
type ward struct {
	deadline time.Duration
	grace    map[string]time.Duration // by resource on the list; zero: the agent has not said that it stops it
}

// wardenPatience is what a living agent has after the lease to say that it stops a service: a
// quarter of the time that others wait for it.
const wardenPatience = 75 * time.Millisecond

// reap takes away what the warden has killed by now, and leaves k.mu locked.
func (k *kernel) reap() {
	able := k.machine.running() != nil && !k.machine.stopped()
	now := k.machine.clock.Now()
	k.mu.Lock()
	for id, grace := range k.ward.grace {
		due := k.ward.deadline
		if able {
			due = max(due+wardenPatience, grace)
		}
		if now < due {
			continue
		}
		delete(k.present, id)
		delete(k.stuck, id)
		if id == cloned { // what runs no more is not promoted either
			delete(k.present, promoted)
			delete(k.stuck, promoted)
		}
	}
}

// change changes what the warden goes by, after it has done what was due before.
func (w *warden) change(f func(*ward)) {
	k := w.process.machine.kernel
	if w.process.dead() {
		return
	}
	k.reap()
	defer k.mu.Unlock()
	f(&k.ward)
}

func newWarden(p *process) *warden {
	w := &warden{process: p, held: map[string]bool{}}
	w.change(func(k *ward) { w.kept = k.deadline })
	return w
}

// Hold implements executor.Warden.
func (w *warden) Hold(_ context.Context, r *pb.Resource, a resources.Agent, _ time.Duration) error {
	if address, ok := a.(agent); ok && address.guarded {
		return nil
	}
	w.process.machine.gate(w.process, "warden-write")
	w.change(func(k *ward) { k.grace[r.Id], w.held[r.Id] = 0, true })
	return nil
}

// Halting implements executor.Warden.
func (w *warden) Halting(r *pb.Resource, within time.Duration) {
	until := w.process.machine.clock.Now() + within*7/8
	w.change(func(k *ward) {
		if _, ok := k.grace[r.Id]; ok {
			k.grace[r.Id] = until
		}
	})
}

// Release implements executor.Warden.
func (w *warden) Release(id string) { w.change(func(k *ward) { delete(k.grace, id) }) }

// Stuck implements executor.Warden. There are no watchdogs here.
func (w *warden) Stuck(string) {}

// extend moves the end of the lease, as late as it is now. A process may freeze between
// the reading and the writing: the end is absolute.
func (w *warden) extend(deadline time.Duration) {
	_, until, held := w.process.core.Held()
	if !held {
		return
	}
	w.process.machine.gate(w.process, "warden-write")
	w.change(func(k *ward) { k.deadline = min(until, deadline) })
}

func (w *warden) clear() { w.change(func(k *ward) { k.deadline = 0 }) }

// keeps reports whether something runs under the lease of an earlier process.
func (w *warden) keeps() bool {
	k := w.process.machine.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.ward.grace {
		if !w.held[id] && k.machine.clock.Now() < w.kept {
			return true
		}
	}
	return false
}

// A doubleGuard keeps the lease twice: addresses by the kernel, processes by the warden.
type doubleGuard struct {
	*guard
	warden *warden
}

var _ lease.Guard = doubleGuard{}

func (g doubleGuard) Extend(deadline time.Duration) error {
	g.warden.extend(deadline)
	return g.guard.Extend(deadline)
}

func (g doubleGuard) Clear() error {
	g.warden.clear()
	return g.guard.Clear()
}

func (g doubleGuard) Kept() bool { return g.warden.keeps() || g.guard.Kept() }
