package simulation

import (
	"context"
	"errors"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A database is a process that can be promoted. It has no guard: what runs
// promoted does so until it is demoted or stopped.
type database struct{ agent }

var _ resources.Promoter = database{}

// Start implements resources.Agent. Like a script it does not know what to do with
// what is promoted already.
func (d database) Start(ctx context.Context, r *pb.Resource) error {
	if d.process.machine.kernel.has(promoted) {
		return errors.New("it is promoted already")
	}
	return d.agent.Start(ctx, r)
}

// Promote implements resources.Promoter. It meets the troubles of a start, as a
// demotion does those of a stop.
func (d database) Promote(ctx context.Context, r *pb.Resource) error {
	m := d.process.machine
	if err := d.work(ctx, start); err != nil {
		return err
	}
	m.gate(d.process, "start-write")
	switch {
	case d.process.dead():
		return errDead
	case !m.kernel.has(r.Id):
		return errors.New("it does not run")
	}
	m.kernel.set(promoted, true)
	return nil
}

// Demote implements resources.Promoter.
func (d database) Demote(ctx context.Context, _ *pb.Resource) error {
	if err := d.work(ctx, stop); err != nil {
		return err
	}
	if d.process.dead() {
		return errDead
	}
	d.process.machine.kernel.set(promoted, false)
	return nil
}

// Stop implements resources.Agent.
func (d database) Stop(ctx context.Context, r *pb.Resource) error {
	return d.ended(d.agent.Stop(ctx, r))
}

// Halt implements resources.Halter.
func (d database) Halt(ctx context.Context, r *pb.Resource) error {
	return d.ended(d.agent.Halt(ctx, r))
}

// ended says that what runs no more is not promoted either.
func (d database) ended(err error) error {
	if err == nil {
		d.process.machine.kernel.set(promoted, false)
	}
	return err
}

// Monitor implements resources.Agent.
func (d database) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	s, err := d.agent.Monitor(ctx, r)
	if s == resources.Running && d.process.machine.kernel.has(promoted) {
		return resources.Promoted, err
	}
	return s, err
}
