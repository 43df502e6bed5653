package warden

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	realTimePriority = 20 // of SCHED_RR: above the agent's 10, below the kernel's own 50
	threads          = 8  // made at the beginning: one that is made later may wait for memory
)

// harden makes this process one that runs when others do not: it never waits for a
// page of its program or its memory, collects no garbage, makes no threads, and is
// scheduled in real time. What is refused is said, and done without.
func (w *warden) harden() {
	runtime.GOMAXPROCS(2)
	debug.SetGCPercent(-1)
	makeThreads(threads)
	locked := lock()
	ranked := raise()
	w.table.setFlag(wordLocked, locked == nil)
	w.table.setFlag(wordRanked, ranked == nil)
	var said []string
	for what, err := range map[string]error{"memory locked": locked, "in real time": ranked} {
		if err != nil {
			what = "not " + what + ": " + err.Error()
		}
		said = append(said, what)
	}
	w.notes.tell(noteHardened, 0, 0, []byte(strings.Join(said, "; ")))
}

// lock keeps what this process has, and touches, in memory. Only the program itself
// is read in whole: the runtime reserves far more memory than it uses.
func lock() error {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("lock memory (allow it CAP_IPC_LOCK or an unlimited RLIMIT_MEMLOCK): %w", err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(maps) {
		if from, length, ok := ofProgram(line); ok {
			if err := populate(from, length); err != nil {
				return fmt.Errorf("read the program into memory: %w", err)
			}
		}
	}
	return nil
}

// ofProgram reads a line of /proc/PID/maps (proc_pid_maps(5)): whether it is of a file
// on a disk, and where.
func ofProgram(line []byte) (from uintptr, length int, ok bool) {
	fields := bytes.Fields(line)
	if len(fields) < 6 || fields[5][0] != '/' || fields[1][0] != 'r' {
		return 0, 0, false
	}
	first, last, _ := strings.Cut(string(fields[0]), "-")
	a, errA := strconv.ParseUint(first, 16, 64)
	b, errB := strconv.ParseUint(last, 16, 64)
	return uintptr(a), int(b - a), errA == nil && errB == nil && b > a
}

// makeThreads makes the runtime have so many more threads, which it keeps.
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

// raise schedules all threads in real time. Those that they make inherit it; one that
// is made meanwhile, by a thread whose turn is yet to come, does not. So it looks again
// until there is none left.
func raise() error {
	for {
		left, err := raiseOnce()
		if err != nil || left == 0 {
			return err
		}
	}
}

// raiseOnce raises all threads that are there, and returns how many were not raised yet.
func raiseOnce() (left int, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0, err
	}
	for _, t := range tasks {
		thread, err := strconv.Atoi(t.Name())
		if err != nil {
			return 0, err
		}
		if present, err := unix.SchedGetAttr(thread, 0); err == nil && present.Policy == unix.SCHED_RR {
			continue
		}
		left++
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: realTimePriority}
		if err := unix.SchedSetAttr(thread, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) { // it has ended
			return 0, fmt.Errorf("SCHED_RR is refused (allow it CAP_SYS_NICE or an RLIMIT_RTPRIO of %d): %w", realTimePriority, err)
		}
	}
	return left, nil
}
