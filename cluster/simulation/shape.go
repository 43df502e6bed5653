package simulation

import (
	"slices"
	"time"

	pb "quorate/proto/quorate/v1"
)

// A shape is what kind of world a schedule plays in.
type shape struct {
	name     string
	voters   int // that host resources
	witness  bool
	pair     bool          // no-quorum-policy=ignore
	pinged   bool          // it has ping targets
	lanes    int           // networks that connect all machines
	copies   int           // of the clone, at most so many at once; 0: there is no clone
	promotes bool          // the clone is promotable
	powered  bool          // a fencing device switches all machines, and the process without guard needs that
	gentle   bool          // no agent dies or freezes without its machine
	duration time.Duration // of the disturbance
	pace     time.Duration // at most this long between two faults
	faults   []fault
	weights  []int // of the faults: how likely each is
}

// sizes are the clusters that are drawn, and how often.
var sizes = []struct {
	shape
	weight int
}{
	{shape{name: "one node", voters: 1}, 1},
	{shape{name: "two nodes", voters: 2}, 4},
	{shape{name: "pair", voters: 2, pair: true}, 5},
	{shape{name: "two nodes and a witness", voters: 2, witness: true}, 5},
	{shape{name: "three nodes", voters: 3}, 12},
	{shape{name: "five nodes", voters: 5}, 3},
}

// A wish narrows what is drawn, to look where a bug is likely to be.
type wish struct {
	size   string   // of the cluster; empty: any
	faults []string // empty: any

	timeline bool // report it in any case
}

// draw makes a shape from the dice. Half of all schedules are gentle. Each
// draws how likely each kind of fault is, many not at all, so that all of them
// together try also what needs many of one kind and none of another.
func (w wish) draw(d *dice) shape {
	s := w.drawSize(d)
	s.gentle = d.chance(0.5)
	s.lanes = 1 + d.draw(2)
	s.pinged = s.pair && d.chance(0.7)
	s.pace = []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond}[d.draw(3)]
	s.duration = d.between(3*time.Second, 7*time.Second)
	if s.pair {
		s.duration *= 2
	}
	for _, f := range faults {
		weight := []int{0, 0, 1, 1, 4}[d.draw(5)]
		switch {
		case f.many && s.machines() == 1, f.pinged && !s.pinged, f.fenced && s.pair:
			weight = 0
		case len(w.faults) > 0:
			weight = count(w.faults, f.name)
		case f.rude && s.gentle:
			weight = 0
		}
		s.faults, s.weights = append(s.faults, f), append(s.weights, weight)
	}
	if slices.Max(s.weights) == 0 {
		s.weights[0] = 1
	}
	if !s.pair && d.chance(0.4) {
		s.copies = 1 + d.draw(s.voters)
	}
	s.powered = s.machines() > 1 && d.chance(0.35)
	return s
}

func count(list []string, name string) (n int) {
	for _, s := range list {
		if s == name {
			n++
		}
	}
	return n
}

// drawSize draws the number of machines.
func (w wish) drawSize(d *dice) shape {
	weights := make([]int, len(sizes))
	for i, s := range sizes {
		switch w.size {
		case "":
			weights[i] = s.weight
		case s.name:
			weights[i] = 1
		}
	}
	return sizes[d.weighted(weights)].shape
}

func (s shape) machines() int {
	if s.witness {
		return s.voters + 1
	}
	return s.voters
}

// role is that of the machine with this number, from zero.
func (s shape) role(i int) pb.Role {
	if i >= s.voters {
		return pb.Role_ROLE_WITNESS
	}
	return pb.Role_ROLE_VOTER
}
