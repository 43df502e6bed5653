package warden

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cluster/clock"
	"quorate/fencing/watchdog"
)

// A Link is the agent's end of the table. Its methods may be called at the same time.
type Link struct {
	config LinkConfig
	clock  clock.Raw
	lock   string // path of the file that a warden holds

	mu      sync.Mutex // held around the reading of the lease and the writing of its end
	table   *table
	records []record
	stamp   int64
	number  int64
	kept    time.Duration // end of the lease under which an earlier agent left records
	inherit map[int64]bool
}

// LinkConfig is what a link is given.
type LinkConfig struct {
	RunDir string
	// Lease is the end of the lease that this node holds now, on the clock of leases.
	Lease func() (deadline time.Duration, held bool)
}

// Attach makes this process the agent of the warden's table. What an earlier one left
// on the list stays on it until it is taken over or ends.
func Attach(c LinkConfig) (*Link, error) {
	t, err := openTable(filepath.Join(c.RunDir, tableName))
	if err != nil {
		return nil, err
	}
	l := &Link{config: c, lock: filepath.Join(c.RunDir, lockName), table: t, inherit: map[int64]bool{}}
	list, number := t.read(make([]byte, slotSize))
	l.number = number
	l.records = slices.Clone(decode(list, make([]record, maxRecords)))
	for _, r := range l.records {
		l.stamp = max(l.stamp, r.stamp)
		l.inherit[r.stamp] = true
	}
	l.kept = t.time(wordDeadline)
	f := file{data: make([]byte, page)}
	_, birth := f.stat(os.Getpid())
	t.set(wordPlanned, 0)
	t.set(wordBirth, birth)
	t.set(wordAgent, int64(os.Getpid()))
	return l, nil
}

// Plan says that this agent is about to end and that one is to come back for what is on
// the list, which stays there in either case.
func (l *Link) Plan() { l.table.setFlag(wordPlanned, true) }

// Extend makes what is on the list end with the lease as it is now, by the deadline at
// the latest (lease protocol, rule 23).
func (l *Link) Extend(deadline time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until, held := l.config.Lease(); held {
		l.table.setTime(wordDeadline, min(until, deadline))
	}
}

// Clear ends the lease of all that is on the list.
func (l *Link) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.setTime(wordDeadline, 0)
}

// Kept reports whether something runs under the lease of an earlier agent.
func (l *Link) Kept() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock.Now() < l.kept && slices.ContainsFunc(l.records, func(r record) bool { return l.inherit[r.stamp] })
}

// Watchdog returns why this machine has no watchdog that a warden could arm.
func (l *Link) Watchdog() error {
	return watchdog.Present(cmp.Or(l.table.text(textDevice), watchdog.DefaultPath))
}

// Errors of Hold.
var (
	// ErrKilling is returned (wrapped) while the warden kills what ran before, and that
	// takes longer than the caller's patience.
	ErrKilling = errors.New("the warden is still killing what ran here")
	// ErrNoWatchdog is returned (wrapped) when a resource needs a watchdog, and this
	// node has none that fires in time.
	ErrNoWatchdog = errors.New("no watchdog")
)

// poll is between two looks for what the warden writes.
const poll = 2 * time.Millisecond

// Hold puts a resource on the list, at its end, before it is started. It returns once
// nothing of what ran before is being killed, and the watchdog that it needs is armed.
func (l *Link) Hold(ctx context.Context, e Entry) error {
	if err := l.settled(ctx); err != nil {
		return err
	}
	records, err := l.encode(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	number, err := l.put(append(without(l.records, e.Resource), records...))
	l.mu.Unlock()
	if err != nil || e.Watchdog == 0 {
		return err
	}
	if err := l.armed(ctx, number); err != nil {
		l.Release(e.Resource)
		return err
	}
	return nil
}

// settled waits for the end of an execution under way, so that what is started is not
// taken for what it is to kill.
func (l *Link) settled(ctx context.Context) error {
	for l.Alive() && l.table.flag(wordWorking) {
		if err := rest(ctx); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrKilling, l.table.text(textKilled), err)
		}
	}
	return nil
}

// armed waits for the warden's word on the watchdog.
func (l *Link) armed(ctx context.Context, number int64) error {
	for {
		switch {
		case !l.Alive():
			return fmt.Errorf("%w: there is no warden to feed it", ErrNoWatchdog)
		case l.table.get(wordSeen) < number, dogState(l.table.get(wordDog)) == dogStarve:
		case dogState(l.table.get(wordDog)) == dogFailed:
			return fmt.Errorf("%w: %s", ErrNoWatchdog, l.table.text(textDog))
		default:
			return nil
		}
		if err := rest(ctx); err != nil {
			return fmt.Errorf("%w that is fed: the warden does not arm it, or lets it reset this machine: %w", ErrNoWatchdog, err)
		}
	}
}

func rest(ctx context.Context) error {
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// share of a lapse that a living agent has, after the lease, to say that it stops a
// resource; at most mostPatience, and leastPatience where nobody waits.
const (
	share         = 4
	mostPatience  = 250 * time.Millisecond
	leastPatience = 50 * time.Millisecond
)

func (l *Link) encode(e Entry) ([]record, error) {
	l.mu.Lock()
	l.stamp++
	one := record{stamp: l.stamp, patience: leastPatience, watchdog: e.Watchdog, name: []byte(e.Resource)}
	l.mu.Unlock()
	if e.Lapse > 0 {
		one.patience = min(e.Lapse/share, mostPatience)
	}
	var records []record
	for _, t := range e.Traces {
		r := one
		r.kind, r.mark = t.Kind, []byte(t.Mark)
		if t.Kind == Address {
			mark, err := addressMark(t.Mark)
			if err != nil {
				return nil, err
			}
			r.mark = []byte(mark)
		}
		records = append(records, r)
	}
	if len(records) == 0 && e.Watchdog > 0 {
		records = append(records, one)
	}
	return records, nil
}

// Halting says that this agent stops a resource by itself, within some time from now.
// It is killed when that is over, if it is still on the list.
func (l *Link) Halting(resource string, within time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, changed := l.clock.Now()+within, false
	for i := range l.records {
		if string(l.records[i].name) == resource {
			l.records[i].grace, changed = until, true
		}
	}
	if changed {
		_, _ = l.put(l.records) // as long as it was
	}
}

// Stuck says that the stop of a resource failed. If it needs the watchdog, that resets
// the machine.
func (l *Link) Stuck(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.records {
		l.records[i].stuck = l.records[i].stuck || string(l.records[i].name) == resource
	}
	_, _ = l.put(l.records) // as long as it was
}

// Release takes a resource off the list: it runs no more.
func (l *Link) Release(resource string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := without(l.records, resource); len(left) < len(l.records) {
		_, _ = l.put(left) // shorter than it was
	}
}

func without(records []record, resource string) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool { return string(r.name) == resource })
}

// put writes the list. l.mu is held.
func (l *Link) put(records []record) (number int64, err error) {
	var list []byte
	for i := range records {
		list = records[i].appendTo(list)
	}
	if err := l.table.write(list, l.number+1); err != nil {
		return 0, err
	}
	l.number++
	l.records = records
	return l.number, nil
}

// staleBeat is how long a warden may be without a round before it is taken to stand
// still.
const staleBeat = 2 * time.Second

// Alive reports whether a warden lives and goes its rounds.
func (l *Link) Alive() bool {
	return l.table.get(wordWarden) != 0 && l.clock.Now()-l.table.time(wordBeat) < staleBeat && unix.Kill(int(l.table.get(wordWarden)), 0) == nil
}
