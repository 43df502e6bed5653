package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Operations that can fail.
const (
	start   = "start"
	stop    = "stop"
	halt    = "halt"
	monitor = "monitor"
)

// A trouble is what is wrong with an operation on a machine.
type trouble int

const (
	none  trouble = iota
	fails         // with an error, and nothing done
	hangs         // until its time is over
)

func (t trouble) String() string { return [...]string{"works", "fails", "hangs"}[t] }

var errTrouble = errors.New("the simulated operation failed")

// An agent runs resources in the simulated kernel. Those of agent "address" are
// guarded, those of agent "service" are processes that live on until they are
// stopped, or until the warden kills them.
type agent struct {
	process *process
	guarded bool
}

var _ resources.Halter = agent{}

// Find implements executor.Agents.
func (p *process) Find(name string) (resources.Agent, error) {
	switch name {
	case "address":
		return agent{p, true}, nil
	case "service":
		return agent{p, false}, nil
	case "database":
		return database{agent{p, false}}, nil
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
	if err := a.work(ctx, start); err != nil {
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
	if err := a.work(ctx, stop); err != nil {
		a.process.machine.kernel.stopFailed(r.Id)
		return err
	}
	return a.end(r)
}

// Halt implements resources.Halter. Of a process without guard it never fails:
// that only fencing could make good.
func (a agent) Halt(ctx context.Context, r *pb.Resource) error {
	if a.guarded {
		if err := a.work(ctx, halt); err != nil {
			return err
		}
	}
	return a.end(r)
}

func (a agent) end(r *pb.Resource) error {
	m := a.process.machine
	m.gate(a.process, halt)
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
func (a agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	if err := a.work(ctx, monitor); err != nil {
		return resources.Unknown, err
	}
	if a.process.dead() {
		return resources.Unknown, errDead
	}
	if a.process.machine.kernel.has(r.Id) {
		return resources.Running, nil
	}
	return resources.Stopped, nil
}

// work takes the time that an operation does, and fails if it is to fail.
func (a agent) work(ctx context.Context, operation string) error {
	m := a.process.machine
	m.gate(a.process, operation)
	took := m.world.noise.between(100*time.Microsecond, 5*time.Millisecond)
	trouble := m.kernel.troubleWith(operation)
	if trouble == hangs {
		took = time.Hour
	}
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-a.process.ended:
		return errDead
	}
	if trouble == fails {
		return errTrouble
	}
	return nil
}

// stopFailed notes that what runs could not be stopped.
func (k *kernel) stopFailed(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.present[id] {
		k.stuck[id] = true
	}
}

// isStuck reports whether a resource runs although its stop failed.
func (k *kernel) isStuck(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stuck[id]
}

func (k *kernel) troubleWith(operation string) trouble {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.trouble[operation]
}

func (k *kernel) setTrouble(operation string, t trouble) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble[operation] = t
}

// calm ends all troubles.
func (k *kernel) calm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.trouble)
}
