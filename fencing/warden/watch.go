package warden

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An Observer is told by the agent's end what becomes of the warden.
type Observer interface {
	// Lost: a warden died, or stood still and was killed. Another one follows.
	Lost(pid int, why string)
	// Killed: it has killed what ran, since any agent was told last.
	Killed(e Execution)
	// Absent: none could be started; tried again.
	Absent(err error)
}

const (
	// serviceGrace is what the service manager has to start a warden, before the agent
	// starts one itself.
	serviceGrace = 300 * time.Millisecond
	// startPause is between two attempts to start one, after one that came to nothing.
	startPause = time.Second
	lookPause  = 50 * time.Millisecond
	// stillLooks is how many looks in a row find a warden still that is killed for it.
	stillLooks = 5
)

// Watch keeps a warden alive until ctx is canceled: it starts the program when there is
// none, and again when that ends or stands still. Without a program it only looks.
func (l *Link) Watch(ctx context.Context, program string, o Observer) error {
	g := &guardian{Link: l, program: program, observer: o, file: file{data: make([]byte, page)}}
	for ctx.Err() == nil {
		g.tellKilled()
		if pid := int(l.table.get(wordWarden)); pid != 0 {
			g.absent = time.Time{}
			g.attend(ctx, pid)
			continue
		}
		g.replace()
		select {
		case <-ctx.Done():
		case <-time.After(lookPause):
		}
	}
	return nil
}

// A guardian keeps a warden alive.
type guardian struct {
	*Link
	program  string
	observer Observer
	file     file
	absent   time.Time // since when there is none; zero: there is one
	tried    time.Time
}

// attend waits for the end of a warden, or until it stands still.
func (g *guardian) attend(ctx context.Context, pid int) {
	fd, ok := openProcess(pid)
	if _, start := g.file.stat(pid); !ok || start != g.table.get(wordBorn) {
		if ok {
			closeFile(fd)
		}
		g.table.at(wordWarden).CompareAndSwap(int64(pid), 0) // another process has its number
		return
	}
	defer closeFile(fd)
	for still := 0; ctx.Err() == nil; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(lookPause/time.Millisecond))
		g.tellKilled()
		switch {
		case errors.Is(err, unix.EINTR):
		case n > 0:
			g.lost(pid, "it has ended")
			return
		case g.Alive():
			still, g.tried = 0, time.Time{}
		default: // both may just have been suspended, and this one woke up first
			still++
		}
		if still == stillLooks {
			killProcess(fd)
			g.lost(pid, "it stood still and was killed")
			return
		}
	}
}

func (g *guardian) lost(pid int, why string) {
	if !g.table.at(wordWarden).CompareAndSwap(int64(pid), 0) {
		return // it ended by itself, or another one is there already
	}
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // if it is our child
	g.observer.Lost(pid, why)
}

// replace starts a warden where there has been none for a while.
func (g *guardian) replace() {
	now := time.Now()
	if g.absent.IsZero() {
		g.absent = now
	}
	if g.program == "" || now.Sub(g.absent) < serviceGrace || now.Sub(g.tried) < startPause || g.locked() {
		return
	}
	g.tried = now
	if err := g.start(); err != nil {
		g.observer.Absent(err)
	}
}

// locked reports whether a warden is there that has not told of itself yet.
func (g *guardian) locked() bool {
	f, err := os.OpenFile(g.lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// start starts a warden that outlives this agent.
func (g *guardian) start() error {
	cmd := exec.Command(g.program, "warden", "--run-dir", filepath.Dir(g.lock)) //nolint:noctx // it outlives every context
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release() // lost takes its status
}

// tellKilled tells of an execution that nobody was told of.
func (g *guardian) tellKilled() {
	if last := g.Last(); last.Number > g.table.get(wordTold) {
		g.table.set(wordTold, last.Number)
		g.observer.Killed(last)
	}
}
