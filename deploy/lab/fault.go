package lab

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is what can happen to a host. Those of its cables may be confined, see [Trouble].
type Fault string

// The faults, and how they end.
const (
	PowerOff     Fault = "power-off"     // silent at once, all its processes gone, its disk kept
	Cut          Fault = "cut"           // nothing passes its cable; it still sees a carrier
	Unplug       Fault = "unplug"        // its cable is out; it sees that
	Flap         Fault = "flap"          // its cable is out and in again, a few times within a second
	Lose         Fault = "lose"          // a share of what its cable carries is lost
	Freeze       Fault = "freeze"        // its agent stands still (SIGSTOP)
	Kill         Fault = "kill"          // its agent is killed (SIGKILL); what the agent started lives on
	End          Fault = "terminate"     // its agent is asked to end (SIGTERM), and does
	Restart      Fault = "restart"       // the same, and its agent is started again
	KillWarden   Fault = "kill-warden"   // its warden is killed; another one is started
	FreezeWarden Fault = "freeze-warden" // its warden stands still
	Fill         Fault = "fill"          // its disk is full, if it has one of its own
	Heal         Fault = "heal"          // all of the above undone
)

// Faults lists them.
var Faults = []Fault{PowerOff, Cut, Unplug, Flap, Lose, Freeze, Kill, End, Restart, KillWarden, FreezeWarden, Fill, Heal}

// wires are the faults of cables, which may be confined to a network. The first
// and the last may also be confined to a way or a peer.
var wires = []Fault{Cut, Unplug, Flap, Lose}

// A Way is one direction, as the host sees it.
type Way string

// The ways.
const (
	In  Way = "in"
	Out Way = "out"
)

// A Trouble is a fault and all that is to be said of it.
type Trouble struct {
	Fault   Fault
	Host    string
	Network string `json:",omitempty"` // that alone is struck, or healed; empty: all of the host's
	Way     Way    `json:",omitempty"` // that alone is cut or loses; empty: both
	Peer    string `json:",omitempty"` // to or from which alone it is; empty: all hosts
	Percent int    `json:",omitempty"` // that is lost, of Lose
}

// String is the trouble as the command line has it.
func (t Trouble) String() string {
	words := []string{string(t.Fault), t.Host}
	for _, option := range []struct{ name, value string }{
		{"network", t.Network}, {"way", string(t.Way)}, {"peer", t.Peer},
	} {
		if option.value != "" {
			words = append(words, "--"+option.name, option.value)
		}
	}
	if t.Percent > 0 {
		words = append(words, "--percent", strconv.Itoa(t.Percent))
	}
	return strings.Join(words, " ")
}

func (t Trouble) validate() error {
	if _, err := ParseFault(string(t.Fault)); err != nil {
		return err
	}
	confined := t.Way != "" || t.Peer != ""
	switch {
	case t.Network != "" && !slices.Contains(Networks, t.Network):
		return fmt.Errorf("network %q: use one of %s", t.Network, strings.Join(Networks, ", "))
	case t.Network != "" && t.Fault != Heal && !slices.Contains(wires, t.Fault):
		return fmt.Errorf("network: %s strikes the whole host; leave it out", t.Fault)
	case confined && t.Fault != Cut && t.Fault != Lose:
		return fmt.Errorf("%s: is of all directions and peers; only cut and lose may be confined", t.Fault)
	case t.Way != "" && t.Way != In && t.Way != Out:
		return fmt.Errorf("way %q: use in or out", t.Way)
	case t.Peer == t.Host && t.Peer != "":
		return fmt.Errorf("peer: %s is the host itself", t.Peer)
	case t.Fault == Lose && (t.Percent < 1 || t.Percent > 100):
		return fmt.Errorf("percent: %d; use 1 to 100", t.Percent)
	case t.Fault != Lose && t.Percent != 0:
		return fmt.Errorf("percent: only lose takes it")
	}
	return nil
}

func faultNames() []string {
	var names []string
	for _, f := range Faults {
		names = append(names, string(f))
	}
	return names
}

// ParseFault finds a fault by its name.
func ParseFault(name string) (Fault, error) {
	if f := Fault(name); slices.Contains(Faults, f) {
		return f, nil
	}
	return "", fmt.Errorf("fault %q: use one of %s", name, strings.Join(faultNames(), ", "))
}

// A Step is one thing done to a host.
type Step struct {
	At   time.Duration // on the machine's monotonic clock, when it was done
	Text string
}

// steps records what is done, and stops recording at the first error.
type steps struct {
	done []Step
	err  error
}

func (s *steps) do(text string, f func() error) {
	if s.err != nil {
		return
	}
	if err := f(); err != nil {
		s.err = fmt.Errorf("%s: %w", text, err)
		return
	}
	s.done = append(s.done, Step{At: now(), Text: text})
}

