// Package controller is the leader's loop: it reads the state, asks the
// scheduler what to do next, commits that as intents, sends the orders, and
// commits their results. So it has nodes fenced, and the devices for that tested.
//
// It keeps nothing that the state does not hold: a new leader finishes what
// the last one began. Every committed result makes a new plan, and each
// operation is sent on its own, so that a slow one delays only what waits for
// it. Only one term runs at a time, and only on the leader.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/consensus"
	"quorate/cluster/scheduler"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A State is the replicated state as this node has applied it.
type State interface {
	Get() state.Snapshot
	// Changed is closed at the next change; take it before Get.
	Changed() <-chan struct{}
}

// A Log commits commands while this node leads.
type Log interface {
	Propose(ctx context.Context, c *pb.Command) (*state.Applied, error)
}

// Peers sends orders to the members, this node included.
type Peers interface {
	Execute(ctx context.Context, node string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error)
	Operate(ctx context.Context, node string, r *pb.OperateRequest) (*pb.OperateResponse, error)
}

// Config is what a Controller is made of.
type Config struct {
	Self    string // id of this node
	State   State
	Log     Log
	Peers   Peers
	Servers Servers
	Alerts  Alerter // nil: no alerts are told
	Logger  *slog.Logger
}

// Controller plans and dispatches while this node leads.
type Controller struct {
	state    State
	log      Log
	peers    Peers
	servers  Servers
	self     string
	alerts   Alerter
	logger   *slog.Logger
	timeline *timeline
}

// New makes a controller.
func New(c Config) *Controller {
	return &Controller{
		state: c.State, log: c.Log, peers: c.Peers, servers: c.Servers, self: c.Self, alerts: c.Alerts, logger: c.Logger,
		timeline: newTimeline(),
	}
}

// retry is how long to wait before something that failed, and that no event
// will bring back, is tried again.
const retry = 100 * time.Millisecond

// Lead runs one term of leadership, until ctx ends with it or another node
// leads, with the error that says so. The state must hold all that was
// committed before.
func (c *Controller) Lead(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	t := &term{Controller: c, group: g, sent: make(map[uint64]context.CancelFunc), orphans: make(map[uint64]time.Time), fencing: make(map[uint64]bool), refusals: refusals{at: make(map[asked]time.Time)}}
	c.timeline.elected(time.Now())
	g.Go(func() error { return t.plan(ctx) })
	g.Go(func() error { return c.keepVoters(ctx) })
	g.Go(func() error { return t.testDevices(ctx) })
	g.Go(func() error { return t.tellAlerts(ctx) })
	return g.Wait()
}

// Deposed reports whether an error only says that this node does not lead, or
// is handing leadership over.
func Deposed(err error) bool {
	var other *consensus.NotLeaderError
	return errors.As(err, &other) || errors.Is(err, consensus.ErrUnknown) || errors.Is(err, context.Canceled)
}

// A term is what is known only while this node leads. Its fields but for refusals
// belong to the goroutine of plan.
type term struct {
	*Controller
	group    *errgroup.Group
	sent     map[uint64]context.CancelFunc // by operation id: its order is under way
	orphans  map[uint64]time.Time          // by assignment number: when this leader first saw it orphaned
	fencing  map[uint64]bool               // by fencing id: it is being carried out
	refusals refusals
}

// plan schedules after every change of the state.
func (t *term) plan(ctx context.Context) error {
	for {
		changed := t.state.Changed()
		st := t.state.Get().State
		t.tell(ctx, st)
		t.send(ctx, st)
		t.fence(ctx, st)
		now := time.Now()
		plan := scheduler.Schedule(st, now)
		wait := earliest(plan.Next, now.Add(time.Hour))
		if err := t.dispatch(ctx, st, plan.Ready()); err != nil {
			if Deposed(err) {
				return err
			}
			t.logger.Info("plan refused, planning anew", "err", err)
			wait = now.Add(retry)
		}
		due, err := t.freeOrphans(ctx, st)
		if err != nil {
			return err
		}
		if err := sleep(ctx, changed, earliest(due, wait)); err != nil {
			return err
		}
	}
}

// sleep waits for a change or a time.
func sleep(ctx context.Context, changed <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// earliest returns the earlier of two times; a zero time is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// dispatch commits the steps as intents. They are sent once they are seen in
// the state, as those of an earlier leader are.
func (t *term) dispatch(ctx context.Context, st *pb.State, steps []scheduler.Step) error {
	if len(steps) == 0 {
		return nil
	}
	d := &pb.Dispatch{}
	for _, s := range steps {
		node := state.NodeByID(st, s.Node)
		if node == nil {
			return fmt.Errorf("plan names node %s, which is not a member", s.Node)
		}
		d.Operations = append(d.Operations, &pb.Operation{
			Kind: s.Kind, Resource: s.Resource, Node: s.Node, Epoch: node.Epoch,
			Timeout: durationpb.New(s.Timeout), Reason: s.Reason,
		})
	}
	_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_Dispatch{Dispatch: d}})
	if err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	return nil
}

// freeOrphans frees what a gone node's processes can no longer serve: lapse,
// and a tenth for the clocks, has passed since this leader knew of it (lease
// protocol, rule 15). It returns when the next one is due.
func (t *term) freeOrphans(ctx context.Context, st *pb.State) (due time.Time, err error) {
	seen := make(map[uint64]time.Time)
	for _, a := range st.Assignments {
		if !a.Orphaned || a.Unfenced {
			continue
		}
		since, known := t.orphans[a.Number]
		if !known {
			since = time.Now()
		}
		seen[a.Number] = since
		at := since.Add(orphanWait(st, a))
		if time.Now().Before(at) {
			due = earliest(due, at)
			continue
		}
		_, err := t.log.Propose(ctx, &pb.Command{Body: &pb.Command_Free{Free: &pb.Free{
			Resource: a.Resource, Number: a.Number, Reason: "its node is gone and the time it may outlive its lease has passed",
		}}})
		var refused *state.Refusal
		if err != nil && !errors.As(err, &refused) {
			return due, fmt.Errorf("free %s: %w", a.Resource, err)
		}
	}
	t.orphans = seen
	return due, nil
}

// orphanWait is how long what runs may outlive its node. With fencing=none the
// operator chose not to wait.
func orphanWait(st *pb.State, a *pb.Assignment) time.Duration {
	r := state.ResourceByID(st, a.Resource)
	if r == nil || state.FencingOf(st, a.Resource) == state.FencingNone {
		return 0
	}
	return state.Lapse(st, a.Resource) * 11 / 10
}
