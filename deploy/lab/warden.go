package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wardenCommand is what runs beside the agent on a node.
var wardenCommand = []string{"quorate", "warden"}

// wardenRest is how soon a warden that has ended is started again, as its unit says.
const wardenRest = 100 * time.Millisecond

// wardenControl is what may be done to a host's warden.
type wardenControl string

const (
	wardenKill   wardenControl = "kill"
	wardenFreeze wardenControl = "freeze"
	wardenThaw   wardenControl = "thaw"
)

// A wardenService keeps a warden running on a host, as systemd would. It does so until
// the host has no power any more.
type wardenService struct {
	processes *processes
	env       []string
	log       string
	work      sync.WaitGroup

	mu  sync.Mutex
	pid int // 0: it has ended, and another is started at once
}

// needed reports whether a host's command is an agent that has a warden.
func needsWarden(command []string) bool { return slices.Equal(command, AgentCommand) }

// boot starts the first one, and has the next ones follow.
func (w *wardenService) boot(env []string, log string) error {
	w.env, w.log = env, log
	exited, err := w.start()
	if err != nil {
		return err
	}
	w.work.Go(func() {
		for err == nil {
			<-exited
			w.note(0)
			time.Sleep(wardenRest)
			exited, err = w.start()
		}
	})
	return nil
}

func (w *wardenService) start() (<-chan unix.WaitStatus, error) {
	program, err := lookup(wardenCommand[0], w.env)
	if err != nil {
		return nil, fmt.Errorf("warden: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	log, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("warden's log: %w", err)
	}
	defer log.Close()
	pid, exited, err := w.processes.start(program, wardenCommand, &os.ProcAttr{
		Dir: "/", Env: w.env, Files: []*os.File{null, log, log}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("warden: %w", err)
	}
	w.note(pid)
	return exited, nil
}

func (w *wardenService) note(pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pid = pid
}

// control does one thing to the warden. One that has ended is followed by another: to
// thaw it does nothing.
func (w *wardenService) control(c wardenControl) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pid == 0 {
		if c == wardenThaw {
			return nil
		}
		return errors.New("no warden runs here")
	}
	return unix.Kill(w.pid, map[wardenControl]unix.Signal{
		wardenKill: unix.SIGKILL, wardenFreeze: unix.SIGSTOP, wardenThaw: unix.SIGCONT,
	}[c])
}
