package lab

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A nemesis thinks up what befalls a cluster. What it thinks up is a function of
// its seed alone; which node is the owner or the leader then is not.
type nemesis struct {
	random   *rand.Rand
	nodes    []string
	networks int
	reckless bool // strikes several nodes at once, and does not wait for repairs
	total    int  // of the deeds' weights
	deeds    []deed
}

// An act is one thing that it does: to one node, unless it is reckless.
type act struct {
	Name   string
	Whom   Role      // the owner or the leader; empty: Nodes
	Nodes  []string  // the first is meant also when nobody is what Whom says
	What   []Trouble // in this order; without a host
	Hog    bool      // a process takes all the time that the machine has
	Hold   time.Duration
	Settle bool // all must be well again before the next act; else that is of the same nodes
	Rest   time.Duration
}

// Owner is who has the address.
const Owner Role = "owner"

// A deed is a kind of act.
type deed struct {
	name              string
	weight            int
	shortest, longest time.Duration // of its hold
	what              func(n *nemesis) []Trouble
}

// repertoire is all that it can do. Times are around the lengths of leases: some
// end before a lease does, some just after, some when the failover is long over.
//
// Nothing here sets the clock: namespaces have none of their own for it.
var repertoire = []deed{
	{"power-off", 3, 300 * time.Millisecond, 5 * time.Second, just(PowerOff)},
	{"kill", 3, 10 * time.Millisecond, 4 * time.Second, just(Kill)},
	{"freeze", 4, 100 * time.Millisecond, 10 * time.Second, just(Freeze)},
	{"warden's kill", 2, 10 * time.Millisecond, time.Second, just(KillWarden)},
	{"warden's freeze", 2, 100 * time.Millisecond, 4 * time.Second, just(FreezeWarden)},
	{"kill of both", 1, 10 * time.Millisecond, 3 * time.Second, func(*nemesis) []Trouble {
		return []Trouble{{Fault: KillWarden}, {Fault: Kill}}
	}},
	{"restart", 2, 10 * time.Millisecond, time.Second, just(End)},
	{"cut", 3, 100 * time.Millisecond, 5 * time.Second, func(n *nemesis) []Trouble {
		return []Trouble{{Fault: Cut, Network: n.network()}}
	}},
	{"one-way cut", 3, 100 * time.Millisecond, 5 * time.Second, func(n *nemesis) []Trouble {
		return []Trouble{{Fault: Cut, Network: n.network(), Way: n.way()}}
	}},
	{"unplug", 2, 50 * time.Millisecond, 4 * time.Second, func(n *nemesis) []Trouble {
		return []Trouble{{Fault: Unplug, Network: n.network()}}
	}},
	{"flap", 2, 0, 0, func(n *nemesis) []Trouble { return []Trouble{{Fault: Flap, Network: n.network()}} }},
	{"loss", 3, time.Second, 5 * time.Second, func(n *nemesis) []Trouble {
		return []Trouble{{Fault: Lose, Network: n.network(), Percent: 20}}
	}},
	{hogName, 2, time.Second, 5 * time.Second, func(*nemesis) []Trouble { return nil }},
	{"disk full", 2, 500 * time.Millisecond, 4 * time.Second, just(Fill)},
	{"loss, then kill", 1, 100 * time.Millisecond, 2 * time.Second, func(*nemesis) []Trouble {
		return []Trouble{{Fault: Lose, Percent: 20}, {Fault: Kill}}
	}},
	{"one-way cut, then freeze", 1, 100 * time.Millisecond, 3 * time.Second, func(n *nemesis) []Trouble {
		return []Trouble{{Fault: Cut, Way: n.way()}, {Fault: Freeze}}
	}},
	{"flap, then freeze", 1, 100 * time.Millisecond, 2 * time.Second, func(*nemesis) []Trouble {
		return []Trouble{{Fault: Flap}, {Fault: Freeze}}
	}},
}

const hogName = "hog"

// peerCut leaves two nodes to find out that all others reach both. In a pair
// nobody else could tell: there it is what only fencing or a witness can decide.
var peerCut = deed{"cut between two", 3, 100 * time.Millisecond, 5 * time.Second, func(n *nemesis) []Trouble {
	return []Trouble{{Fault: Cut, Network: n.network(), Peer: n.nodes[n.random.IntN(len(n.nodes))]}}
}}

func just(f Fault) func(*nemesis) []Trouble {
	return func(*nemesis) []Trouble { return []Trouble{{Fault: f}} }
}

// newNemesis prepares one for the hosts of a lab.
func newNemesis(seed uint64, s Spec, reckless bool, without []string) *nemesis {
	n := &nemesis{random: rand.New(rand.NewPCG(seed, 0)), nodes: s.Nodes(), networks: s.networks(), reckless: reckless}
	for _, d := range append(slices.Clone(repertoire), peerCut) {
		if slices.Contains(without, d.name) || d.name == peerCut.name && len(n.nodes) < 3 {
			continue
		}
		n.deeds = append(n.deeds, d)
		n.total += d.weight
	}
	return n
}

// Deeds are the names of all that a nemesis can do.
func Deeds() []string {
	var names []string
	for _, d := range append(slices.Clone(repertoire), peerCut) {
		names = append(names, d.name)
	}
	return names
}

// next thinks up one more act.
func (n *nemesis) next() act {
	d := n.draw()
	a := act{
		Name: d.name, Whom: n.role(), Nodes: n.victims(), What: d.what(n), Hog: d.name == hogName,
		Hold: n.between(d.shortest, d.longest), Settle: n.random.IntN(10) < 7,
		Rest: n.between(50*time.Millisecond, time.Second),
	}
	if n.reckless && len(a.Nodes) > 1 {
		a.Whom = ""
	}
	return a
}

func (n *nemesis) draw() deed {
	at := n.random.IntN(n.total)
	for _, d := range n.deeds {
		if at -= d.weight; at < 0 {
			return d
		}
	}
	panic("weights do not add up")
}

func (n *nemesis) role() Role {
	return []Role{Owner, Owner, Owner, Leader, ""}[n.random.IntN(5)]
}

// victims is one node or, when reckless, any number.
func (n *nemesis) victims() []string {
	count := 1
	if n.reckless {
		count += n.random.IntN(len(n.nodes))
	}
	var names []string
	for _, i := range n.random.Perm(len(n.nodes))[:count] {
		names = append(names, n.nodes[i])
	}
	return names
}

// network is one of them, or all.
func (n *nemesis) network() string {
	if i := n.random.IntN(len(Networks) + 1); i < n.networks && n.networks > 1 {
		return Networks[i]
	}
	return ""
}

func (n *nemesis) way() Way { return []Way{In, Out}[n.random.IntN(2)] }

// between draws a time whose order of magnitude is even.
func (n *nemesis) between(shortest, longest time.Duration) time.Duration {
	at := n.random.Float64() // drawn always, so that all acts draw the same number
	if shortest == 0 {
		return longest
	}
	ratio := float64(longest) / float64(shortest)
	return time.Duration(float64(shortest) * math.Pow(ratio, at)).Round(time.Millisecond)
}

func (a act) String() string {
	whom := strings.Join(a.Nodes, " and ")
	if a.Whom != "" {
		whom = fmt.Sprintf("the %s (else %s)", a.Whom, whom)
	}
	var options []string
	for _, t := range a.What {
		if words := strings.TrimPrefix(t.String(), string(t.Fault)+" "); words != "" {
			options = append(options, strings.TrimSpace(words))
		}
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%s of %s %s for %v", a.Name, whom, strings.Join(options, " "), a.Hold)), " ")
}
