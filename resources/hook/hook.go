// Package hook runs a program of the administrator's when a resource that it is
// grouped with has come to a node, and another one before that leaves: kind
// quorate:hook.
//
// It is told once of each: an agent that is restarted adopts what is there without a
// word, and a node that is lost says nothing. What a program answers changes nothing;
// it is logged. So a hook never keeps a group from running, or from leaving in time.
package hook

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

var (
	_ resources.Agent    = (*Agent)(nil)
	_ resources.Reloader = (*Agent)(nil)
	_ resources.Halter   = (*Agent)(nil)
)

// metadata never changes. Nothing that serves is left running, so nothing lapses.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:hook",
	Serves:  []string{"hook"},
	Summary: "programs that are run when a group comes to a node and when it leaves",
	Description: "Put it last in a group: its start program runs once the others run there, its stop program " +
		"before they stop. The programs are killed when their time is over, and their failures are only logged.",
	Parameters: []*pb.Parameter{
		{Name: "start", Type: "string", Reloadable: true, Summary: "program with its whole path, and arguments, to run on start"},
		{Name: "stop", Type: "string", Reloadable: true, Summary: "the same on stop"},
		{Name: "timeout", Type: "time", Default: "10s", Reloadable: true, Summary: "how long each may take"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(90 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(90 * time.Second)},
		{Name: "reload", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{Reloadable: true},
}

// Config is what the agent is given.
type Config struct {
	RunDir string       // for records; empty: /run/quorate
	Log    *slog.Logger // nil: none
}

// An Agent runs the hooks of one node. It has no state but a file for each that runs,
// which outlives the agent's process and not the boot.
type Agent struct {
	log    *slog.Logger
	runDir string
}

// New returns an agent.
func New(c Config) *Agent {
	a := &Agent{log: c.Log, runDir: c.RunDir}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.runDir == "" {
		a.runDir = "/run/quorate"
	}
	return a
}

// Metadata implements [resources.Agent].
func (a *Agent) Metadata() *pb.AgentMetadata { return metadata }

// longest is what a program may take; operations are given longer.
const longest = time.Minute

// settings are the programs, as checks of the kind program: they run alike.
type settings struct{ start, stop *check.Check }

func parse(r *pb.Resource) (s settings, err error) {
	timeout, err := resources.Duration(resources.Parameter(metadata, r, "timeout"))
	if err != nil || timeout < 100*time.Millisecond || timeout > longest {
		return s, &resources.ParameterError{Parameter: "timeout", Problem: "is no time from 100ms to 1min"}
	}
	for name, into := range map[string]**check.Check{"start": &s.start, "stop": &s.stop} {
		command := resources.Parameter(metadata, r, name)
		if command == "" {
			continue
		}
		c := check.Check{Kind: "program", Command: command, Timeout: timeout}
		if err := c.Validate(); err != nil {
			return s, &resources.ParameterError{Parameter: name, Problem: err.Error()}
		}
		*into = &c
	}
	if s.start == nil && s.stop == nil {
		return s, &resources.ParameterError{Parameter: "start", Problem: "is missing, and so is stop", Fix: "give a program with its whole path"}
	}
	return s, nil
}

// Validate implements [resources.Agent].
func (a *Agent) Validate(_ context.Context, r *pb.Resource) ([]string, error) {
	_, err := parse(r)
	return nil, err
}

// Start implements [resources.Agent].
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	s, err := parse(r)
	if err != nil {
		return err
	}
	if runs, err := a.runs(r); runs || err != nil {
		return err
	}
	a.run(ctx, r, "start", s.start)
	if err := os.MkdirAll(filepath.Dir(a.place(r)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(a.place(r), nil, 0o600)
}

// Reload implements [resources.Reloader]. The programs are read when they are run.
func (a *Agent) Reload(_ context.Context, r *pb.Resource) error {
	_, err := parse(r)
	return err
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(ctx context.Context, r *pb.Resource) error {
	if runs, err := a.runs(r); !runs {
		return err
	}
	if s, err := parse(r); err == nil {
		a.run(ctx, r, "stop", s.stop)
	}
	return a.forget(r)
}

// Halt implements [resources.Halter]: a node whose lease has ended has no time for
// programs. They are not run.
func (a *Agent) Halt(_ context.Context, r *pb.Resource) error { return a.forget(r) }

// Monitor implements [resources.Agent].
func (a *Agent) Monitor(_ context.Context, r *pb.Resource) (resources.State, error) {
	switch runs, err := a.runs(r); {
	case err != nil:
		return resources.Unknown, err
	case runs:
		return resources.Running, nil
	}
	return resources.Stopped, nil
}

// run runs a program to its end, or kills it.
func (a *Agent) run(ctx context.Context, r *pb.Resource, operation string, program *check.Check) {
	if program == nil {
		return
	}
	said, took, err := check.Once(ctx, *program, netip.AddrPort{})
	if err != nil {
		a.log.Warn("hook failed, which changes nothing", "resource", r.GetId(), "operation", operation, "err", err)
		return
	}
	a.log.Info("hook ran", "resource", r.GetId(), "operation", operation, "took", took, "said", said)
}

func (a *Agent) place(r *pb.Resource) string {
	return filepath.Join(a.runDir, "hook", url.PathEscape(r.GetId()))
}

func (a *Agent) runs(r *pb.Resource) (bool, error) {
	_, err := os.Stat(a.place(r))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (a *Agent) forget(r *pb.Resource) error {
	if err := os.Remove(a.place(r)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
