package ocf

import (
	"context"
	"fmt"
	"sync"
)

// scripts lets one script of a resource run at a time.
type scripts struct {
	mu   sync.Mutex
	runs map[string]*turns // by resource id
}

// turns is whose turn it is with one resource.
type turns struct {
	free chan struct{} // holds a token while no script runs

	mu        sync.Mutex
	interrupt context.CancelFunc // of the script under way, if a stop may end it
}

func (s *scripts) of(id string) *turns {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.runs[id]
	if t == nil {
		t = &turns{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		if s.runs == nil {
			s.runs = make(map[string]*turns)
		}
		s.runs[id] = t
	}
	return t
}

// enter waits for the resource's turn. A stop does not wait: what is under way is
// interrupted, unless it is a stop. leave gives the turn back.
func (s *scripts) enter(ctx context.Context, id string, stop bool) (_ context.Context, leave func(), err error) {
	t := s.of(id)
	if stop {
		t.end()
	}
	select {
	case <-t.free:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("another script of it is still running: %w", ctx.Err())
	}
	ctx, cancel := context.WithCancel(ctx)
	if !stop {
		t.set(cancel)
	}
	return ctx, func() {
		t.set(nil)
		cancel()
		t.free <- struct{}{}
	}, nil
}

func (t *turns) set(interrupt context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interrupt = interrupt
}

func (t *turns) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interrupt != nil {
		t.interrupt()
	}
}
