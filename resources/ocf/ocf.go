// Package ocf runs the resource agents that are installed on a node: scripts of
// the OCF Resource Agent API 1.1, under the names ocf:PROVIDER:TYPE.
//
// A script is a program that is told what to do by its one argument and by its
// environment, and answers by its exit status. What it starts is its own affair:
// nothing here knows which processes serve. So what runs may outlive the node's
// lease by as long as its stop takes, which [Agent.Traits] says; nobody starts it
// elsewhere before that time has passed, too. When a stop at the end of a lease
// does not succeed, all processes that still bear the marks of the resource's scripts
// are killed.
//
// Every run of a script is a session of its own. One that exceeds its time is
// killed with all that it started, also in other sessions. Its output is read as
// fast as it comes; only the last of it is kept.
//
// Migration is not done here.
//
// Source: OCF Resource Agent API 1.1; Pacemaker Explained 3.0, "OCF Resource
// Agents" and "OCF Return Codes".
package ocf

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var (
	_ resources.Agent       = (*Agent)(nil)
	_ resources.Reloader    = (*Agent)(nil)
	_ resources.Halter      = (*Agent)(nil)
	_ resources.Promoter    = (*Agent)(nil)
	_ resources.Notifier    = (*Agent)(nil)
	_ resources.Surveyor    = (*Agent)(nil)
	_ resources.Judge       = (*Agent)(nil)
	_ resources.Installable = (*Agent)(nil)
	_ resources.Tracer      = (*Agent)(nil)
)

// An Agent runs one script for all its resources on this node. Its methods may
// be called at the same time: of one resource's scripts one runs at a time, and
// a stop interrupts the one under way, if that is no stop.
type Agent struct {
	family *Family
	name   string // ocf:PROVIDER:TYPE
	path   string
	scripts

	description description
}

// Metadata implements [resources.Agent]. It is what the script says, asked again
// when the script has changed. A script that is not installed takes whatever is given.
func (a *Agent) Metadata() *pb.AgentMetadata {
	meta, err := a.describe(context.Background())
	if err != nil {
		return &pb.AgentMetadata{Name: a.name, Summary: oneLine(err.Error()), Lenient: true, Traits: &pb.Traits{Lapse: durationpb.New(unknownStop)}}
	}
	return meta
}

// Missing implements [resources.Installable].
func (a *Agent) Missing() error { return executable(a.name, a.path) }

// unknownStop is how long a stop may take of which nobody says anything: the
// default of all operations.
const unknownStop = 20 * time.Second

// Traits implements [resources.Judge]: what runs outlives the lease for no longer
// than its stop may take.
func (a *Agent) Traits(r *pb.Resource) *pb.Traits {
	meta := a.Metadata()
	t := &pb.Traits{Lapse: durationpb.New(unknownStop), Reloadable: meta.GetTraits().GetReloadable(), ReloadableParameters: meta.GetTraits().GetReloadableParameters()}
	for _, list := range [][]*pb.OperationSpec{meta.GetOperations(), r.GetOperations()} {
		if o := operation(list, actionStop); o.GetTimeout().AsDuration() > 0 {
			t.Lapse = o.GetTimeout()
		}
	}
	return t
}

// Validate implements [resources.Agent]: it has the script look at the resource.
// Only what the script calls wrong on every node refuses it; of the rest it may
// think otherwise when the resource starts, and elsewhere.
func (a *Agent) Validate(ctx context.Context, r *pb.Resource) (notes []string, err error) {
	if err := a.Missing(); err != nil {
		return nil, err
	}
	meta, err := a.describe(ctx)
	if err != nil {
		return nil, &resources.ParameterError{Parameter: "agent", Problem: err.Error()}
	}
	if operation(meta.GetOperations(), actionValidate) == nil {
		return notes, nil
	}
	note, err := a.validate(ctx, r)
	if note != "" {
		notes = append(notes, note)
	}
	return notes, err
}

// validate runs validate-all.
func (a *Agent) validate(ctx context.Context, r *pb.Resource) (note string, err error) {
	ctx, cancel := context.WithTimeout(ctx, validateTime)
	defer cancel()
	e, err := a.run(ctx, actionValidate, r)
	switch {
	case err != nil:
		return "validate-all: " + err.Error(), nil
	case e.code == exitNotConfigured:
		return "", &resources.ParameterError{Parameter: actionValidate, Problem: a.name + " says: " + e.said()}
	case e.code != exitOK && e.code != exitUnimplemented:
		return "validate-all: " + e.said(), nil
	}
	return "", nil
}

