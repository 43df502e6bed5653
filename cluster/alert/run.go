package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Run runs an alert once, to its end or until it is killed for taking too long. The
// error is what went wrong, in one line.
func Run(ctx context.Context, c Call) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout())
	defer cancel()
	if c.Alert.GetPath() == Mail {
		return c.mail(ctx)
	}
	return c.program(ctx)
}

// program runs the alert's program. It leads a process group, which is killed when it
// has ended, and when its time is over.
func (c Call) program(ctx context.Context) error {
	var said output
	cmd := exec.CommandContext(ctx, c.Alert.GetPath())
	cmd.Env, cmd.Dir = c.environment(), "/"
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = lastWords
	err := cmd.Run()
	if cmd.Process != nil {
		_ = killGroup(cmd.Process.Pid) // children that it left behind
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("it did not end in %v and was killed", c.Timeout())
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not on this node; put it on every node that may lead", c.Alert.GetPath())
	case said.line() != "":
		return fmt.Errorf("%w: %s", err, said.line())
	}
	return err
}

// lastWords is how long the output of a program that has ended is waited for.
const lastWords = 100 * time.Millisecond

func killGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGKILL) }

// mostSaid is how much of a program's words is kept.
const mostSaid = 256

// An output keeps the beginning of what a program says.
type output struct{ text []byte }

func (o *output) Write(b []byte) (int, error) {
	o.text = append(o.text, b[:min(len(b), mostSaid-len(o.text))]...)
	return len(b), nil
}

// line is the first line of it.
func (o *output) line() string {
	first, _, _ := strings.Cut(string(bytes.ToValidUTF8(bytes.TrimSpace(o.text), nil)), "\n")
	return strings.TrimSpace(first)
}

// Missing says why this node cannot run a program; empty: it can.
func Missing(path string) string {
	if path == Mail {
		return ""
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return path + " is not on this node"
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return path + " is no program"
	}
	return ""
}
