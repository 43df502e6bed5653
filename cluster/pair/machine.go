package pair

import (
	"fmt"
	"slices"
	"time"
)

// A Phase is where one node of a pair stands with the other.
type Phase int

// The phases, as DESIGN.md draws them. Their numbers are those of pb.PairPhase.
const (
	Apart    Phase = iota // no pair, or one whose policy lets nobody go on alone
	Waiting               // the peer was not heard since this start: nothing is taken over
	Together              // the peer is heard
	Suspect               // silent for L/2: this node keeps its lease by itself
	Deciding              // silent for T: fencing, ping targets and the LAN are asked
	HeldBack              // the other owner lives, or nobody could be asked: asked again and again
	CutOff                // no ping target answers: this node is the one that is cut off
	Forking               // on its way to being the only voter
	Forked                // the only voter, until the peer is back
)

func (p Phase) String() string {
	names := [...]string{"apart", "waiting", "together", "suspect", "deciding", "held back", "cut off", "forking", "alone"}
	return names[p]
}

// A Fencing is what became of fencing the peer.
type Fencing int

// The outcomes of fencing.
const (
	NoFencing Fencing = iota // no device is configured
	FencingPending
	FencingDone // the peer is off: proof
	FencingFailed
)

// A Finding is what became of asking the LAN.
type Finding int

// The findings, worst last.
const (
	Free    Finding = iota // no other host answered for any address
	Taken                  // another host did
	Unasked                // an address could not be asked for, which may mean anything
)

// A Round asked the LAN for some addresses, once.
type Round struct {
	Number  uint64
	Began   time.Duration
	Asked   []string // resources, sorted
	Finding Finding
	Text    string // which and why, unless free
}

// A Sight is everything that a step is decided by. Clocks are the lease's.
type Sight struct {
	Now  time.Duration
	Peer string // name, for people

	Two   bool // this node and its peer are the voters, and either may go on alone
	Alone bool // this node forked, and the peer is gone

	Met     bool          // the peer was heard since this start, or a person answers for it
	Last    time.Duration // when it was last heard
	Silence time.Duration // how long it has not been, by rule 12 of the lease protocol
	Held    bool          // this node holds its lease

	Checks  bool          // ping targets are configured
	Checked time.Duration // when the newest ping that was answered was sent

	Fencing Fencing
	Open    []string // resources whose address the other node may serve, sorted
	Round   Round    // the newest that has ended

	Forking bool   // under way
	Failed  string // why the newest fork failed; empty: it has not
}

// Orders are what a step wants done.
type Orders struct {
	Hurry   bool          // ping fast
	Prolong time.Duration // keep the lease to this plus L; zero: do not
	Vouch   time.Duration // the check that a lone voter's lease counts from; zero: none
	Fence   bool          // begin, or go on
	Ask     uint64        // begin the round of this number; zero: do not
	Fork    bool
	Next    time.Duration // look again at the latest then
}

// A Machine decides when one node of a pair may go on alone. It is a value:
// every step makes another, from nothing but itself and one sight.
type Machine struct {
	Length    time.Duration // L: of this node's lease
	Threshold time.Duration // T: of the peer's

	Phase Phase
	Since time.Duration
	Why   string // a sentence; empty where the phase says it all

	asked uint64        // the newest round
	again time.Duration // held back: when to ask again
}

// Again is how long a node that is held back waits between two rounds.
const Again = time.Second

// Step judges one sight.
func (m Machine) Step(s Sight) (Machine, Orders) {
	var o Orders
	n := m
	n.judge(s, &o)
	if n.Phase != m.Phase {
		n.Since = s.Now
	}
	n.keep(s, &o)
	return n, o
}

// judge moves to the phase that the sight calls for.
func (m *Machine) judge(s Sight, o *Orders) {
	switch {
	case s.Alone && m.unchecked(s):
		m.to(CutOff, "no ping target answers, so what ran here has stopped")
	case s.Alone:
		m.to(Forked, "")
	case !s.Two:
		m.to(Apart, "")
	case s.Forking:
		m.to(Forking, m.Why)
	case m.Phase == Forking && s.Failed != "":
		m.hold(s.Now, "the log could not be taken over: "+s.Failed)
	case !s.Met:
		m.to(Waiting, fmt.Sprintf("%s was not heard since this agent started", s.Peer))
	case s.Now-s.Last < m.Length/2:
		m.to(Together, "")
	case s.Silence < m.Threshold:
		m.to(Suspect, "")
	case m.Phase == HeldBack && s.Now < m.again:
	default:
		m.decide(s, o)
	}
}