// validateTime is within what the API gives another node for an answer.
const validateTime = 4 * time.Second

// Start implements [resources.Agent].
func (a *Agent) Start(ctx context.Context, r *pb.Resource) error {
	if missing := a.Missing(); missing != nil {
		return obstacle(missing)
	}
	return a.do(ctx, actionStart, r)
}

// Stop implements [resources.Agent].
func (a *Agent) Stop(ctx context.Context, r *pb.Resource) error {
	return a.do(ctx, actionStop, r)
}

// Reload implements [resources.Reloader], for parameters that the script calls
// reloadable.
func (a *Agent) Reload(ctx context.Context, r *pb.Resource) error {
	return a.do(ctx, actionReload, r)
}

// Promote implements [resources.Promoter].
func (a *Agent) Promote(ctx context.Context, r *pb.Resource) error {
	return a.do(ctx, actionPromote, r)
}

// Demote implements [resources.Promoter].
func (a *Agent) Demote(ctx context.Context, r *pb.Resource) error {
	return a.do(ctx, actionDemote, r)
}

// Notify implements [resources.Notifier]. A script that knows no notifications is
// not told.
func (a *Agent) Notify(ctx context.Context, r *pb.Resource) error {
	if meta, err := a.describe(ctx); err == nil && operation(meta.GetOperations(), actionNotify) == nil {
		return nil
	}
	return a.do(ctx, actionNotify, r)
}

// Halt implements [resources.Halter]. The script has three quarters of the time;
// then what it left behind is killed.
func (a *Agent) Halt(ctx context.Context, r *pb.Resource) error {
	polite := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		polite, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
		defer cancel()
	}
	err := a.Stop(polite, r)
	if err == nil {
		return nil
	}
	killed, killErr := kill(a.family.resourceMarks(r))
	if killErr != nil {
		return errors.Join(err, killErr)
	}
	return fmt.Errorf("%w; %d processes of it were killed", err, killed)
}

// Monitor implements [resources.Agent].
func (a *Agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	probe := resources.RecurringIn(ctx) == nil
	if missing := a.Missing(); missing != nil {
		if probe { // what is not installed does not run
			return resources.Stopped, nil
		}
		return resources.Unknown, missing
	}
	e, err := a.run(ctx, actionMonitor, r)
	if err != nil {
		return resources.Unknown, fmt.Errorf("monitor: %w", err)
	}
	return e.found(probe)
}

// do runs an action that changes something.
func (a *Agent) do(ctx context.Context, action string, r *pb.Resource) error {
	e, err := a.run(ctx, action, r)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if e.code == exitOK {
		return nil
	}
	return e.fault(action)
}

// Survey implements [resources.Surveyor]: a script that is not installed keeps
// its resources off the node.
func (a *Agent) Survey(*pb.Resource) *resources.Fault {
	if missing := a.Missing(); missing != nil {
		return obstacle(missing)
	}
	if _, err := a.describe(context.Background()); err != nil { // now, and not when it must start
		a.family.log.Warn("script does not describe itself", "agent", a.name, "err", err)
	}
	return nil
}

func obstacle(missing error) *resources.Fault {
	return &resources.Fault{Kind: "not-installed", Text: missing.Error(), Obstacle: true}
}

// lookAgain is how long a script that was installed or removed goes unnoticed.
const lookAgain = 5 * time.Second

// Follow implements [resources.Surveyor].
func (a *Agent) Follow(ctx context.Context, changed func()) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	missing := a.Missing() != nil
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if now := a.Missing() != nil; now != missing {
			missing = now
			changed()
		}
	}
}

func operation(list []*pb.OperationSpec, name string) *pb.OperationSpec {
	for _, o := range list {
		if o.GetName() == name {
			return o
		}
	}
	return nil
}

// Config is what a Family is given.
type Config struct {
	Root   string        // OCF_ROOT; empty: /usr/lib/ocf
	RunDir string        // where the commands that scripts call are put; empty: none
	Socket string        // of the agent, which the commands ask
	Node   func() string // name of this node, as the cluster knows it
	NodeID string
	Log    *slog.Logger // nil: none
}
