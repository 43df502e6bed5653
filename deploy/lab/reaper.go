package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// processes starts processes and, as the first process of a namespace must,
// collects all that end there, its own and the orphans.
type processes struct {
	started chan struct{} // holds one when there may be a child to wait for

	mu    sync.Mutex // held over a start, so that no end is seen before its beginning
	exits map[int]chan<- unix.WaitStatus
}

func newProcesses() *processes {
	return &processes{started: make(chan struct{}, 1), exits: map[int]chan<- unix.WaitStatus{}}
}

// start runs a program; its end is sent to the returned channel.
func (p *processes) start(path string, args []string, attr *os.ProcAttr) (int, <-chan unix.WaitStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	process, err := os.StartProcess(path, args, attr)
	if err != nil {
		return 0, nil, err
	}
	pid := process.Pid
	_ = process.Release() // Run waits for it
	exited := make(chan unix.WaitStatus, 1)
	p.exits[pid] = exited
	select {
	case p.started <- struct{}{}:
	default:
	}
	return pid, exited, nil
}

// Run collects ended processes until ctx is canceled and none is left, or
// until the caller's own end.
func (p *processes) Run(ctx context.Context) error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == nil:
			p.ended(pid, status)
		case errors.Is(err, unix.ECHILD):
			select {
			case <-p.started:
			case <-ctx.Done():
				return nil
			}
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait: %w", err)
		}
	}
}

func (p *processes) ended(pid int, status unix.WaitStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if exited, ok := p.exits[pid]; ok {
		delete(p.exits, pid)
		exited <- status
	}
}

// exitCode is a status as a shell reports it.
func exitCode(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// lookup finds a program as execvp would, by the PATH in env.
func lookup(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var path string
	for _, e := range env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			path = p
		}
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: not found in PATH", name)
}
