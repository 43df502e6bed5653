package simulation

import (
	"context"
	"time"

	"quorate/resources"
)

// A guard is the agent's end of the kernel's guard, as rules 23 and 24 of the
// lease protocol have it: one lock around the check of the right and the write
// of an absolute deadline, and another look at the clock after each write.
type guard struct {
	process *process
	// A lock whose wait lets virtual time go on, unlike a mutex: a machine may
	// freeze inside it.
	lock chan struct{}
	// What this process added, under the lock. The rest an earlier one left.
	added map[string]bool
}

func newGuard(p *process) *guard {
	return &guard{process: p, lock: make(chan struct{}, 1), added: map[string]bool{}}
}

// enter takes the lock and returns how to leave it.
func (g *guard) enter() (leave func()) {
	g.lock <- struct{}{}
	return func() { <-g.lock }
}

var errLapsed = resources.ErrNoLease

// present is the end of the lease held now, at most deadline.
func (g *guard) present(deadline time.Duration) (time.Duration, bool) {
	_, until, held := g.process.core.Held()
	return min(until, deadline), held
}

// add admits one resource until the end of the lease. ctx ends with the right to
// it; it is looked at after the lease was, which is then that of the right.
func (g *guard) add(ctx context.Context, id string) error {
	m := g.process.machine
	defer g.enter()()
	until, held := g.present(1<<63 - 1)
	if !held || ctx.Err() != nil {
		return errLapsed
	}
	m.gate(g.process, "guard-write")
	if g.process.dead() {
		return errDead
	}
	m.world.judgeDeadline(g.process, until)
	m.kernel.admit(id, until)
	g.added[id] = true
	if m.clock.Now() >= until {
		m.kernel.clear(id)
		return errLapsed
	}
	return nil
}

func (g *guard) remove(id string) {
	defer g.enter()()
	if !g.process.dead() {
		g.process.machine.kernel.clear(id)
	}
}

// Extend implements lease.Guard.
func (g *guard) Extend(deadline time.Duration) error {
	m := g.process.machine
	defer g.enter()()
	until, held := g.present(deadline)
	if !held {
		return errLapsed
	}
	m.gate(g.process, "guard-write")
	if g.process.dead() {
		return errDead
	}
	m.world.judgeDeadline(g.process, until)
	m.kernel.extend(until, g.added)
	if m.clock.Now() >= until {
		return errLapsed // and the deadline that was written has passed
	}
	return nil
}

// Clear implements lease.Guard.
func (g *guard) Clear() error {
	defer g.enter()()
	g.process.machine.gate(g.process, "guard-clear")
	if !g.process.dead() {
		g.process.machine.kernel.clear("")
	}
	return nil
}

// Kept implements lease.Guard.
func (g *guard) Kept() bool {
	defer g.enter()()
	return g.process.machine.kernel.kept(g.added)
}
