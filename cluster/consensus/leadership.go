package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// barrierTimeout bounds how long a new leader may take to apply what its
// predecessors committed before it gives leadership away.
const barrierTimeout = 5 * time.Second

// Lead runs term once per term of leadership, each with a context that ends
// with the term, until ctx is canceled. Before each it waits for a barrier, so
// that term sees all that was committed before. If the barrier or term fails
// while this node still leads, leadership is handed over: better another
// leader than one that does not plan. While nobody takes it, term is run again,
// as it is when it ended without an error although this node still leads (a
// transfer of leadership was under way, and failed).
//
// Terms never overlap: the next begins only after the last has returned, also
// when leadership was lost and gained at once.
func (n *Node) Lead(ctx context.Context, term func(context.Context) error) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { n.echo(ctx) })
	beside.Go(func() { n.attend(ctx) })
	var current *tenure
	defer func() { current.end() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-n.broken:
			return err
		case o := <-n.sights:
			n.saw(o)
		case leads := <-n.changes:
			current.end()
			current = nil
			if leads {
				current = n.begin(ctx, term)
			}
		}
	}
}

// A tenure is one running term.
type tenure struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// end cancels the term and waits for it.
func (t *tenure) end() {
	if t == nil {
		return
	}
	t.cancel()
	t.running.Wait()
}

func (n *Node) begin(ctx context.Context, term func(context.Context) error) *tenure {
	ctx, cancel := context.WithCancel(ctx)
	t := &tenure{cancel: cancel}
	t.running.Go(func() {
		for ctx.Err() == nil {
			n.attempt(ctx, term)
		}
	})
	return t
}

// attempt leads until the term ends or fails. After a failure it tries to give
// leadership away, and rests before the next attempt in case nobody takes it.
func (n *Node) attempt(ctx context.Context, term func(context.Context) error) {
	err := n.serve(ctx, term)
	rest := 50 * time.Millisecond
	if err != nil && ctx.Err() == nil {
		n.log.Warn("leading failed, handing leadership over", "err", err)
		if err := n.TransferLeadership(); err != nil {
			n.log.Warn("leadership not handed over", "err", err)
		}
		rest = time.Second
	}
	select {
	case <-ctx.Done():
	case <-time.After(rest):
	}
}

func (n *Node) serve(ctx context.Context, term func(context.Context) error) error {
	if err := n.ask(func(r *raft.Raft) raft.Future { return r.Barrier(barrierTimeout) }); err != nil {
		return fmt.Errorf("catch up before leading: %w", err)
	}
	if err := term(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
