package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	realTimePriority = 10 // of SCHED_RR; the kernel's own threads are at 50
	threadRound      = 100 * time.Millisecond
	spareThreads     = 24
)

// A realTime keeps all threads of this process at SCHED_RR, so that a busy machine
// does not make it beat late.
//
// All of them, since one would be worth nothing: a goroutine, also one that has
// a thread to itself, waits for the runtime, whose other threads hold what it
// needs while the kernel lets others run. Measured in docs/timing.md.
//
// What this process starts does not inherit the priority, and neither do its own
// new threads, which Linux cannot tell apart (SCHED_RESET_ON_FORK). A new one that
// the kernel puts aside before it is raised holds all others up. So threads are
// made before they are needed, which the runtime keeps, and new ones are looked for
// all the time.
type realTime struct {
	logger *slog.Logger
	raised map[int]bool // threads
	state  atomic.Pointer[string]
}

func newRealTime(logger *slog.Logger) *realTime {
	r := &realTime{logger: logger}
	r.say("ordinary scheduling")
	return r
}

func (r *realTime) say(state string) { r.state.Store(&state) }

// String says how the threads that beat are scheduled.
func (r *realTime) String() string { return *r.state.Load() }

// Run raises the threads until ctx is canceled. If that is not permitted it says
// so once and ends.
func (r *realTime) Run(ctx context.Context) error {
	makeThreads(spareThreads)
	round := time.NewTicker(threadRound)
	defer round.Stop()
	for {
		if err := r.raise(); err != nil {
			r.say(fmt.Sprintf("ordinary scheduling: SCHED_RR is refused (%v)", err))
			r.logger.Warn("beats are not sent in real time: a busy machine may lose its lease; allow it CAP_SYS_NICE or an RLIMIT_RTPRIO of 10", "err", err)
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-round.C:
		}
	}
}

// makeThreads makes the runtime have so many more threads.
func makeThreads(n int) {
	var made, ended sync.WaitGroup
	all := make(chan struct{})
	made.Add(n)
	for range n {
		ended.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			made.Done()
			<-all
		})
	}
	made.Wait()
	close(all)
	ended.Wait()
}

// raise raises the threads that are new.
func (r *realTime) raise() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	raised := make(map[int]bool, len(tasks))
	for _, t := range tasks {
		thread, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if !r.raised[thread] {
			err = raiseThread(thread)
		}
		switch {
		case err == nil:
			raised[thread] = true
		case !errors.Is(err, unix.ESRCH): // it has ended
			return err
		}
	}
	r.raised = raised
	r.say(fmt.Sprintf("in real time (SCHED_RR %d)", realTimePriority))
	return nil
}

func raiseThread(thread int) error {
	return unix.SchedSetAttr(thread, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: realTimePriority, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
}
