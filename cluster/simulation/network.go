package simulation

import (
	"sync"
	"time"
)

// A network carries messages between the machines of a world: late, out of
// order, twice, one way only, or not at all. It consists of lanes, which fail
// apart from each other: a datagram takes all of them, a stream one that is open.
type network struct {
	noise *dice
	lanes int

	mu    sync.Mutex
	links map[link]condition
	down  map[string]bool // machines without an agent to answer
	mends int             // how often something was healed
}

// A link is one direction between two machines on one lane.
type link struct {
	lane     int
	from, to string
}

// A condition is what is wrong with a link.
type condition struct {
	cut    bool
	delay  time.Duration // beside the usual one
	spread time.Duration // up to this much more, drawn for each message: it puts them out of order
	loss   float64       // of datagrams
	twice  float64       // how many datagrams arrive again
}

func newNetwork(noise *dice, lanes int) *network {
	return &network{noise: noise, lanes: lanes, links: map[link]condition{}, down: map[string]bool{}}
}

// A hop is a message on its way over one link.
type hop struct {
	link
	took time.Duration
}

// datagram returns the ways on which a datagram that is sent at this moment
// arrives, none if it is lost.
func (n *network) datagram(from, to string) (hops []hop) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down[from] || n.down[to] {
		return nil
	}
	for lane := range n.lanes {
		l := link{lane, from, to}
		c := n.links[l]
		if c.cut || n.noise.chance(c.loss) {
			continue
		}
		hops = append(hops, hop{l, n.took(c)})
		if n.noise.chance(c.twice) {
			hops = append(hops, hop{l, n.took(c) + n.noise.between(0, 300*time.Millisecond)})
		}
	}
	return hops
}

// took is how long a message takes. n.mu is held.
func (n *network) took(c condition) time.Duration {
	return n.noise.between(50*time.Microsecond, 1050*time.Microsecond+c.spread) + c.delay
}

// stream returns the way of a message of a stream, which waits for its lost
// segment instead of getting lost; false if no lane is open.
func (n *network) stream(from, to string) (hop, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for lane := range n.lanes {
		l := link{lane, from, to}
		c := n.links[l]
		if c.cut || n.down[from] || n.down[to] {
			continue
		}
		took := n.took(c)
		if n.noise.chance(c.loss) {
			took += 200 * time.Millisecond
		}
		return hop{l, took}, true
	}
	return hop{}, false
}

// open reports whether a message under way still arrives.
func (n *network) open(l link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.links[l].cut && !n.down[l.from] && !n.down[l.to]
}

// setCut cuts one direction between two machines, on the lanes that are named.
func (n *network) setCut(from, to string, lanes ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, lane := range lanes {
		l := link{lane, from, to}
		c := n.links[l]
		c.cut = true
		n.links[l] = c
	}
}

// all lists the lanes.
func (n *network) all() (lanes []int) {
	for lane := range n.lanes {
		lanes = append(lanes, lane)
	}
	return lanes
}

func (n *network) setDown(machine string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[machine] = down
}

// disturb puts one direction of a lane into a condition.
func (n *network) disturb(l link, c condition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c.cut = n.links[l].cut
	n.links[l] = c
}

// mend ends the cuts for which it is asked to.
func (n *network) mend(which func(link) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mends++
	for l, c := range n.links {
		if c.cut && which(l) {
			c.cut = false
			n.links[l] = c
		}
	}
}

// heal ends all disturbances; machines without power stay so.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mends++
	clear(n.links)
}

// generation changes whenever something is mended.
func (n *network) generation() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mends
}
