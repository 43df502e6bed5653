package identity

import (
	"fmt"
	"sync"
	"time"
)

const (
	guessBurst = 5
	guessEvery = 12 * time.Second // five a minute
)

// A TooManyGuessesError says when a node listens to passwords again.
type TooManyGuessesError struct {
	Wait time.Duration
}

func (e *TooManyGuessesError) Error() string {
	return fmt.Sprintf("too many wrong passwords on this node; try again in %s", e.Wait.Round(time.Second))
}

// guesses is a bucket of attempts. Right passwords put theirs back.
type guesses struct {
	now func() time.Time

	mu   sync.Mutex
	debt time.Time // until when the attempts made so far are held against us
}

func newGuesses(now func() time.Time) *guesses { return &guesses{now: now, debt: now()} }

func (g *guesses) take() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if g.debt.Before(now) {
		g.debt = now
	}
	if wait := g.debt.Sub(now) - (guessBurst-1)*guessEvery; wait > 0 {
		return &TooManyGuessesError{Wait: wait}
	}
	g.debt = g.debt.Add(guessEvery)
	return nil
}

func (g *guesses) give() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.debt = g.debt.Add(-guessEvery)
}
