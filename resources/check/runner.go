package check

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Target is a real server and how it is asked.
type Target struct {
	ID     string         // the caller's; unique in a set
	Server netip.AddrPort // port 0: the check's, else its kind's
	Check  Check
	// Assume is what the state is before the first answer. A director that adopts
	// a table says with it what the table says, so that nothing flaps.
	Assume State
}

// A Result is a change of a target's state, or of its weight.
type Result struct {
	ID     string
	State  State
	Reason string // of the last answer: "status 503", "connection refused"
	Weight Weight
}

// A Status is what is known of a target, for display.
type Status struct {
	ID       string
	State    State
	Reason   string        // of the last answer
	Weight   Weight        // of the last success
	Since    time.Duration // how long the state has been so
	Latency  time.Duration // of the last attempt, from beginning to end
	Late     time.Duration // how much the last attempt began after its time
	Attempts int
	Failures int
	Changes  int // of a known state
}

// Once asks a server once, and returns what it found, or why that is not the
// wanted answer. Rise and fall do not matter.
func Once(ctx context.Context, c Check, server netip.AddrPort) (text string, took time.Duration, err error) {
	w, err := newWatch(nil, Target{Server: server, Check: c})
	if err != nil {
		return "", 0, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, w.check.Timeout)
	defer cancel()
	a := w.ask(ctx)
	return a.text, time.Since(began), a.err
}

// Limits of what runs at once.
const (
	DefaultConnections = 4096
	DefaultPrograms    = 32
)

// Config is what a Runner is made of.
type Config struct {
	// Changed is called for each change of a state, from one goroutine, in the order
	// of the changes. It does not block.
	Changed     func(Result)
	Connections int // attempts at once, but for programs; 0: DefaultConnections
	Programs    int // programs at once; 0: DefaultPrograms
}

// A Runner asks its targets while it runs.
type Runner struct {
	changed  func(Result)
	network  chan struct{} // a token for each attempt under way
	programs chan struct{}
	wake     chan struct{} // has a token when there is something to start or to tell

	mu      sync.Mutex
	targets map[string]*watch
	fresh   []*watch // not started yet
	told    []Result // not told yet
}

// New makes a Runner without targets.
func New(c Config) *Runner {
	return &Runner{
		changed:  c.Changed,
		network:  make(chan struct{}, cmp.Or(c.Connections, DefaultConnections)),
		programs: make(chan struct{}, cmp.Or(c.Programs, DefaultPrograms)),
		wake:     make(chan struct{}, 1),
		targets:  make(map[string]*watch),
	}
}

// Set replaces the targets. Those that are as they were keep their state and
// their timer; of those that are gone nothing more is told. An error names the
// target and changes nothing. It is not called twice at once.
func (r *Runner) Set(targets []Target) error {
	next := make(map[string]*watch, len(targets))
	for _, t := range targets {
		if next[t.ID] != nil {
			return fmt.Errorf("%s: it is there twice", t.ID)
		}
		w := r.watchOf(t)
		if w == nil {
			var err error
			if w, err = newWatch(r, t); err != nil {
				return fmt.Errorf("%s: %w", t.ID, err)
			}
		}
		next[t.ID] = w
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, old := range r.targets {
		if next[id] != old && old.cancel != nil {
			old.cancel()
		}
	}
	r.fresh = slices.DeleteFunc(r.fresh, func(w *watch) bool { return next[w.target.ID] != w })
	for _, t := range targets {
		if w := next[t.ID]; r.targets[t.ID] != w {
			r.fresh = append(r.fresh, w)
		}
	}
	r.told = slices.DeleteFunc(r.told, func(c Result) bool { return r.targets[c.ID] != next[c.ID] })
	r.targets = next
	r.awake()
	return nil
}

// watchOf is the watch that asks the same of the same server already, or nil.
func (r *Runner) watchOf(t Target) *watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.targets[t.ID]; w != nil && w.target.Server == t.Server && w.check == t.Check.withDefaults() {
		return w
	}
	return nil
}

// Run asks until ctx is canceled. It returns only after every attempt has ended.
// It is called once.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var watches sync.WaitGroup
	defer watches.Wait()
	defer cancel()
	for {
		fresh, told := r.take()
		for _, w := range fresh {
			r.start(ctx, &watches, w)
		}
		if r.changed != nil {
			for _, c := range told {
				r.changed(c)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
	}
}

// take empties what is to be started and told.
func (r *Runner) take() (fresh []*watch, told []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh, told = r.fresh, r.told
	r.fresh, r.told = nil, nil
	return fresh, told
}

// start lets a watch run, unless it was taken back meanwhile.
func (r *Runner) start(ctx context.Context, watches *sync.WaitGroup, w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.targets[w.target.ID] != w {
		return
	}
	ctx, w.cancel = context.WithCancel(ctx)
	watches.Go(func() { w.run(ctx) })
}

// awake lets Run look at once.
func (r *Runner) awake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Status returns what is known of every target, sorted by ID.
func (r *Runner) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Status, 0, len(r.targets))
	for _, w := range r.targets {
		s := w.status
		s.Since = time.Since(w.since)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// record takes the answer of an attempt in.
func (r *Runner) record(w *watch, began time.Time, late time.Duration, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.status.Attempts++
	reason := a.text
	if a.err != nil {
		w.status.Failures++
		reason = a.err.Error()
	}
	changed := w.judge.take(a.err == nil)
	w.status.State, w.status.Changes = w.judge.state, w.judge.changes
	w.status.Reason, w.status.Latency, w.status.Late = reason, time.Since(began), late
	if changed {
		w.since = time.Now()
	}
	if a.err == nil && w.status.Weight != a.weight {
		w.status.Weight, changed = a.weight, true
	}
	if !changed || r.targets[w.target.ID] != w {
		return
	}
	r.told = append(r.told, Result{ID: w.target.ID, State: w.status.State, Reason: reason, Weight: w.status.Weight})
	r.awake()
}

// pause is the time from the beginning of the last attempt to the next one's.
func (r *Runner) pause(w *watch) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.judge.doubtful() {
		return w.check.Retry
	}
	return w.check.Interval
}
