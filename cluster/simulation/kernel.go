package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A kernel is what survives the agent on a machine: what runs there, and the
// guard that silences it. It loses everything with the power.
type kernel struct {
	machine *machine

	mu      sync.Mutex
	present map[string]bool          // by resource: started, and not stopped since
	managed map[string]time.Duration // guarded: by resource, the deadline on the machine's clock; zero: silent
	boots   int
}

func newKernel(m *machine) *kernel {
	return &kernel{machine: m, present: map[string]bool{}, managed: map[string]time.Duration{}}
}

// serves reports whether clients are answered at this instant. A resource
// without guard is one that nothing but its stop silences.
func (k *kernel) serves(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.present[id] {
		return false
	}
	deadline, guarded := k.managed[id]
	return !guarded || k.machine.clock() < deadline
}

// has reports whether the resource runs, silenced or not.
func (k *kernel) has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.present[id]
}

func (k *kernel) set(id string, present bool) {
	k.mu.Lock()
	if present {
		k.present[id] = true
	} else {
		delete(k.present, id)
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
	now := k.machine.clock()
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
	k.boots++
}

// An agent runs resources in the simulated kernel. Those of agent "address" are
// guarded, those of agent "service" are processes that live on until they are
// stopped.
type agent struct {
	process *process
	guarded bool
}

// Find implements executor.Agents.
func (p *process) Find(name string) (resources.Agent, error) {
	switch name {
	case "address":
		return agent{p, true}, nil
	case "service":
		return agent{p, false}, nil
	}
	return nil, fmt.Errorf("no agent %q", name)
}

var errDead = errors.New("the machine is dead")

// Metadata implements resources.Agent.
func (a agent) Metadata() *pb.AgentMetadata { return &pb.AgentMetadata{} }

// Validate implements resources.Agent.
func (a agent) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }

// Start implements resources.Agent.
func (a agent) Start(ctx context.Context, r *pb.Resource) error {
	m := a.process.machine
	m.gate(a.process, "start")
	if err := a.work(ctx); err != nil {
		return err
	}
	m.gate(a.process, "start-write")
	if a.process.dead() {
		return errDead
	}
	if a.guarded {
		if err := a.process.guard.add(ctx, r.Id); err != nil {
			return err
		}
	}
	m.kernel.set(r.Id, true)
	return nil
}

// Stop implements resources.Agent.
func (a agent) Stop(ctx context.Context, r *pb.Resource) error {
	m := a.process.machine
	m.gate(a.process, "stop")
	if err := a.work(ctx); err != nil {
		return err
	}
	return a.Halt(ctx, r)
}

// Halt implements resources.Halter.
func (a agent) Halt(_ context.Context, r *pb.Resource) error {
	m := a.process.machine
	m.gate(a.process, "halt")
	if a.process.dead() {
		return errDead
	}
	if a.guarded {
		a.process.guard.remove(r.Id)
	}
	m.kernel.set(r.Id, false)
	return nil
}

// Monitor implements resources.Agent.
func (a agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	m := a.process.machine
	m.gate(a.process, "monitor")
	if a.process.dead() {
		return resources.Unknown, errDead
	}
	if m.kernel.has(r.Id) {
		return resources.Running, nil
	}
	return resources.Stopped, nil
}

// work takes the time that an operation does.
func (a agent) work(ctx context.Context) error {
	timer := time.NewTimer(a.process.machine.world.noise.between(100*time.Microsecond, 5*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-a.process.ended:
		return errDead
	}
}
