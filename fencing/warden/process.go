package warden

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cluster/clock"
	"quorate/fencing/watchdog"
)

// Config is what a warden is given.
type Config struct {
	RunDir   string // of the agent: its table is there
	Watchdog string // device; empty: the machine's first
	Harden   bool   // this process does nothing else: it is made one that runs when others do not
	Log      io.Writer
}

// Files in the run directory. The lock is its holder's as long as it lives.
const (
	tableName = "warden.table"
	lockName  = "warden.lock"
)

const (
	round     = 100 * time.Millisecond // between two looks at the table, at most
	lookAgain = time.Second            // for what was killed, and may have come back
	lockPause = 100 * time.Millisecond
)

// A warden is the process.
type warden struct {
	table  *table
	clock  clock.Raw
	device string // of the watchdog
	arm    func(path string, timeout time.Duration) (feeder, error)

	number  int64    // of the list that records are of
	records []record // in the order in which they were started
	buffers [2]buffer
	current int // the buffer that records are in

	agent     watched
	file      file
	execution *execution
	looked    time.Duration // when all that is due was looked for
	dog       dog
	notes     notes
	polled    [2]unix.PollFd
}

// A buffer is for one list.
type buffer struct {
	list    []byte
	records []record
}

func newBuffer() buffer {
	return buffer{make([]byte, slotSize), make([]record, maxRecords)}
}

// Run is a warden until ctx is canceled. While another one of this machine lives it
// only waits for that one's end. What the process needs is made before it begins.
func Run(ctx context.Context, c Config) error {
	if err := os.MkdirAll(c.RunDir, 0o755); err != nil {
		return fmt.Errorf("make the run directory: %w", err)
	}
	release, err := await(ctx, filepath.Join(c.RunDir, lockName))
	if err != nil || release == nil {
		return err
	}
	defer release()
	table, err := openTable(filepath.Join(c.RunDir, tableName))
	if err != nil {
		return err
	}
	w, err := newWarden(table, c)
	if err != nil {
		return errors.Join(err, table.close())
	}
	if c.Harden {
		w.harden()
	}
	return errors.Join(w.run(ctx), table.close())
}

// await takes the lock that one warden of a machine holds; nil: ctx ended before.
func await(ctx context.Context, path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the warden's lock: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, f.Close()
		case <-time.After(lockPause):
		}
	}
}

func newWarden(t *table, c Config) (*warden, error) {
	w := &warden{
		table: t, device: c.Watchdog, arm: arm, buffers: [2]buffer{newBuffer(), newBuffer()},
		file: file{data: make([]byte, page)}, notes: newNotes(c.Log), agent: watched{fd: -1},
	}
	if w.device == "" {
		w.device = watchdog.DefaultPath
	}
	var err error
	if w.execution, err = newExecution(os.Getpid()); err != nil {
		return nil, err
	}
	return w, nil
}

// register says in the table that this process is the warden.
func (w *warden) register() {
	self := os.Getpid()
	_, born := w.file.stat(self)
	w.table.set(wordBorn, born)
	w.table.say(textDevice, []byte(w.device))
	w.table.set(wordWorking, 0)
	w.table.setTime(wordBeat, w.clock.Now())
	w.table.set(wordWarden, int64(self))
}

// run goes round until ctx is canceled.
func (w *warden) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, w.execution.wake)
	defer stop()
	w.notes.begin()
	w.notes.tell(noteStarted, 0, 0, nil)
	w.execution.start()
	w.register()
	for ctx.Err() == nil {
		w.turn()
	}
	w.execution.end()
	w.leaveDog()
	w.table.set(wordWarden, 0)
	w.notes.end()
	return nil
}

// turn looks once at the table, does what is due, and waits for the next look.
func (w *warden) turn() {
	now := w.clock.Now()
	w.table.setTime(wordBeat, now)
	w.refresh()
	w.follow(now)
	next := w.judge(now)
	w.keepDog(now)
	w.wait(min(next-now, round))
}

// refresh takes over a list that is new. What was killed stays so.
func (w *warden) refresh() {
	if _, number := w.table.newest(); number == w.number {
		return
	}
	b := &w.buffers[1-w.current]
	list, number := w.table.read(b.list)
	if number == 0 || number == w.number {
		return
	}
	records, old := decode(list, b.records), w.records
	for i := range records {
		for len(old) > 0 && old[0].stamp < records[i].stamp { // both are in this order
			old = old[1:]
		}
		if len(old) > 0 && old[0].stamp == records[i].stamp {
			records[i].done = old[0].done
		}
	}
	w.records, w.number, w.current = records, number, 1-w.current
}

// judge has killed what is due, and returns when it is to be called again.
func (w *warden) judge(now time.Duration) (next time.Duration) {
	w.collect()
	deadline := w.table.time(wordDeadline)
	next = deadline
	if now < deadline {
		w.table.setFlag(wordWorking, w.execution.busy())
		return next
	}
	able := w.able()
	if now-w.looked > lookAgain {
		w.looked = now
		w.doubt(deadline, able, now)
	}
	next, left := now+round, false
	for i := range w.records {
		r := &w.records[i]
		switch due := r.due(deadline, able); {
		case r.done || r.kind == None:
		case now < due:
			next = min(next, due)
		default:
			left = true
		}
	}
	w.table.setFlag(wordWorking, left || w.execution.busy())
	if left && !w.execution.busy() {
		w.execution.begin(w.records, deadline, able, now)
	}
	return next
}

// doubt has what was killed looked for again: somebody else may have started it.
func (w *warden) doubt(deadline time.Duration, able bool, now time.Duration) {
	for i := range w.records {
		if r := &w.records[i]; now >= r.due(deadline, able) {
			r.done = false
		}
	}
}

// collect takes over what was killed since the last turn.
func (w *warden) collect() {
	x := w.execution
	if !x.finished() {
		return
	}
	for i := range w.records {
		for k := range x.records {
			if x.records[k].same(&w.records[i]) {
				w.records[i].done = x.records[k].done
			}
		}
	}
	if x.killed > 0 {
		w.table.set(wordKilled, int64(x.killed))
		w.table.setTime(wordAt, x.began)
		w.table.setTime(wordTook, x.took)
		w.table.say(textKilled, x.names)
		w.table.set(wordPasses, w.table.get(wordPasses)+1)
		w.notes.tell(noteKilled, int64(x.killed), x.took, x.names)
	}
	x.reset()
}

// wait sleeps until something happens to the agent, an execution ends, or some time
// has passed.
func (w *warden) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	n := 1
	w.polled[0] = unix.PollFd{Fd: int32(w.execution.event), Events: unix.POLLIN}
	if w.agent.fd >= 0 && !w.agent.dead {
		w.polled[1] = unix.PollFd{Fd: int32(w.agent.fd), Events: unix.POLLIN}
		n = 2
	}
	_, _ = unix.Poll(w.polled[:n], int((d+time.Millisecond-1)/time.Millisecond)) // interrupted: a turn too early
	w.execution.heard()
}
