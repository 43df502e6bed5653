package realserver

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// unheard is how long an address waits that cannot be asked for, since no network
	// of this node has it: neighbours have learned of another owner by then.
	unheard = 3 * time.Second
	// A question follows the other for so long, and then they are rarer.
	hasty  = time.Second
	soon   = 50 * time.Millisecond
	later  = 500 * time.Millisecond
	anyhow = 5 * time.Second // a lease of an earlier agent ends without a word
)

// attend has an address be silent until it is admitted. a.mu is held.
func (a *Agent) attend(addr netip.Addr) error {
	if a.guard == nil {
		return nil
	}
	return a.guard.Attend(addr)
}

// leave removes addresses from the host, and then from the guard. a.mu is held.
func (a *Agent) leave(addrs []netip.Addr) error {
	var err error
	for _, addr := range addrs {
		if failed := take(addr); failed != nil {
			err = errors.Join(err, failed)
			continue // it stays guarded
		}
		delete(a.waiting, addr)
		if a.guard != nil {
			err = errors.Join(err, a.guard.Dismiss(addr))
		}
	}
	return err
}

func (a *Agent) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // about to look already
	}
}

// Run admits addresses as soon as they may be, until ctx is canceled. It needs no
// lease and no cluster.
func (a *Agent) Run(ctx context.Context) error {
	for {
		again := time.NewTimer(a.admitAll(ctx))
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-a.freed():
		case <-again.C:
		}
		again.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (a *Agent) freed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.guard == nil {
		return nil
	}
	return a.guard.Freed()
}

// admitAll tries it for all that waits, and returns when to try again.
func (a *Agent) admitAll(ctx context.Context) time.Duration {
	next := anyhow
	var mu sync.Mutex
	var asked errgroup.Group
	asked.SetLimit(16)
	for addr, since := range a.candidates() {
		asked.Go(func() error {
			if a.admissible(ctx, addr, since) && a.admit(addr) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			pause := later
			if time.Since(since) < hasty {
				pause = soon
			}
			next = min(next, pause)
			return nil
		})
	}
	_ = asked.Wait() // none has an error
	return next
}

// candidates are the addresses that wait, and since when. One that this node has as
// the owner does not: the guard tells when that is over.
func (a *Agent) candidates() map[netip.Addr]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := make(map[netip.Addr]time.Time)
	for _, s := range a.running {
		for _, addr := range s.addrs {
			if a.guard == nil || a.guard.Admitted(addr) || a.guard.Held(addr) {
				continue
			}
			since, known := a.waiting[addr]
			if !known {
				since = time.Now()
			}
			waiting[addr] = since
		}
	}
	a.waiting = waiting
	return waiting
}

// admissible reports whether another host has the address, and no table here would
// balance what it sends.
func (a *Agent) admissible(ctx context.Context, addr netip.Addr, since time.Time) bool {
	if a.Balanced != nil {
		if balanced, err := a.Balanced(addr); err != nil || balanced {
			return false
		}
	}
	if a.Ask == nil {
		return true
	}
	other, err := a.Ask(ctx, addr)
	if ctx.Err() != nil {
		return false
	}
	return other || err != nil && time.Since(since) >= unheard
}

// admit lets packets for an address pass, if it is still to be served.
func (a *Agent) admit(addr netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, wanted := a.waiting[addr]; !wanted {
		return true
	}
	if err := a.guard.Admit(addr); err != nil {
		a.Log.Debug("real server waits", "address", addr, "err", err)
		return false
	}
	delete(a.waiting, addr)
	a.Log.Info("real server serves", "address", addr)
	return true
}
