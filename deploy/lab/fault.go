package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Fault is what can happen to a host.
type Fault string

// The faults, and how they end.
const (
	PowerOff Fault = "power-off" // silent at once, all its processes gone, its disk kept
	Cut      Fault = "cut"       // nothing passes its cable; it still sees a carrier
	Unplug   Fault = "unplug"    // its cable is out; it sees that
	Freeze   Fault = "freeze"    // its agent stands still (SIGSTOP)
	Kill     Fault = "kill"      // its agent is killed (SIGKILL); what the agent started lives on
	Heal     Fault = "heal"      // all of the above undone
)

// Faults lists them.
var Faults = []Fault{PowerOff, Cut, Unplug, Freeze, Kill, Heal}

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

// apply does what a fault says. The caller holds h.mu.
func (h *host) apply(f Fault) ([]Step, error) {
	var s steps
	if h.init == nil && f != Heal {
		return nil, fmt.Errorf("%s has no power; heal it first", h.Name)
	}
	switch f {
	case PowerOff:
		s.do("link silent", h.cable.silence)
		s.do("powered off", h.powerOff)
	case Cut:
		s.do("cut off", func() error { return h.cable.pass(false) })
		h.link = linkCut
	case Unplug:
		s.do("unplugged", h.cable.silence)
		h.link = linkUnplugged
	case Freeze, Kill:
		s.do(map[Fault]string{Freeze: "agent frozen", Kill: "agent killed"}[f], func() error {
			_, err := h.control(map[Fault]agentControl{Freeze: agentFreeze, Kill: agentKill}[f])
			return err
		})
	case Heal:
		h.heal(&s)
	}
	return s.done, s.err
}

// heal undoes every fault that h suffers from.
func (h *host) heal(s *steps) {
	if h.init == nil {
		s.do("powered on", h.powerOn)
		return
	}
	switch h.link {
	case linkCut:
		s.do("connected", func() error { return h.cable.pass(true) })
	case linkUnplugged:
		s.do("plugged in", h.cable.restore)
	}
	if s.err == nil {
		h.link = linkWhole
	}
	var agent AgentStatus
	s.do("looked at", func() (err error) { agent, err = h.control(agentLook); return err })
	s.done = slices.DeleteFunc(s.done, func(st Step) bool { return st.Text == "looked at" })
	switch agent.State {
	case agentFrozen:
		s.do("agent thawed", func() error { _, err := h.control(agentThaw); return err })
	case agentEnded:
		s.do("agent started", func() error { _, err := h.control(agentStart); return err })
	}
}

// errNoAgent says that a fault needs an agent that the host does not have.
var errNoAgent = errors.New("no agent runs here")
