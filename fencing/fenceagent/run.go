package fenceagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// straggle is how long the output of a program is read on after its end.
const straggle = 100 * time.Millisecond

// statusOff is the exit status with which a program says that a plug is off.
const statusOff = 2

// An end is how a run of a program ended.
type end struct {
	code   int // -1: killed by a signal that was not ours
	output string
	words  string // why it failed, in one line, without secrets
}

// execute runs the program to its end, with more in its environment.
func (p *Program) execute(ctx context.Context, input string, more, secrets []string) (*end, error) {
	path := p.path()
	if path == "" {
		return nil, p.Missing()
	}
	out, said := &head{}, &tail{}
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir = "/"
	cmd.Env = append(environment(), more...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), out, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = straggle
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	err := cmd.Run()
	e := &end{output: hide(out.String(), secrets), words: hide(oneLine(lastWords(said.String(), out.String())), secrets)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, unfinished(context.Cause(ctx), e.words)
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return e, nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	e.code = exit.ExitCode()
	return e, nil
}

func unfinished(why error, words string) error {
	if words == "" {
		return why
	}
	return fmt.Errorf("%w; it last said: %s", why, words)
}

// answer reads the end of an action.
func (e *end) answer(action string) (fencing.Answer, error) {
	switch {
	case e.code == 0 && action == fencing.Status:
		return fencing.Answer{Power: fencing.PowerOn}, nil
	case e.code == statusOff && action == fencing.Status:
		return fencing.Answer{Power: fencing.PowerOff}, nil
	case e.code == statusOff && action == fencing.Monitor: // the plug that it looked at is off
		return fencing.Answer{}, nil
	case e.code == 0:
		return fencing.Answer{Text: e.output}, nil
	case e.words == "":
		return fencing.Answer{}, fmt.Errorf("exit status %d", e.code)
	}
	return fencing.Answer{}, fmt.Errorf("%s (exit status %d)", e.words, e.code)
}

// lastWords are the last error that was logged, else the last line that says anything.
func lastWords(said, output string) string {
	for _, text := range []string{said, output} {
		last := ""
		for line := range strings.Lines(text) {
			if _, logged, found := strings.Cut(line, "ERROR: "); found {
				last = logged
			}
		}
		if strings.TrimSpace(last) != "" {
			return last
		}
	}
	lines := strings.FieldsFunc(output+"\n"+said, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range slices.Backward(lines) {
		if strings.TrimSpace(line) != "" {
			return line
		}
	}
	return ""
}

// environment is the agent's, without what belongs to its service manager. Python's
// complaints about programs that are older than it are kept out of their last words.
func environment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, p := range []string{"NOTIFY_", "WATCHDOG_", "LISTEN_"} {
			if strings.HasPrefix(v, p) {
				return true
			}
		}
		return false
	}), "PYTHONWARNINGS=ignore")
}

// secretsOf are the values of a device that are not to be repeated.
func secretsOf(d *pb.FencingDevice) []string {
	var list []string
	for name, value := range d.GetParameters() {
		if value != "" && (slices.Contains(d.GetTraits().GetSecrets(), name) || fencing.Secret(name)) {
			list = append(list, value)
		}
	}
	return list
}

// hidden takes the place of a secret.
const hidden = "•••"

// hide takes secrets out of a text. Those of a letter or two would take it apart:
// then nothing of it is told.
func hide(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) < 3 && strings.Contains(text, s) {
			return "(what it said is not told: it may hold a secret)"
		}
		text = strings.ReplaceAll(text, s, hidden)
	}
	return text
}
