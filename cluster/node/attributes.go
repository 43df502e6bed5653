package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// attributes commits what programs on this node say of it: transient attributes.
// Of each the newest value is committed, once, if the state says something else.
//
// A value may be dampened: it is committed when so much time has passed since the
// first change that is not committed. One that is taken back before changes nothing.
type attributes struct {
	id      string // of this node
	store   *state.Store
	propose func(context.Context, *pb.Command) (*state.Applied, error)
	logger  *slog.Logger

	poked chan struct{} // has a token when wishes may have changed

	mu     sync.Mutex
	wishes map[string]attributeWish // by name
	done   chan struct{}            // closed when a wish was fulfilled, or given up
}

// An attributeWish is a value that is not known to be committed.
type attributeWish struct {
	value string // empty: none
	due   time.Time
}

func newAttributes(k *Core, c CoreConfig) *attributes {
	return &attributes{
		id: c.ID, store: c.Store, propose: k.Propose, logger: c.Log,
		poked: make(chan struct{}, 1), wishes: make(map[string]attributeWish), done: make(chan struct{}),
	}
}

// Set has an attribute of this node set; an empty value removes it. It returns at
// once: what it asks for is proposed again until it is committed.
func (a *attributes) Set(name, value string, dampen time.Duration) error {
	if err := state.CheckTransient(name, value); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	due := time.Now().Add(dampen)
	if w, waits := a.wishes[name]; waits && w.due.Before(due) {
		due = w.due
	}
	a.wishes[name] = attributeWish{value, due}
	select {
	case a.poked <- struct{}{}:
	default:
	}
	return nil
}

// Settle waits until nothing is left to commit of some attributes. It returns the
// context's error if that ends first.
func (a *attributes) Settle(ctx context.Context, names ...string) error {
	for {
		a.mu.Lock()
		done, left := a.done, false
		for _, name := range names {
			_, waits := a.wishes[name]
			left = left || waits
		}
		a.mu.Unlock()
		if !left {
			return nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Run commits until ctx is canceled.
func (a *attributes) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := a.commit(ctx)
		select {
		case <-ctx.Done():
		case <-a.poked:
		case <-time.After(wait):
		}
	}
	return nil
}

// commit commits what is due, and returns when to look again.
func (a *attributes) commit(ctx context.Context) time.Duration {
	n := state.NodeByID(a.store.Get().State, a.id)
	due, wait := a.due(time.Now())
	switch {
	case len(due) == 0:
		return wait
	case n == nil || n.Admission != pb.Admission_ADMISSION_ADMITTED:
		return reportRetry
	}
	changes := make(map[string]string, len(due))
	for name, value := range due {
		if n.Transient[name] != value {
			changes[name] = value
		}
	}
	if len(changes) > 0 {
		err := a.change(ctx, &pb.SetTransient{Node: n.Id, Epoch: n.Epoch, Set: changes})
		if refusal := (*state.Refusal)(nil); errors.As(err, &refusal) && refusal.Code != state.Stale {
			a.logger.Warn("node attributes not set", "err", err)
		} else if err != nil {
			a.logger.Info("node attributes not set yet", "err", err)
			return reportRetry
		}
	}
	a.fulfil(due)
	return 0
}

// due returns the values to commit now, and when the next ones are due.
func (a *attributes) due(now time.Time) (map[string]string, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	values, wait := make(map[string]string), idle
	for name, w := range a.wishes {
		if left := w.due.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		values[name] = w.value
	}
	return values, wait
}

// change commits, and waits until this node has applied it: else the next
// comparison would be with what was before.
func (a *attributes) change(ctx context.Context, s *pb.SetTransient) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	applied, err := a.propose(ctx, &pb.Command{Body: &pb.Command_SetTransient{SetTransient: s}})
	if err != nil {
		return err
	}
	for {
		changed := a.store.Changed()
		if a.store.Get().Index >= applied.Index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(consensus.ErrUnknown, ctx.Err())
		}
	}
}

// fulfil forgets the wishes that were not changed meanwhile.
func (a *attributes) fulfil(values map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, value := range values {
		if a.wishes[name].value == value {
			delete(a.wishes, name)
		}
	}
	close(a.done)
	a.done = make(chan struct{})
}
