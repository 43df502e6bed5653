package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// agentControl is what may be done to a host's agent.
type agentControl string

const (
	agentLook   agentControl = "look"
	agentFreeze agentControl = "freeze"
	agentThaw   agentControl = "thaw"
	agentKill   agentControl = "kill"
	agentEnd    agentControl = "end"
	agentStart  agentControl = "start"
)

// States of an agent.
const (
	agentNone    = "none"
	agentRunning = "running"
	agentFrozen  = "frozen"
	agentEnded   = "ended"
)

// AgentStatus is what a host's agent is doing.
type AgentStatus struct {
	State  string        `json:"state,omitempty"` // none, running, frozen, ended
	PID    int           `json:"pid,omitempty"`   // in the host's own count
	Ended  string        `json:"ended,omitempty"` // how
	CPU    time.Duration `json:"cpu,omitempty"`   // used since it started
	Memory int64         `json:"memory,omitempty"`
}

// An agent is the program that a host exists for.
type agent struct {
	processes *processes
	watching  sync.WaitGroup // of the agent's end

	mu      sync.Mutex
	command []string
	env     []string
	log     string
	status  AgentStatus
	ended   chan struct{} // closed when it is; nil before the first start
}

func (a *agent) boot(command, env []string, log string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.command, a.env, a.log = command, env, log
	a.status = AgentStatus{State: agentNone}
	if len(command) == 0 {
		return nil
	}
	return a.start()
}

// start runs the command. The caller holds a.mu.
func (a *agent) start() error {
	program, err := lookup(a.command[0], a.env)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("agent's log: %w", err)
	}
	defer log.Close()
	pid, exited, err := a.processes.start(program, a.command, &os.ProcAttr{
		Dir: "/", Env: a.env, Files: []*os.File{null, log, log}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	a.status = AgentStatus{State: agentRunning, PID: pid}
	a.ended = make(chan struct{})
	a.watch(exited, a.ended)
	return nil
}

// watch notes the agent's end.
func (a *agent) watch(exited <-chan unix.WaitStatus, ended chan struct{}) {
	a.watching.Go(func() {
		status := <-exited
		a.mu.Lock()
		defer a.mu.Unlock()
		a.status = AgentStatus{State: agentEnded, Ended: howEnded(status)}
		close(ended)
	})
}

func howEnded(s unix.WaitStatus) string {
	if s.Signaled() {
		return s.Signal().String()
	}
	return "exit status " + strconv.Itoa(s.ExitStatus())
}

// control does one thing to the agent, and returns when it is done.
func (a *agent) control(c agentControl) (AgentStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	switch c {
	case agentFreeze:
		if err = a.signal(unix.SIGSTOP); err == nil {
			a.status.State = agentFrozen
		}
	case agentThaw:
		if err = a.signal(unix.SIGCONT); err == nil {
			a.status.State = agentRunning
		}
	case agentKill:
		err = a.end(unix.SIGKILL)
	case agentEnd:
		err = a.end(unix.SIGTERM)
	case agentStart:
		if a.status.State != agentEnded {
			err = fmt.Errorf("agent is %s", a.status.State)
		} else {
			err = a.start()
		}
	}
	status := a.status
	if status.PID != 0 {
		status.CPU, status.Memory = usage(status.PID)
	}
	return status, err
}

// endTime is how long an agent may take to end when it is asked; within orderTime.
const endTime = 8 * time.Second

// end sends the agent a signal and waits for its end, which an agent that is
// asked may delay. The caller holds a.mu.
func (a *agent) end(how unix.Signal) error {
	if err := a.signal(how); err != nil {
		return err
	}
	ended := a.ended
	a.mu.Unlock()
	defer a.mu.Lock()
	select {
	case <-ended:
		return nil
	case <-time.After(endTime):
		return fmt.Errorf("agent has not ended %v after %s", endTime, how)
	}
}

func (a *agent) signal(s unix.Signal) error {
	if a.status.PID == 0 {
		return fmt.Errorf("agent does not run: %s", strings.TrimSpace(a.status.State+" "+a.status.Ended))
	}
	return unix.Kill(a.status.PID, s)
}

// ticks is how /proc counts CPU time; the same on all of Linux.
const ticks = time.Second / 100

// usage reads what a process has used; zeros if it has ended.
func usage(pid int) (cpu time.Duration, memory int64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// After the name in parentheses: state is field 3, utime 14, stime 15, rss 24 (proc_pid_stat(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	number := func(field int) int64 {
		if len(fields) <= field-3 {
			return 0
		}
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return n
	}
	return time.Duration(number(14)+number(15)) * ticks, number(24) * int64(os.Getpagesize())
}
