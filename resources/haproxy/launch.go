package haproxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often a question that only time answers is repeated.
const pollInterval = 5 * time.Millisecond

// launch starts haproxy and waits until its worker answers. What it starts
// belongs to the system's first process, not to us.
func launch(ctx context.Context, s *settings, text string) (worker int, err error) {
	if err := s.awaitSockets(ctx); err != nil {
		return 0, err
	}
	if err := s.install(s.wanted(text)); err != nil {
		return 0, err
	}
	if err := s.forgetStates(); err != nil {
		return 0, err
	}
	if err := makeSocketDirectories(text); err != nil {
		return 0, err
	}
	err = s.run(ctx)
	if err == nil {
		worker, err = s.settle(ctx)
	}
	if err != nil {
		return 0, errors.Join(s.explain(err), s.end(context.WithoutCancel(ctx), 0))
	}
	s.unprotect()
	return worker, nil
}

// socketTime bounds how long a start waits for its sockets. A process that was
// killed, of ours too, has them until the kernel has ended it.
const socketTime = time.Second

// awaitSockets returns when nobody has the resource's sockets, or who has.
func (s *settings) awaitSockets(ctx context.Context) error {
	for end := time.Now().Add(socketTime); ; {
		err := s.unopposed()
		if err == nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollInterval):
		}
	}
}

// unprotect takes back the protection from the kernel's out-of-memory killer
// that an agent's service gives it: haproxy, which serves strangers, gets none.
func (s *settings) unprotect() {
	all, err := s.processes()
	if err != nil {
		return
	}
	for _, p := range all { // later workers inherit it
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.pid), []byte("0"), 0)
	}
}

// run returns when haproxy has bound its sockets and gone to the background.
// Its output goes to a file: a pipe would break with us.
func (s *settings) run(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, s.binary, s.arguments()...)
	cmd.Env = environment()
	cmd.Dir = filepath.Dir(s.copy)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Run()
}

// settle waits until the worker answers, or nothing is left of what was run.
// For that it looks less often, since haproxy needs the time itself.
func (s *settings) settle(ctx context.Context) (int, error) {
	const questionsPerLook = 10
	for n := 1; ; n++ {
		worker, err := healthy(ctx, s)
		if err == nil {
			return worker, nil
		}
		if n%questionsPerLook == 0 && s.gone() {
			return 0, errors.New("it ended at once")
		}
		if pause(ctx) != nil {
			return 0, err
		}
	}
}

func (s *settings) gone() bool {
	all, err := s.processes()
	return err == nil && len(all) == 0
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollInterval):
		return nil
	}
}

// explain adds what haproxy said, and what to do where that is known.
func (s *settings) explain(err error) error {
	b, readErr := os.ReadFile(s.log)
	if readErr != nil {
		return err
	}
	said := s.rename(string(b))
	text := strings.Join(messages(said, "ALERT"), "; ")
	if text == "" {
		text = oneLine(said)
	}
	if strings.Contains(text, "Address already in use") {
		text += "; if the distribution's own service holds it: systemctl disable --now haproxy"
	}
	if text == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, text)
}

// reload has the master make a new worker for a configuration that was checked.
// When there is none afterwards, the former configuration is put back; its
// worker has never stopped.
func reload(ctx context.Context, s *settings, text string) (int, error) {
	before, err := askStatus(ctx, s)
	if err != nil {
		return 0, err
	}
	if s.keepStates(ctx, before.newest(), text) != nil { // one that cannot tell them is replaced all the same
		if err := s.forgetStates(); err != nil {
			return 0, err
		}
	}
	former := s.installed()
	if err := s.install(s.wanted(text)); err != nil {
		return 0, err
	}
	if err := makeSocketDirectories(text); err != nil {
		return 0, errors.Join(err, s.install(former))
	}
	answer, err := ask(ctx, s.socket, "reload")
	if err != nil {
		return 0, errors.Join(err, s.install(former))
	}
	worker, err := s.taken(ctx, before, answer)
	if err != nil {
		return 0, errors.Join(err, s.install(former))
	}
	return worker, nil
}

// taken waits for the outcome of a reload. Versions before 2.7 do not answer
// it; there the master's counts tell, once it has executed itself anew.
func (s *settings) taken(ctx context.Context, before status, answer string) (int, error) {
	if strings.Contains(answer, "Success=0") {
		return 0, fmt.Errorf("the new configuration was not taken over: %s", oneLine(s.rename(answer)))
	}
	for {
		now, err := askStatus(ctx, s)
		switch {
		case err != nil: // the master is executing itself
		case now.failed > before.failed:
			return 0, errors.New("the new configuration was not taken over, the former one serves on; an address that it binds may be in use")
		case now.newest() != 0 && now.newest() != before.newest():
			return healthy(ctx, s)
		case len(now.workers) > 0 && now.reloads > before.reloads && now.workers[0].reloads > 0:
			err = errors.New("the former worker serves on")
		}
		if m, e := s.master(); e == nil && m == 0 {
			return 0, errors.New("the master has ended")
		}
		if pause(ctx) != nil {
			return 0, errors.Join(err, ctx.Err())
		}
	}
}