func (m *Machine) to(p Phase, why string) { m.Phase, m.Why, m.again = p, why, 0 }

// hold waits a while from a time on. The lease goes on meanwhile.
func (m *Machine) hold(from time.Duration, why string) {
	m.to(HeldBack, why)
	m.again = from + Again
}

// unchecked reports whether no ping target answers.
func (m *Machine) unchecked(s Sight) bool {
	return s.Checks && s.Now-s.Checked >= m.Length
}

// decide asks the tie-breakers, in their order. Who is cut off does not shoot: it
// would be the one that serves which it hits.
func (m *Machine) decide(s Sight, o *Orders) {
	o.Fence = s.Fencing != NoFencing && !m.unchecked(s)
	switch {
	case m.unchecked(s):
		m.to(CutOff, "no ping target answers, so it is this node that is cut off")
	case s.Fencing == FencingDone:
		m.fork(o, s.Peer+" was fenced")
	case s.Fencing == FencingPending:
		m.to(Deciding, "fencing "+s.Peer)
	case s.Fencing == FencingFailed:
		m.hold(s.Now, s.Peer+" could not be fenced, so it may be serving")
	case len(s.Open) == 0:
		m.fork(o, "there is no address that "+s.Peer+" may serve")
	default:
		m.askLAN(s, o)
	}
}

// askLAN asks for every address that the peer may serve (RFC 5227), and goes on
// only if nobody answers for any. What was asked in an earlier silence does not
// count.
func (m *Machine) askLAN(s Sight, o *Orders) {
	r := s.Round
	switch {
	case m.Phase != Deciding && m.Phase != HeldBack, m.again != 0:
		m.ask(s, o)
	case r.Number != m.asked: // under way
	case r.Finding == Free && r.covers(s.Open) && r.Began >= s.Last+m.Threshold:
		m.fork(o, "nobody else answers for "+list(r.Asked))
	case r.Finding == Free: // the peer was heard meanwhile, or what this node served itself is open
		m.ask(s, o)
	default:
		m.hold(r.Began, r.Text)
	}
}

func (m *Machine) ask(s Sight, o *Orders) {
	m.asked++
	o.Ask = m.asked
	m.again = 0
	if m.Phase != HeldBack {
		m.to(Deciding, "asking the network for "+list(s.Open))
	}
}

func (m *Machine) fork(o *Orders, why string) {
	o.Fork = true
	m.to(Forking, why)
}

// covers reports whether all of these were asked for.
func (r Round) covers(open []string) bool {
	return !slices.ContainsFunc(open, func(id string) bool { return !slices.Contains(r.Asked, id) })
}

// keep says how the lease goes on, and when to look again.
//
// The lease is prolonged from half of it on, not at the last moment: a timer
// that fires late, or a ping that is lost, would cost it.
func (m *Machine) keep(s Sight, o *Orders) {
	o.Hurry = s.Checks && m.Phase > Together
	check := s.Now
	if s.Checks {
		check = s.Checked
	}
	switch {
	case s.Alone && s.Checks:
		o.Vouch = max(check, 0)
	case s.Two && s.Met && s.Held && s.Now-s.Last >= m.Length/2:
		o.Prolong = max(check, 0)
	}
	step := m.Length / 8
	o.Next = s.Now + step
	switch m.Phase {
	case Apart, Waiting:
		o.Next = s.Now + m.Length
	case Together:
		o.Next = s.Now + max(s.Last+m.Length/2-s.Now, time.Millisecond)
	case Suspect:
		o.Next = s.Now + min(step, max(m.Threshold-s.Silence, time.Millisecond))
	case Forked:
		if !s.Checks {
			o.Next = s.Now + m.Length
		}
	case HeldBack:
		if m.again > s.Now {
			o.Next = min(o.Next, m.again)
		}
	default:
	}
}

func list(ids []string) string {
	switch len(ids) {
	case 0:
		return "nothing"
	case 1:
		return ids[0]
	default:
		return fmt.Sprintf("%s and %d more", ids[0], len(ids)-1)
	}
}

// Cautious reports whether the other node may serve what this one is about to
// start, so that the LAN is asked before every start.
func (p Phase) Cautious() bool { return p != Apart && p != Together }
