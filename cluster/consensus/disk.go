package consensus

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// A HangError is a write to the disk, or the applying of an entry, that has been
// under way for too long.
type HangError struct {
	What  string // such as "a write of the log"
	Since time.Time
	Err   error // of the newest try of a write; nil: it has not come back at all
}

// Error says what hangs and why.
func (h *HangError) Error() string {
	text := fmt.Sprintf("%s is under way since %s", h.What, h.Since.Local().Format(time.TimeOnly))
	if h.Err != nil {
		text += ": " + h.Err.Error()
	}
	return text
}

// A disk knows for how long Raft has been waiting for it.
//
// Raft writes in its main loop and heartbeats beside it. So a leader whose disk
// hangs stays leader for as long as it hangs, commits nothing, and cannot hand
// leadership over, which is the main loop's work as well (hashicorp/raft, issues
// 503 and 612). An error is no better: raft ends the process if it cannot store
// its term, in this start and in all that follow. So a write that fails is tried
// again until it succeeds. To raft a bad disk is one that hangs, whatever ails
// it, and what is done about that is done in one place (see [Node.attend]).
//
// Each try is a transaction of its own that writes all its pages anew, so one
// that comes after a failed sync relies on nothing that was not synced.
//
// Snapshots are neither watched nor tried again: raft writes them beside its main
// loop, which misses nothing while they take long, and takes the next one later.
type disk struct {
	patience time.Duration // how long a write or an apply may take; 0: for ever
	news     chan struct{} // holds a token when something is under way, or has ended that hung

	mu    sync.Mutex
	last  uint64
	under map[uint64]*HangError // way, by number
}

func newDisk(patience time.Duration) *disk {
	return &disk{patience: patience, news: make(chan struct{}, 1), under: make(map[uint64]*HangError)}
}

// begin notes that something is under way until end is called. failed notes why
// it is.
func (d *disk) begin(what string) (end func(), failed func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	number, w := d.last, &HangError{What: what, Since: time.Now()}
	if len(d.under) == 0 {
		d.poke()
	}
	d.under[number] = w
	end = func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.tooLong(w) {
			d.poke()
		}
		delete(d.under, number)
	}
	failed = func(err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		w.Err = err
	}
	return end, failed
}

func (d *disk) poke() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

func (d *disk) tooLong(w *HangError) bool { return d.patience > 0 && time.Since(w.Since) >= d.patience }

// hang returns what has been under way for longest, if that is too long; else
// nil, and when something may be: zero when nothing is under way.
func (d *disk) hang() (h *HangError, next time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest *HangError
	for _, w := range d.under {
		if oldest == nil || w.Since.Before(oldest.Since) {
			oldest = w
		}
	}
	switch {
	case oldest == nil || d.patience == 0:
		return nil, 0
	case d.tooLong(oldest):
		now := *oldest
		return &now, 0
	default:
		return nil, time.Until(oldest.Since.Add(d.patience))
	}
}

// idle waits until nothing is under way, for some time. It reports whether that is so.
func (d *disk) idle(patience time.Duration) bool {
	for until := time.Now().Add(patience); ; time.Sleep(patience / 100) {
		d.mu.Lock()
		n := len(d.under)
		d.mu.Unlock()
		if n == 0 || time.Now().After(until) {
			return n == 0
		}
	}
}

// The pause before a failed write is tried again grows from shortest to longest.
const (
	shortestPause = 10 * time.Millisecond
	longestPause  = time.Second
)

// write tries f until the disk takes it.
func (d *disk) write(what string, f func() error) error {
	end, failed := d.begin(what)
	defer end()
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := f()
		if !ofDisk(err) {
			return err
		}
		failed(err)
		time.Sleep(pause)
	}
}

// ofDisk reports whether an error is the kernel's, about the disk. Others, such
// as that the stores are closed, do not pass.
func ofDisk(err error) bool {
	var no syscall.Errno
	if errors.As(err, &no) {
		return true
	}
	// bbolt gives a failure to make its file longer as mere text.
	return err != nil && (strings.HasPrefix(err.Error(), "file resize error") || strings.HasPrefix(err.Error(), "file sync error"))
}

// over returns stores and an FSM that tell the disk what raft waits for.
func (d *disk) over(s Stores, fsm raft.FSM) (Stores, raft.FSM) {
	s.Log, s.Stable = &watchedLog{s.Log, d}, &watchedStable{s.Stable, d}
	return s, &watchedFSM{fsm, d}
}

// watchedLog is Raft's log on a watched disk. Reads are not watched: what raft
// reads in its main loop it has written a moment ago, and it is in memory.
type watchedLog struct {
	raft.LogStore
	disk *disk
}

// StoreLog implements raft.LogStore.
func (l *watchedLog) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs implements raft.LogStore.
func (l *watchedLog) StoreLogs(entries []*raft.Log) error {
	return l.disk.write("a write of the log", func() error { return l.LogStore.StoreLogs(entries) })
}

// DeleteRange implements raft.LogStore.
func (l *watchedLog) DeleteRange(first, last uint64) error {
	return l.disk.write("a deletion in the log", func() error { return l.LogStore.DeleteRange(first, last) })
}

// watchedStable is Raft's term and vote on a watched disk.
type watchedStable struct {
	raft.StableStore
	disk *disk
}

// Set implements raft.StableStore.
func (s *watchedStable) Set(key, value []byte) error {
	return s.disk.write("a write of the vote", func() error { return s.StableStore.Set(key, value) })
}

// SetUint64 implements raft.StableStore.
func (s *watchedStable) SetUint64(key []byte, value uint64) error {
	return s.disk.write("a write of the term", func() error { return s.StableStore.SetUint64(key, value) })
}

// watchedFSM tells for how long an entry is being applied.
type watchedFSM struct {
	raft.FSM
	disk *disk
}

// Apply implements raft.FSM.
func (f *watchedFSM) Apply(l *raft.Log) any {
	end, _ := f.disk.begin("the applying of an entry")
	defer end()
	return f.FSM.Apply(l)
}
