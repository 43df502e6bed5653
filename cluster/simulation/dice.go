package simulation

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Dice draw what is left to chance, from a seed.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed, stream uint64) *dice {
	return &dice{rng: rand.New(rand.NewPCG(seed, stream))}
}

// between returns a time from low up to, but not including, high.
func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + time.Duration(d.rng.Int64N(int64(high-low)))
}

// chance draws only where there is something to draw.
func (d *dice) chance(p float64) bool {
	if p <= 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.Float64() < p
}

func (d *dice) pick(from ...string) string {
	return from[d.draw(len(from))]
}

func (d *dice) draw(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}

// weighted draws an index, each as often as its weight says.
func (d *dice) weighted(weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	n := d.draw(total)
	for i, w := range weights {
		if n < w {
			return i
		}
		n -= w
	}
	panic("the weights do not add up")
}
