package simulation

import (
	"fmt"
	"sync"
	"time"
)

// A kernel is what survives the agent on a machine: what runs there, and the
// guard that silences it. It loses everything with the power.
type kernel struct {
	machine *machine

	mu      sync.Mutex
	present map[string]bool          // by resource: started, and not stopped since
	managed map[string]time.Duration // guarded: by resource, the deadline on the machine's clock; zero: silent
	boots   int
	stuck   map[string]bool    // by resource: its stop failed, and it was not stopped since (S5)
	trouble map[string]trouble // by operation: what is wrong with it
	ward    ward
}

func newKernel(m *machine) *kernel {
	return &kernel{
		machine: m, present: map[string]bool{}, managed: map[string]time.Duration{},
		stuck: map[string]bool{}, trouble: map[string]trouble{}, ward: ward{grace: map[string]time.Duration{}},
	}
}

// serves reports whether clients are answered at this instant. A resource
// without guard is one that only its stop silences, or the warden.
func (k *kernel) serves(id string) bool {
	k.reap()
	defer k.mu.Unlock()
	if !k.present[id] || k.machine.clock.stands() {
		return false
	}
	deadline, guarded := k.managed[id]
	return !guarded || k.machine.clock.Now() < deadline
}

// has reports whether the resource runs, silenced or not.
func (k *kernel) has(id string) bool {
	k.reap()
	defer k.mu.Unlock()
	return k.present[id]
}

func (k *kernel) set(id string, present bool) {
	k.machine.world.note("%s: %s runs: %v", k.machine.id, id, present)
	k.mu.Lock()
	if present {
		k.present[id] = true
	} else {
		delete(k.present, id)
		delete(k.stuck, id)
	}
	k.mu.Unlock()
	k.machine.world.judge(id)
}

// admit and clear are the guard's calls.
func (k *kernel) admit(id string, deadline time.Duration) {
	k.mu.Lock()
	k.managed[id] = deadline
	k.mu.Unlock()
	k.machine.world.judge(id)
}

// extend moves the deadline of all that is admitted; what was not added by the
// process that calls is cut to it, and not renewed (rule 25).
func (k *kernel) extend(deadline time.Duration, added map[string]bool) {
	k.mu.Lock()
	var moved []string
	for id, old := range k.managed {
		switch {
		case old == 0:
		case added[id]:
			k.managed[id] = deadline
			moved = append(moved, id)
		default:
			k.managed[id] = min(old, deadline)
		}
	}
	k.mu.Unlock()
	for _, id := range moved {
		k.machine.world.judge(id)
	}
}

// kept reports whether something is admitted that is not among those added.
func (k *kernel) kept(added map[string]bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.machine.clock.Now()
	for id, deadline := range k.managed {
		if k.present[id] && !added[id] && now < deadline {
			return true
		}
	}
	return false
}

// bootID tells one boot from another.
func (k *kernel) bootID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("boot %d", k.boots)
}

// clear silences one guarded resource, or all.
func (k *kernel) clear(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for other := range k.managed {
		if id == "" || other == id {
			k.managed[other] = 0
		}
	}
}

func (k *kernel) powerOff() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.present)
	clear(k.managed)
	clear(k.stuck)
	clear(k.ward.grace)
	k.ward.deadline = 0
	k.boots++
}
