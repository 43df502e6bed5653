package executor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// reportRetry is how long to wait before a report that could not be committed
// is tried again.
const reportRetry = 100 * time.Millisecond

// watch monitors what is served until u.unwatch is called: on every word of
// the agent's own watch, and at the intervals of its monitor operations. e.mu is
// held.
func (e *Executor) watch(u *unit, r *pb.Resource, agent resources.Agent, rt right) {
	ctx, cancel := context.WithCancel(resources.WithTold(e.ctx, u.told))
	promoted := u.raised
	changed := make(chan string, 1)
	var w sync.WaitGroup
	if watcher, ok := agent.(resources.Watcher); ok {
		w.Go(func() { e.listen(ctx, watcher, r, changed) })
	}
	w.Go(func() {
		var words <-chan string = changed // for the first of the monitors
		for _, spec := range monitorsOf(r, agent.Metadata(), promoted) {
			heard := words
			m := &monitored{u: u, r: r, agent: agent, rt: rt, spec: spec}
			w.Go(func() { e.monitor(ctx, m, heard) })
			words = nil
		}
	})
	if u.lowered {
		w.Go(func() { e.tellLowered(ctx, u, r, rt) })
	}
	e.running.Go(w.Wait)
	u.unwatch = func() {
		cancel()
		w.Wait()
	}
}

// listen passes the agent's words on. A watch that fails leaves the recurring
// monitors, so it is only logged.
func (e *Executor) listen(ctx context.Context, watcher resources.Watcher, r *pb.Resource, changed chan string) {
	err := watcher.Watch(ctx, r, func(why string) {
		select {
		case changed <- why:
		default: // a monitor is due already
		}
	})
	if err != nil && ctx.Err() == nil {
		e.logger.Warn("watch ended, faults are seen by monitors only", "resource", r.Id, "err", err)
	}
}

// A monitored resource is one that a recurring monitor looks at.
type monitored struct {
	u       *unit
	r       *pb.Resource
	agent   resources.Agent
	rt      right
	spec    *pb.OperationSpec
	ignored bool // a failure that is ignored was told, and not made good since
}

func (e *Executor) monitor(ctx context.Context, m *monitored, changed <-chan string) {
	if !delayed(ctx, m.spec.GetOptions()["start-delay"]) {
		return
	}
	tick := ticks(m.spec.Interval.AsDuration())
	defer tick.Stop()
	for {
		why := ""
		select {
		case <-ctx.Done():
			return
		case why = <-changed:
		case <-tick.C:
		}
		e.check(ctx, m, why)
	}
}

// delayed waits until a monitor may begin, or ctx ends.
func delayed(ctx context.Context, delay string) bool {
	d, err := state.ParseDuration(delay)
	if err != nil || d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ticks returns a ticker, which never ticks when there is no interval.
func ticks(interval time.Duration) *time.Ticker {
	if interval > 0 {
		return time.NewTicker(interval)
	}
	t := time.NewTicker(time.Hour)
	t.Stop()
	return t
}

// check runs one monitor and tells the leader when it failed.
func (e *Executor) check(ctx context.Context, m *monitored, why string) {
	op := &pb.Operation{Kind: pb.OperationKind_OPERATION_KIND_MONITOR, Resource: m.r.Id, Timeout: m.spec.Timeout}
	res := &pb.Result{
		Kind: op.Kind, Resource: m.r.Id, Node: e.node, Epoch: m.rt.epoch, Assignment: m.rt.assignment, Revision: m.r.Revision,
		Interval: durationpb.New(m.spec.GetInterval().AsDuration()),
	}
	e.perform(ctx, m.u, op, m.agent, res, func(ctx context.Context) (pb.Outcome, error) {
		s, err := m.agent.Monitor(resources.Recurring(ctx, m.spec), m.r)
		return e.inRole(m.u, s, err, res)
	})
	if ctx.Err() != nil {
		return
	}
	if res.Outcome == pb.Outcome_OUTCOME_DONE {
		m.ignored = false
		return
	}
	if why != "" && res.Cause == "" { // a fault speaks for itself
		res.Error = why
	} else if res.Error == "" {
		res.Error = "monitor: it is not running"
	}
	if m.spec.GetOptions()["on-fail"] == "ignore" && res.Outcome != pb.Outcome_OUTCOME_OTHER_ROLE {
		e.tellIgnored(ctx, m, res)
		return
	}
	told := e.report(ctx, m.u, m.rt, res)
	if res.Outcome == pb.Outcome_OUTCOME_OTHER_ROLE {
		e.acceptRole(m.u, m.rt, res.Promoted, told)
	}
}

// tellIgnored tells once of a failure that leads to nothing (on-fail=ignore).
func (e *Executor) tellIgnored(ctx context.Context, m *monitored, res *pb.Result) {
	if m.ignored {
		return
	}
	event := &pb.Event{
		Kind: "failure-ignored", Severity: pb.Severity_SEVERITY_WARNING, Resource: m.r.Id,
		Text: fmt.Sprintf("a monitor of %s failed, which is ignored (on-fail=ignore): %s", m.r.Id, res.Error),
	}
	err := e.log.Propose(ctx, &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: []*pb.Event{event}}}})
	m.ignored = err == nil // else it is told at the next monitor
}

// report commits a failure that nobody asked for, once until the leader
// answers it with an order. It ends with the right: then the report is stale.
// One that a halt cuts short was not given: what cannot resume is reported anew. It
// returns whether the report was committed for certain.
func (e *Executor) report(ctx context.Context, u *unit, rt right, res *pb.Result) bool {
	if !e.first(u, rt) {
		return false
	}
	e.logger.Warn("resource failed", "resource", res.Resource, "err", res.Error)
	cmd := &pb.Command{Body: &pb.Command_RecordResult{RecordResult: &pb.RecordResult{Result: res}}}
	for ctx.Err() == nil {
		err := e.log.Propose(ctx, cmd)
		if err == nil || !e.holds(u, rt) {
			return err == nil
		}
		e.logger.Info("failure not reported yet", "resource", res.Resource, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(reportRetry):
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.right == rt {
		u.reported = false
	}
	return false
}

// first reports whether the failure is news, and notes that it is none from now on.
func (e *Executor) first(u *unit, rt right) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.right != rt || u.reported {
		return false
	}
	u.reported = true
	return true
}

func (e *Executor) holds(u *unit, rt right) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.right == rt
}

// monitorsOf returns the resource's recurring monitors, else the default of its
// kind; at least one, which may have no interval. Those of another role are not for
// what is served here.
func monitorsOf(r *pb.Resource, meta *pb.AgentMetadata, promoted bool) []*pb.OperationSpec {
	for _, list := range [][]*pb.OperationSpec{r.Operations, meta.GetOperations()} {
		var found []*pb.OperationSpec
		for _, s := range list {
			if s.Name == "monitor" && s.Options["enabled"] != "false" && ofRole(s.Options["role"], promoted) {
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return []*pb.OperationSpec{{Name: "monitor"}}
}

// ofRole reports whether a monitor of a role is for what runs. One without a role is
// for both; one of Started is for what is not promoted.
func ofRole(role string, promoted bool) bool {
	switch strings.ToLower(role) {
	case "":
		return true
	case "master", "promoted":
		return promoted
	case "stopped":
		return false
	}
	return !promoted
}

func duration(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
