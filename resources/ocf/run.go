package ocf

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// straggle is how long the output of a script is read on after its end. A daemon
// that it started may keep it open for ever.
const straggle = 100 * time.Millisecond

// run runs the script for a resource when no other of that resource's runs. It
// returns an error if the script could not be run to its end: one of the context
// if that was why.
func (a *Agent) run(ctx context.Context, action string, r *pb.Resource) (*end, error) {
	ctx, leave, err := a.enter(ctx, r.GetId(), action == actionStop)
	if err != nil {
		return nil, err
	}
	defer leave()
	return a.execute(ctx, action, r)
}

// execute runs the script.
func (a *Agent) execute(ctx context.Context, action string, r *pb.Resource) (*end, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mark := markOfRun + rand.Text()
	var file *os.File
	if r != nil {
		var err error
		if file, err = a.family.resourceMarks(r).open(); err != nil {
			return nil, fmt.Errorf("mark what it starts: %w", err)
		}
		defer file.Close()
	}
	out, words := &head{}, &tail{}
	cmd := exec.CommandContext(ctx, a.path, action)
	cmd.Dir = "/"
	cmd.Env = a.environment(ctx, action, r, mark)
	cmd.Stdout, cmd.Stderr = both{out, words.stream(quiet)}, words.stream(loud)
	if t := resources.TranscriptIn(ctx); t != nil {
		written := &oneAtATime{to: t.Output}
		cmd.Stdout, cmd.Stderr = both{cmd.Stdout, written}, both{cmd.Stderr, written}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.ExtraFiles = inherit(file)
	cmd.WaitDelay = straggle
	cmd.Cancel = func() error {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // the session's own group
		_, err := kill(marks{variable: mark})
		return err
	}
	err := cmd.Run()
	e := &end{words: words.last(), output: out.bytes()}
	switch {
	case ctx.Err() != nil:
		return e, unfinished(ctx.Err(), e.words)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return e, nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return cannotRun(err)
	}
	e.code = exit.ExitCode() // -1: killed
	return e, nil
}

// unfinished says of a script that was killed what it said last.
func unfinished(why error, words string) error {
	text := "it was interrupted"
	if errors.Is(why, context.DeadlineExceeded) {
		text = "it did not end in time and was killed"
	}
	if words != "" {
		text += "; it last said: " + words
	}
	return &unfinishedError{text, why}
}

// An unfinishedError says of a script that was killed why, in words for people.
type unfinishedError struct {
	text string
	why  error // of the context
}

func (e *unfinishedError) Error() string { return e.text }
func (e *unfinishedError) Unwrap() error { return e.why }

// cannotRun is the end of a script that could not begin, in the terms of one
// that did.
func cannotRun(err error) (*end, error) {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return &end{code: exitInsufficient, words: oneLine(err.Error())}, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENOEXEC):
		return &end{code: exitNotInstalled, words: oneLine(err.Error())}, nil
	}
	return nil, err
}
