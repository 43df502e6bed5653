package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// programProbe runs a program. It gets nothing of the agent's: no environment
// but a search path and the C locale, no input, the root as its folder. It leads
// a process group, and when its time is over the group is killed; what has left
// the group by then is not found.
func programProbe(c Check) (probe, error) {
	words, err := c.program()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ netip.AddrPort) (string, error) {
		said, err := runProgram(ctx, words)
		return programAnswer(ctx, said, err)
	}, nil
}

// program is what is to be run, in words.
func (c Check) program() ([]string, error) {
	if c.Command == "" {
		return nil, errors.New("command= is missing: the program to run")
	}
	words, err := split(c.Command)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return nil, fmt.Errorf("command=%s: give the program with its whole path", c.Command)
	}
	return words, nil
}

func runProgram(ctx context.Context, words []string) (line string, err error) {
	var said clipped
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = lastWords
	err = cmd.Run()
	if cmd.Process != nil {
		_ = killGroup(cmd.Process.Pid) // children that the program left behind
	}
	return said.line(), err
}

// leastWeighing is the exit status of a program that says the weight 0: one more is 1,
// and so on (keepalived.conf(5), "misc_dynamic").
const leastWeighing = 2

// programWeigher is of a dynamic program: from leastWeighing on its status is a weight.
func programWeigher(c Check) weigher {
	words, err := c.program()
	if !c.Dynamic || err != nil {
		return nil
	}
	return func(ctx context.Context, _ netip.AddrPort) answer {
		said, err := runProgram(ctx, words)
		exited, ok := errors.AsType[*exec.ExitError](err)
		if !ok || ctx.Err() != nil || exited.ExitCode() < leastWeighing {
			text, err := programAnswer(ctx, said, err)
			return answer{text: text, err: err}
		}
		weight := exited.ExitCode() - leastWeighing
		return answer{text: fmt.Sprintf("the program says weight %d", weight), weight: Weight{Value: weight, Instead: true}}
	}
}

// lastWords is how long the output of a program that has ended is waited for: a
// child that left its group may hold it open.
const lastWords = 100 * time.Millisecond

func killGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGKILL) }

func programAnswer(ctx context.Context, said string, err error) (string, error) {
	if said != "" {
		said = ": " + said
	}
	exited, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("the program did not end in time and was killed%s", said)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return "the program succeeded" + said, nil
	case ok && exited.ExitCode() >= 0:
		return "", fmt.Errorf("the program ended with status %d%s", exited.ExitCode(), said)
	}
	return "", err
}

// A clipped writer keeps the beginning of what a program says.
type clipped struct{ text []byte }

func (c *clipped) Write(b []byte) (int, error) {
	if room := 256 - len(c.text); room > 0 {
		c.text = append(c.text, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (c *clipped) line() string {
	return firstLine(string(bytes.ToValidUTF8(bytes.TrimSpace(c.text), nil)))
}
