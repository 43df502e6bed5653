package executor

import (
	"context"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// overdue is how long after the end of its time a stop may still be on its way: an
// agent kills what it has begun then, and waits a little for that.
const overdue = 5 * time.Second

// end demotes and stops a resource. It does not wait for an agent that returns neither
// in its time nor long after it, for what hangs in the kernel ends for nobody: such a
// stop has failed, and is escalated as any other (S5). The resource's turn is that
// agent's until it returns.
func (e *Executor) end(ctx context.Context, u *unit, r *pb.Resource, agent resources.Agent) error {
	ended := make(chan struct{})
	var err error
	e.running.Go(func() {
		defer close(ended)
		e.lower(ctx, u, r, agent)
		err = agent.Stop(ctx, r)
	})
	select {
	case <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-ended:
		return err
	case <-time.After(overdue):
		u.hangs = ended
		return fmt.Errorf("it hangs, perhaps in the kernel: it has not ended %v after its time was over: %w", overdue, ctx.Err())
	}
}

// giveBack ends the turn of an operation; that of a stop that hangs once it is over.
func (e *Executor) giveBack(u *unit, release func()) {
	hangs := u.hangs
	u.hangs = nil
	if hangs == nil {
		release()
		return
	}
	e.running.Go(func() {
		<-hangs
		release()
	})
}
