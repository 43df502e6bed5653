package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An Event is what a bench does to the owner of an address, or to the leader.
type Event string

// What a bench can do.
const (
	EventPowerOff   Event = "power-off"   // of the owner
	EventCut        Event = "cut"         // of the owner's cable
	EventKill       Event = "kill"        // of the owner's agent
	EventFreeze     Event = "freeze"      // of the owner's agent
	EventStop       Event = "stop"        // of the owner, by `pcs cluster stop`
	EventMove       Event = "move"        // by `pcs resource move`
	EventLeaderKill Event = "leader-kill" // of the leader's agent, another node being the owner
)

// Events lists them.
var Events = []Event{EventPowerOff, EventCut, EventKill, EventFreeze, EventStop, EventMove, EventLeaderKill}

// ParseEvent finds an event by its name.
func ParseEvent(name string) (Event, error) {
	var names []string
	for _, e := range Events {
		if string(e) == name {
			return e, nil
		}
		names = append(names, string(e))
	}
	return "", fmt.Errorf("event %q: use one of %s", name, strings.Join(names, ", "))
}

// A Run is what one event did to a client. The time measured lasts until all
// is well again, the repair and the node's return included.
type Run struct {
	Gap            float64 `json:"gap_ms"`    // the client's longest time without an answer
	Double         float64 `json:"double_ms"` // during which two nodes answered for the address
	Shared         float64 `json:"shared_ms"` // during which two nodes had it, and their kernels let it speak
	OwnerWasLeader bool    `json:"owner_was_leader"`

	gaps  []Gap
	lost  int           // probes that nobody answered, not even late
	cause time.Duration // when the event was
}

// A Result is a bench of one event.
type Result struct {
	Event   Event   `json:"event"`
	System  string  `json:"system,omitempty"` // empty: Quorate
	Profile string  `json:"profile,omitempty"`
	Runs    []Run   `json:"runs"`
	Median  float64 `json:"median_ms"`
	Max     float64 `json:"max_ms"`
	Double  float64 `json:"double_ms"`       // of all runs
	Shared  float64 `json:"shared_ms"`       // of all runs
	Ratio   float64 `json:"ratio,omitempty"` // of the median to that of power-off, when both were measured
}

// A task is one kind of event, and what shall be so when it comes.
type task struct {
	Event Event
	Owner Role          // of the address's owner
	Hold  time.Duration // that the fault lasts at least, before the repair
}

// A Role is what an owner shall be beside; empty: whatever it is.
type Role string

// The roles.
const (
	Leader   Role = "leader"
	Follower Role = "follower"
)

// ParseRole finds a role by its name.
func ParseRole(name string) (Role, error) {
	switch r := Role(name); r {
	case "", Leader, Follower:
		return r, nil
	}
	return "", fmt.Errorf("owner %q: use %s or %s", name, Leader, Follower)
}

// A contestant keeps an address in a lab, and is benched.
type contestant interface {
	name() string
	address() netip.Addr
	// prepare waits until all is well, and arranges what the task needs.
	prepare(ctx context.Context, t task) (owner, leader string, err error)
	// cause does what the event says.
	cause(ctx context.Context, e Event, owner, leader string) error
	// answer waits for what shall come of the event.
	answer(ctx context.Context, e Event, owner, leader string) error
	// repair undoes the event and waits until all is well.
	repair(ctx context.Context, e Event, owner, leader string) error
}

// calm is how long a run watches before the event, between its effect and the
// repair, and after: gratuitous ARP and late operations have their time.
const calm = 400 * time.Millisecond

// bench runs one task several times. ran is called after each.
func bench(ctx context.Context, l *Lab, c contestant, t task, runs int, ran func(int, Run)) (Result, error) {
	r := Result{Event: t.Event, System: c.name(), Runs: []Run{}}
	for i := range runs {
		run, err := benchOnce(ctx, l, c, t)
		if err != nil {
			return r, fmt.Errorf("%s, run %d: %w", t.Event, i+1, err)
		}
		r.Runs = append(r.Runs, run)
		if ran != nil {
			ran(i, run)
		}
	}
	r.sum()
	return r, nil
}

func (r *Result) sum() {
	gaps := make([]float64, len(r.Runs))
	for i, run := range r.Runs {
		gaps[i] = run.Gap
		r.Double = round(r.Double + run.Double)
		r.Shared = round(r.Shared + run.Shared)
	}
	r.Median, r.Max = median(gaps), slices.Max(gaps)
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v)%2 == 1 {
		return v[len(v)/2]
	}
	return round((v[len(v)/2-1] + v[len(v)/2]) / 2)
}

func benchOnce(ctx context.Context, l *Lab, c contestant, t task) (run Run, err error) {
	owner, leader, err := c.prepare(ctx, t)
	if err != nil {
		return run, err
	}
	watch, err := l.observe(ctx, c.address(), "", nil)
	if err != nil {
		return run, err
	}
	err = pause(ctx, calm)
	caused := now()
	for _, step := range []func() error{
		func() error { return c.cause(ctx, t.Event, owner, leader) },
		func() error { return c.answer(ctx, t.Event, owner, leader) },
		func() error { return pause(ctx, caused+t.Hold-now()) },
		func() error { return c.repair(ctx, t.Event, owner, leader) },
	} {
		if err == nil {
			err = step()
		}
		if err == nil {
			err = pause(ctx, calm)
		}
	}
	seen, stopErr := watch.stop()
	if err = errors.Join(err, stopErr); err != nil {
		return run, err
	}
	icmp := seen.tallies[0]
	if n := len(icmp.Gaps); n > 0 && icmp.Gaps[n-1].lasts() {
		return run, fmt.Errorf("client has had no answer for %v", icmp.Gaps[n-1].Length())
	}
	return Run{
		Gap: ms(icmp.Longest), Double: ms(seen.meter.Double), Shared: ms(seen.meter.Shared), OwnerWasLeader: owner == leader,
		gaps: icmp.Gaps, lost: icmp.Lost - icmp.Late, cause: caused,
	}, nil
}

// An observation is a client's prober and the meter, at work together.
type observation struct {
	prober *Prober
	meter  func() (*MeterReport, error)
}

type observed struct {
	tallies []Tally
	meter   *MeterReport
}

func (l *Lab) observe(ctx context.Context, address netip.Addr, url string, noticed func(Gap)) (*observation, error) {
	meter, err := l.Meter(address)
	if err != nil {
		return nil, err
	}
	prober, err := l.Probe(ctx, address, url, noticed)
	if err != nil {
		_, stopErr := meter()
		return nil, errors.Join(err, stopErr)
	}
	return &observation{prober, meter}, nil
}

func (o *observation) stop() (observed, error) {
	tallies, err := o.prober.Stop()
	report, meterErr := o.meter()
	return observed{tallies, report}, errors.Join(err, meterErr)
}

// pause gives the cluster time in which nothing should happen.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ms is a duration in milliseconds, to the tenth.
func ms(d time.Duration) float64 { return round(float64(d) / float64(time.Millisecond)) }

func round(v float64) float64 { return math.Round(v*10) / 10 }

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }
