package simulation

import (
	"maps"
	"sync"
	"time"
)

// A network carries messages between the machines of a world: late, out of
// order, one way only, or not at all.
type network struct {
	noise *dice

	mu    sync.Mutex
	cut   map[link]bool
	delay map[link]time.Duration // beside the usual one
	loss  map[link]float64       // of datagrams
	down  map[string]bool        // machines without power
	mends int                    // how often something was healed
}

// A link is one direction between two machines.
type link struct{ from, to string }

func newNetwork(noise *dice) *network {
	return &network{
		noise: noise, cut: map[link]bool{}, delay: map[link]time.Duration{}, loss: map[link]float64{},
		down: map[string]bool{},
	}
}

// wire returns how long a message takes from one machine to the other at this
// moment, and whether it gets through. A datagram may be lost; a stream waits
// for its lost segment instead.
func (n *network) wire(from, to string, datagram bool) (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := link{from, to}
	if n.cut[l] || n.down[from] || n.down[to] {
		return 0, false
	}
	took := n.noise.between(50*time.Microsecond, 1050*time.Microsecond) + n.delay[l]
	if n.noise.chance(n.loss[l]) {
		if datagram {
			return 0, false
		}
		took += 200 * time.Millisecond
	}
	return took, true
}

// open reports whether a message under way still arrives.
func (n *network) open(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[link{from, to}] && !n.down[from] && !n.down[to]
}

func (n *network) setCut(from, to string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[link{from, to}] = cut
}

func (n *network) setDown(machine string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[machine] = down
}

func (n *network) disturb(from, to string, delay time.Duration, loss float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay[link{from, to}], n.loss[link{from, to}] = delay, loss
}

// rejoin ends what cuts a machine off.
func (n *network) rejoin(machine string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mends++
	maps.DeleteFunc(n.cut, func(l link, _ bool) bool { return l.from == machine || l.to == machine })
}

// heal ends all disturbances; machines without power stay so.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mends++
	clear(n.cut)
	clear(n.delay)
	clear(n.loss)
}

// generation changes whenever something is mended.
func (n *network) generation() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mends
}
