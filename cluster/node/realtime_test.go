package node

import (
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAllThreadsAreRaisedAndWhatTheyStartIsNot(t *testing.T) {
	const again = "QUORATE_TEST_REALTIME"
	if os.Getenv(again) == "" { // a process of its own: its priority does not go down again
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), again+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("%s", out)
		}
		return
	}
	r := newRealTime(slog.New(slog.DiscardHandler))
	if err := r.raise(); err != nil {
		t.Skipf("real time is not permitted here: %v", err)
	}
	before, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	makeThreads(len(before) + 10)
	tasks, err := os.ReadDir("/proc/self/task") // the runtime may make more at any time
	if err != nil {
		t.Fatal(err)
	}
	if err := r.raise(); err != nil {
		t.Fatal(err)
	}
	if len(tasks) < len(before)+10 {
		t.Errorf("%d threads, want at least %d", len(tasks), len(before)+10)
	}
	for _, task := range tasks {
		id, _ := strconv.Atoi(task.Name())
		if a, err := unix.SchedGetAttr(id, 0); err == nil && (a.Policy != unix.SCHED_RR || a.Priority != realTimePriority) {
			t.Errorf("thread %d of %d has policy %d and priority %d", id, len(tasks), a.Policy, a.Priority)
		}
	}
	out, err := exec.CommandContext(t.Context(), "grep", "policy", "/proc/self/sched").CombinedOutput()
	if policy := strings.Fields(string(out)); err != nil || policy[len(policy)-1] != "0" {
		t.Errorf("a child has %s (%v), want policy 0", out, err)
	}
}