// apply does what a trouble says. The caller holds h.mu.
func (h *host) apply(t Trouble) ([]Step, error) {
	var s steps
	if h.init == nil && t.Fault != Heal {
		return nil, fmt.Errorf("%s has no power; heal it first", h.Name)
	}
	cables, err := h.struck(t.Network)
	if err != nil {
		return nil, err
	}
	switch t.Fault {
	case PowerOff:
		for _, c := range cables {
			s.do("link silent"+h.of(c), c.silence)
		}
		s.do("powered off", h.powerOff)
	case Cut, Lose:
		for _, c := range cables {
			h.lose(&s, t, c)
		}
	case Unplug:
		for _, c := range cables {
			s.do("unplugged"+h.of(c), c.unplug)
		}
	case Flap:
		h.flap(&s, cables)
	case Freeze, Kill, End:
		what := agentFaults[t.Fault]
		s.do(what.text, func() error { _, err := h.control(what.control); return err })
	case Restart:
		s.do("agent ended", func() error { _, err := h.control(agentEnd); return err })
		s.do("agent started", func() error { _, err := h.control(agentStart); return err })
	case KillWarden:
		s.do("warden killed", func() error { return h.controlWarden(wardenKill) })
	case FreezeWarden:
		s.do("warden frozen", func() error { return h.controlWarden(wardenFreeze) })
	case Fill:
		s.do("disk full", h.fill)
	case Heal:
		h.heal(&s, t.Network, cables)
	}
	return s.done, s.err
}

var agentFaults = map[Fault]struct {
	text    string
	control agentControl
}{
	Freeze: {"agent frozen", agentFreeze},
	Kill:   {"agent killed", agentKill},
	End:    {"agent ended", agentEnd},
}

// struck returns the cables that a trouble is about; none without power.
func (h *host) struck(network string) ([]*cable, error) {
	i := slices.Index(Networks, network)
	switch {
	case network == "" || h.init == nil:
		return h.cables, nil
	case i >= len(h.cables):
		return nil, fmt.Errorf("network %s: %s is not on it", network, h.Name)
	}
	return h.cables[i : i+1], nil
}

// of names a cable where there are several.
func (h *host) of(c *cable) string {
	if len(h.cables) < 2 {
		return ""
	}
	return " (" + c.name() + ")"
}

// lose cuts a cable, or loses a part of what it should carry.
func (h *host) lose(s *steps, t Trouble, c *cable) {
	if t.Fault == Cut && t.Way == "" && t.Peer == "" {
		s.do("cut off"+h.of(c), c.cut)
		return
	}
	percent := t.Percent
	if t.Fault == Cut {
		percent = 100
	}
	var lost []drop
	if t.Way != In {
		lost = append(lost, drop{c.network, h.Name, t.Peer, percent})
	}
	if t.Way != Out {
		lost = append(lost, drop{c.network, t.Peer, h.Name, percent})
	}
	s.do(lost[0].String(), func() error { return h.drops.add(lost...) })
	if len(lost) > 1 {
		s.done = append(s.done, Step{At: now(), Text: lost[1].String()})
	}
}

const (
	flaps    = 3
	flapTime = 100 * time.Millisecond // out, and as long in between
)

func (h *host) flap(s *steps, cables []*cable) {
	for range flaps {
		for _, c := range cables {
			s.do("unplugged"+h.of(c), c.unplug)
		}
		time.Sleep(flapTime)
		for _, c := range cables {
			s.do("plugged in"+h.of(c), c.heal)
		}
		time.Sleep(flapTime)
	}
}

// heal undoes every fault that h suffers from, or those of a network.
func (h *host) heal(s *steps, network string, cables []*cable) {
	h.healDrops(s, slices.Index(Networks, network))
	if network == "" && h.filled() {
		s.do("disk has room again", h.drain)
	}
	if h.init == nil {
		s.do("powered on", h.powerOn)
		return
	}
	for _, c := range cables {
		if c.state != linkWhole {
			s.do(map[linkState]string{linkCut: "connected", linkUnplugged: "plugged in"}[c.state]+h.of(c), c.heal)
		}
	}
	if network == "" {
		h.healAgent(s)
		h.healWarden(s)
	}
}

// healWarden lets a warden go on that stands still.
func (h *host) healWarden(s *steps) {
	if s.err == nil && needsWarden(h.Command) {
		s.err = h.controlWarden(wardenThaw)
	}
}

func (h *host) healDrops(s *steps, network int) {
	healed, err := h.drops.heal(h.Name, network)
	if err != nil {
		s.err = err
		return
	}
	for _, d := range healed {
		s.done = append(s.done, Step{At: now(), Text: "no more " + d.String()})
	}
}

func (h *host) healAgent(s *steps) {
	if s.err != nil {
		return
	}
	agent, err := h.control(agentLook)
	switch {
	case errors.Is(err, errNoAgent):
	case err != nil:
		s.err = err
	case agent.State == agentFrozen:
		s.do("agent thawed", func() error { _, err := h.control(agentThaw); return err })
	case agent.State == agentEnded:
		s.do("agent started", func() error { _, err := h.control(agentStart); return err })
	}
}

// errNoAgent says that a fault needs an agent that the host does not have.
var errNoAgent = errors.New("no agent runs here")
