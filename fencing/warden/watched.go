package warden

import (
	"time"

	"golang.org/x/sys/unix"
)

// A watched is the agent, as an open process: it is told of its end at once.
type watched struct {
	pid   int
	start int64
	fd    int // -1: none
	dead  bool
}

// follow keeps an eye on the agent that the table names.
func (w *warden) follow(now time.Duration) {
	pid, start := int(w.table.get(wordAgent)), w.table.get(wordBirth)
	a := &w.agent
	if a.pid != pid || a.start != start {
		w.take(pid, start)
	}
	if a.fd < 0 || a.dead {
		return
	}
	poll := [1]unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll[:], 0); err != nil || n == 0 {
		return
	}
	a.dead = true
	kind := noteAgentDied
	if w.table.flag(wordPlanned) {
		kind = noteAgentRestarts
	}
	w.notes.tell(kind, int64(a.pid), w.table.time(wordDeadline)-now, nil)
}

// take opens another agent. One that is not there any more, or whose number another
// process has, is dead.
func (w *warden) take(pid int, start int64) {
	a := &w.agent
	if a.fd >= 0 {
		closeFile(a.fd)
	}
	*a = watched{pid: pid, start: start, fd: -1, dead: true}
	w.execution.spare(pid)
	if pid == 0 {
		return
	}
	fd, ok := openProcess(pid)
	if !ok {
		return
	}
	if _, started := w.file.stat(pid); started != start {
		closeFile(fd)
		return
	}
	a.fd, a.dead = fd, false
	w.notes.tell(noteAgent, int64(pid), 0, nil)
}

// able reports whether the agent can act: it lives, and nobody has stopped it.
func (w *warden) able() bool {
	if w.agent.fd < 0 || w.agent.dead {
		return false
	}
	state, start := w.file.stat(w.agent.pid)
	return start == w.agent.start && !stopped(state)
}
