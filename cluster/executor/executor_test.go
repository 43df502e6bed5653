package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

const (
	start  = pb.OperationKind_OPERATION_KIND_START
	stop   = pb.OperationKind_OPERATION_KIND_STOP
	probe  = pb.OperationKind_OPERATION_KIND_PROBE
	reload = pb.OperationKind_OPERATION_KIND_RELOAD

	done    = pb.Outcome_OUTCOME_DONE
	refused = pb.Outcome_OUTCOME_REFUSED
)

// A machine is a simulated host: what runs on it, and a lease to grant and take.
type machine struct {
	t    *testing.T
	exec *Executor

	mu      sync.Mutex
	epoch   uint64
	held    bool
	running map[string]string // resource id: the parameter "value" it runs with
	history []string
	delay   map[string]time.Duration // of start, by resource id
	lasts   time.Duration            // how long a stop takes
	stays   error                    // why nothing can be stopped; nil: it can
	stuck   map[string]bool          // start ignores its context
	fail    map[string]error         // of start
	poke    map[string]func(string)
	reports []*pb.Result
	events  int
	taken   error // what is in the way of every start
	mute    bool  // no report reaches the leader
	meta    *pb.AgentMetadata
	looks   map[time.Duration]int // monitors, by interval; 0: probes
	told    map[string]string     // beside the resource, at the newest monitor
}

// onMachine runs f in a bubble on a machine that holds a lease of epoch 1.
func onMachine(t *testing.T, f func(m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{
			t: t, epoch: 1, held: true, running: map[string]string{}, delay: map[string]time.Duration{},
			stuck: map[string]bool{}, fail: map[string]error{}, poke: map[string]func(string){},
			meta: &pb.AgentMetadata{}, looks: map[time.Duration]int{},
		}
		m.exec = New(Config{
			Node: "n1", Nonce: 7, Lease: m, Log: m, Agents: m, Clear: m.clear, Logger: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		defer run.Wait() // also of a test that fails
		defer cancel()
		run.Go(func() { _ = m.exec.Run(ctx) })
		synctest.Wait()
		f(m)
	})
}

func (m *machine) Held() (uint64, time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, 0, m.held
}

func (m *machine) hold(held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = held
}

func (m *machine) Propose(_ context.Context, c *pb.Command) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mute {
		return errors.New("no leader")
	}
	if events := c.GetRecord().GetEvents(); len(events) > 0 {
		m.events += len(events)
		return nil
	}
	m.reports = append(m.reports, c.GetRecordResult().GetResult())
	return nil
}

func (m *machine) clear(ctx context.Context, _ *pb.Resource) (context.Context, context.CancelFunc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, done := context.WithCancel(ctx)
	return ctx, done, m.taken
}

func (m *machine) Find(string) (resources.Agent, error) { return agent{m}, nil }

func (m *machine) note(event string) {
	m.history = append(m.history, event)
}

func (m *machine) took() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.history
	m.history = nil
	return h
}

func (m *machine) runs(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.running[id]
	return ok
}

// agent acts on the machine.
type agent struct{ *machine }

func (a agent) Metadata() *pb.AgentMetadata { return a.meta }

func (a agent) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }

func (a agent) Start(ctx context.Context, r *pb.Resource) error {
	a.mu.Lock()
	delay, stuck := a.delay[r.Id], a.stuck[r.Id]
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		if !stuck {
			return ctx.Err()
		}
		time.Sleep(delay)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.fail[r.Id]; err != nil {
		return err
	}
	a.running[r.Id] = r.Parameters["value"]
	a.note("start " + r.Id)
	return nil
}

func (a agent) Stop(_ context.Context, r *pb.Resource) error {
	time.Sleep(a.lasts)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stays != nil {
		return a.stays
	}
	delete(a.running, r.Id)
	a.note("stop " + r.Id + r.Parameters["value"])
	return nil
}

func (a agent) Halt(_ context.Context, r *pb.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.running, r.Id)
	a.note("halt " + r.Id)
	return nil
}

func (a agent) Monitor(ctx context.Context, r *pb.Resource) (resources.State, error) {
	a.mu.Lock()
	a.looks[resources.RecurringIn(ctx).GetInterval().AsDuration()]++
	a.told = resources.Told(ctx)
	a.mu.Unlock()
	if a.value(r.Id) == "promoted" {
		return resources.Promoted, nil
	}
	if a.runs(r.Id) {
		return resources.Running, nil
	}
	return resources.Stopped, nil
}

func (a agent) Reload(_ context.Context, r *pb.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[r.Id] = r.Parameters["value"]
	return nil
}

func (a agent) Watch(ctx context.Context, r *pb.Resource, changed func(string)) error {
	a.mu.Lock()
	a.poke[r.Id] = changed
	a.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

var lastID uint64

// request makes an order with a fresh operation id for epoch 1 of this start.
func request(kind pb.OperationKind, id string, assignment uint64) *pb.ExecuteRequest {
	lastID++
	return &pb.ExecuteRequest{
		Nonce:     7,
		Resource:  &pb.Resource{Id: id, Parameters: map[string]string{"value": ""}},
		Operation: &pb.Operation{Id: lastID, Kind: kind, Resource: id, Epoch: 1, Assignment: assignment, Timeout: durationpb.New(10 * time.Second)},
	}
}

func (m *machine) do(r *pb.ExecuteRequest) *pb.Result {
	m.t.Helper()
	answer, err := m.exec.Execute(m.t.Context(), r)
	if err != nil {
		m.t.Fatalf("Execute(%v): %v", r.Operation, err)
	}
	return answer.Result
}

func (m *machine) want(res *pb.Result, outcome pb.Outcome) {
	m.t.Helper()
	if res.Outcome != outcome {
		m.t.Errorf("%s %s: got %s (%s), want %s", res.Kind, res.Resource, res.Outcome, res.Error, outcome)
	}
}

func TestRule21StaleOrdersAreRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(m *machine, r *pb.ExecuteRequest)
	}{
		{"of another epoch", func(_ *machine, r *pb.ExecuteRequest) { r.Operation.Epoch = 2 }},
		{"with an assignment already applied", func(_ *machine, r *pb.ExecuteRequest) { r.Operation.Assignment = 5 }},
		{"with an assignment already revoked", func(m *machine, r *pb.ExecuteRequest) {
			m.do(request(stop, "vip", 5))
			r.Operation.Assignment = 5
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				m.want(m.do(request(start, "vip", 5)), done)
				again := request(start, "vip", 6)
				tt.change(m, again)
				m.took()
				m.want(m.do(again), refused)
				if h := m.took(); len(h) > 0 {
					t.Errorf("a refused order did %q", h)
				}
			})
		})
	}
}

// S1: what an earlier start of the agent served may go on by its longer lease.
func TestRule25AnOrderToAnotherStartOfTheAgentGetsNoAnswer(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Nonce = 6
		if answer, err := m.exec.Execute(t.Context(), r); err == nil {
			t.Errorf("it was answered: %v", answer)
		}
		if h := m.took(); len(h) > 0 {
			t.Errorf("it did %q", h)
		}
	})
}

func TestAStartWaitsForTheFirstLeaseOfItsEpoch(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.hold(false)
		var starting sync.WaitGroup
		starting.Go(func() { m.want(m.do(request(start, "vip", 1)), done) })
		time.Sleep(time.Second)
		if m.runs("vip") {
			t.Error("started without a lease")
		}
		m.hold(true)
		m.exec.Regained()
		starting.Wait()
	})
}

func TestAStartWithoutALeaseIsRefusedNotFailed(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.hold(false)
		m.want(m.do(request(start, "vip", 1)), refused)
		if m.runs("vip") {
			t.Error("started without a lease")
		}
	})
}

// What another host has is not started, and that is no failure of the resource.
func TestAStartIsRefusedWhileSomethingIsInTheWay(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.taken = errors.New("another host answers for it")
		res := m.do(request(start, "vip", 1))
		m.want(res, refused)
		if res.Error != "another host answers for it" || len(m.took()) > 0 {
			t.Errorf("error %q, done %v; want the reason, and nothing done", res.Error, m.took())
		}
		m.mu.Lock()
		m.taken = nil
		m.mu.Unlock()
		m.want(m.do(request(start, "vip", 2)), done)
	})
}

func TestAFaultNamesItsKind(t *testing.T) {
	tests := []struct {
		name string
		fail error
		want *pb.Result
	}{
		{"an obstacle", fmt.Errorf("start 192.0.2.10: %w", &resources.Fault{Kind: "carrier-lost", Text: "interface eth0\nhas no carrier", Obstacle: true}),
			&pb.Result{Error: "interface eth0 has no carrier", Cause: "carrier-lost", Obstacle: true}},
		{"a failure", &resources.Fault{Kind: "address-removed", Text: "it was removed"}, &pb.Result{Error: "it was removed", Cause: "address-removed"}},
		{"another error", errors.New("no such file"), &pb.Result{Error: "no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				m.fail["vip"] = tt.fail
				got := m.do(request(start, "vip", 1))
				if got.Error != tt.want.Error || got.Cause != tt.want.Cause || got.Obstacle != tt.want.Obstacle {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestAStaleStopDoesNotSilenceANewerRight(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 5)), done)
		m.want(m.do(request(stop, "vip", 4)), refused)
		if !m.runs("vip") {
			t.Error("a stop for assignment 4 stopped what assignment 5 started")
		}
	})
}

// The leader gives the resource to another as soon as it has the answer.
func TestRule22AStopIsDoneOnceNothingIsServedAnyMore(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.lasts = time.Second
		m.want(m.do(request(start, "vip", 1)), done)
		m.want(m.do(request(stop, "vip", 1)), done)
		if m.runs("vip") {
			t.Error("the stop is done, and the resource is served still")
		}
	})
}

func TestAnOrderAskedTwiceRunsOnce(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["vip"] = time.Second
		r := request(start, "vip", 1)
		var twice sync.WaitGroup
		twice.Go(func() { m.want(m.do(r), done) })
		twice.Go(func() { m.want(m.do(r), done) })
		twice.Wait()
		m.want(m.do(r), done)
		if h := m.took(); !slices.Equal(h, []string{"start vip"}) {
			t.Errorf("got %q, want one start", h)
		}
	})
}

// After a split the log of the other side gives numbers out that were given
// before.
func TestAnotherOrderOfTheSameNumberIsAnother(t *testing.T) {
	onMachine(t, func(m *machine) {
		first := request(probe, "vip", 0)
		m.want(m.do(first), pb.Outcome_OUTCOME_NOT_RUNNING)
		second := request(start, "vip", 1)
		second.Operation.Id = first.Operation.Id
		m.want(m.do(second), done)
		if !m.runs("vip") {
			t.Error("the result of the first was repeated, and nothing started")
		}
	})
}

func TestASlowOperationDelaysOnlyItsOwnResource(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["slow"] = 9 * time.Second
		var slow sync.WaitGroup
		slow.Go(func() { m.want(m.do(request(start, "slow", 1)), done) })
		synctest.Wait()
		began := time.Now()
		m.want(m.do(request(start, "quick", 2)), done)
		if took := time.Since(began); took > 0 {
			t.Errorf("an unrelated start waited %v", took)
		}
		slow.Wait()
	})
}

func TestAnOperationEndsAtItsTimeout(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["vip"] = time.Minute
		m.want(m.do(request(start, "vip", 1)), pb.Outcome_OUTCOME_TIMED_OUT)
	})
}

func TestAnOrderWithoutATimeoutHasThatOfTheAgent(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.meta = &pb.AgentMetadata{Operations: []*pb.OperationSpec{{Name: "start", Timeout: durationpb.New(time.Minute)}}}
		m.delay["vip"] = 2 * time.Minute
		r := request(start, "vip", 1)
		r.Operation.Timeout = nil
		began := time.Now()
		m.want(m.do(r), pb.Outcome_OUTCOME_TIMED_OUT)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it ended after %v, want a minute", took)
		}
	})
}

func TestAHaltHasAsLongAsTheResourceMayOutliveTheLeaseS4(t *testing.T) {
	for _, tt := range []struct{ lapse, want time.Duration }{{0, haltTimeout}, {time.Second, time.Second}, {time.Minute, time.Minute}} {
		r := &pb.Resource{Traits: &pb.Traits{Lapse: durationpb.New(tt.lapse)}}
		if got := haltTime(r); got != tt.want {
			t.Errorf("with a lapse of %v: %v, want %v", tt.lapse, got, tt.want)
		}
	}
}

func TestAStopInterruptsAStart(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["vip"] = 9 * time.Second
		var starting sync.WaitGroup
		starting.Go(func() { m.want(m.do(request(start, "vip", 1)), refused) })
		synctest.Wait()
		began := time.Now()
		m.want(m.do(request(stop, "vip", 1)), done)
		if took := time.Since(began); took > 0 {
			t.Errorf("the stop waited %v for the start", took)
		}
		starting.Wait()
		if m.runs("vip") {
			t.Error("the resource runs after its stop")
		}
	})
}

func TestS3ALapseHaltsEverythingAtOnce(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 1)), done)
		m.want(m.do(request(start, "web", 2)), done)
		began := time.Now()
		m.hold(false)
		m.exec.Lapsed()
		if m.runs("vip") || m.runs("web") || time.Since(began) > 0 {
			t.Errorf("after the lapse: vip %v, web %v, after %v", m.runs("vip"), m.runs("web"), time.Since(began))
		}
	})
}

// The agent may be stuck in the kernel when the lease ends; what it starts
// after that must not stay.
func TestS3AStartThatOutlivesTheLeaseIsHalted(t *testing.T) {
	for _, regained := range []bool{false, true} {
		onMachine(t, func(m *machine) {
			m.delay["vip"], m.stuck["vip"] = 2*time.Second, true
			var starting sync.WaitGroup
			starting.Go(func() { m.want(m.do(request(start, "vip", 1)), refused) })
			synctest.Wait()
			m.hold(false)
			m.exec.Lapsed()
			m.hold(regained)
			if regained {
				m.exec.Regained()
			}
			starting.Wait()
			synctest.Wait()
			if m.runs("vip") {
				t.Errorf("regained %v: the resource runs although its start was refused", regained)
			}
		})
	}
}

func TestRule10WhatWasNotRevokedResumesInItsOrder(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "web", 1)), done)
		m.want(m.do(request(start, "vip", 2)), done)
		m.want(m.do(request(start, "old", 3)), done)
		m.hold(false)
		m.exec.Lapsed()
		m.want(m.do(request(stop, "old", 3)), done)
		m.took()
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		if h := m.took(); !slices.Equal(h, []string{"start web", "start vip"}) {
			t.Errorf("resumed %q, want web, then vip", h)
		}
	})
}

// The agent's context is how a guard knows that the lease it finds is not that of
// the start which it is asked for.
func TestRule23TheEndOfALeaseInterruptsWhatResumes(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 1)), done)
		m.hold(false)
		m.exec.Lapsed()
		m.took()
		m.delay["vip"] = time.Minute
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		began := time.Now()
		m.hold(false)
		m.exec.Drop("gone")
		m.want(m.do(request(stop, "vip", 1)), done)
		if took := time.Since(began); took > 0 {
			t.Errorf("the start that resumed went on for %v", took)
		}
		if h := m.took(); slices.Contains(h, "start vip") {
			t.Errorf("it did %q", h)
		}
	})
}

func TestWhatCannotResumeIsReported(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 1)), done)
		m.hold(false)
		m.exec.Lapsed()
		m.fail["vip"] = resources.ErrNoLease // its own guard came too late, the lease goes on
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		if len(m.reports) != 1 || m.reports[0].Outcome != pb.Outcome_OUTCOME_FAILED {
			t.Errorf("reports %v, want one failure", m.reports)
		}
	})
}

// It resumes with the next lease.
func TestWhatALapseKeptFromResumingIsNotReported(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 1)), done)
		m.delay["vip"] = time.Second
		for range 2 {
			m.hold(false)
			m.exec.Lapsed()
			m.hold(true)
			m.exec.Regained()
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !m.runs("vip") || len(m.reports) > 0 {
			t.Errorf("runs %v, reports %v; want that it resumed without a word", m.runs("vip"), m.reports)
		}
	})
}

func TestRule6NothingResumesAfterItsRightsWereDropped(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(start, "vip", 1)), done)
		m.hold(false)
		m.exec.Drop("gone")
		m.mu.Lock()
		m.held, m.epoch = true, 2
		m.mu.Unlock()
		m.exec.Regained()
		synctest.Wait()
		if m.runs("vip") {
			t.Error("the resource runs under a right of an earlier epoch")
		}
	})
}

func TestAFailureIsReportedOnceUntilItIsAnswered(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Operations = []*pb.OperationSpec{{Name: "monitor", Interval: durationpb.New(10 * time.Second)}}
		m.want(m.do(r), done)
		synctest.Wait()
		m.mu.Lock()
		delete(m.running, "vip")
		changed := m.poke["vip"]
		m.mu.Unlock()
		changed("it was removed by another hand")
		time.Sleep(time.Minute) // six monitors
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.reports) != 1 {
			t.Fatalf("got %d reports, want 1: %v", len(m.reports), m.reports)
		}
		got := m.reports[0]
		if got.Outcome != pb.Outcome_OUTCOME_NOT_RUNNING || got.Assignment != 1 || got.Error != "it was removed by another hand" {
			t.Errorf("reported %v", got)
		}
	})
}

// A lapse ends the monitors, and with them the report that reached no leader.
func TestAFailureAfterAReportThatALapseCutShortIsReported(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Operations = []*pb.OperationSpec{{Name: "monitor", Interval: durationpb.New(10 * time.Second)}}
		m.want(m.do(r), done)
		die := func(mute bool) {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.running, "vip")
			m.mute = mute
		}
		die(true)
		time.Sleep(11 * time.Second)
		m.hold(false)
		m.exec.Lapsed()
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		die(false)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.reports) != 1 {
			t.Errorf("got %d reports, want 1: %v", len(m.reports), m.reports)
		}
	})
}

// S7: nothing but this report brings the resource back.
func TestWhatCannotResumeIsReportedThoughALapseCutAReportShort(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Operations = []*pb.OperationSpec{{Name: "monitor", Interval: durationpb.New(10 * time.Second)}}
		m.want(m.do(r), done)
		m.mu.Lock()
		delete(m.running, "vip")
		m.mute, m.fail["vip"] = true, errors.New("no such interface")
		m.mu.Unlock()
		time.Sleep(11 * time.Second)
		m.hold(false)
		m.exec.Lapsed()
		m.mu.Lock()
		m.mute = false
		m.mu.Unlock()
		m.hold(true)
		m.exec.Regained()
		time.Sleep(time.Second)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.reports) != 1 {
			t.Errorf("got %d reports, want 1: %v", len(m.reports), m.reports)
		}
	})
}

func TestARecurringMonitorFindsWhatTheWatchMissed(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Operations = []*pb.OperationSpec{{Name: "monitor", Interval: durationpb.New(10 * time.Second)}}
		m.want(m.do(r), done)
		m.mu.Lock()
		delete(m.running, "vip")
		m.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.reports) != 1 {
			t.Errorf("got %d reports after one interval, want 1", len(m.reports))
		}
	})
}

func TestEachMonitorHasAnIntervalOfItsOwn(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Operations = []*pb.OperationSpec{
			{Name: "monitor", Interval: durationpb.New(10 * time.Second)},
			{Name: "monitor", Interval: durationpb.New(time.Minute), Options: map[string]string{"OCF_CHECK_LEVEL": "10"}},
			{Name: "monitor", Interval: durationpb.New(9 * time.Second), Options: map[string]string{"role": "Promoted"}},
		}
		m.want(m.do(r), done)
		synctest.Wait()
		m.poke["vip"]("something changed")
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.looks[10*time.Second] != 13 || m.looks[time.Minute] != 2 || len(m.looks) != 2 {
			t.Errorf("monitors by interval: %v", m.looks)
		}
	})
}

func TestABanIsPartOfTheResult(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.fail["vip"] = fmt.Errorf("start: %w", &resources.Fault{Text: "no program", Ban: pb.Ban_BAN_NODE})
		if res := m.do(request(start, "vip", 1)); res.Ban != pb.Ban_BAN_NODE || res.Error != "no program" {
			t.Errorf("result: %v", res)
		}
	})
}

func TestAStopFindsWhatWasStartedNotWhatIsConfiguredNow(t *testing.T) {
	onMachine(t, func(m *machine) {
		r := request(start, "vip", 1)
		r.Resource.Parameters["value"] = "=old"
		m.want(m.do(r), done)
		m.took()
		s := request(stop, "vip", 1)
		s.Resource.Parameters["value"] = "=new"
		m.want(m.do(s), done)
		if h := m.took(); !slices.Equal(h, []string{"stop vip=old"}) {
			t.Errorf("got %q, want the stop of the old parameters", h)
		}
	})
}

func TestProbeAndReload(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(request(probe, "vip", 0)), pb.Outcome_OUTCOME_NOT_RUNNING)
		m.want(m.do(request(reload, "vip", 0)), refused)
		m.want(m.do(request(start, "vip", 1)), done)
		m.want(m.do(request(probe, "vip", 0)), done)
		r := request(reload, "vip", 1)
		r.Resource.Parameters["value"] = "new"
		m.want(m.do(r), done)
		if m.running["vip"] != "new" {
			t.Errorf("runs with %q after the reload", m.running["vip"])
		}
	})
}

func TestNoOrdersBeforeRunOrAfter(t *testing.T) {
	m := &machine{t: t}
	e := New(Config{Node: "n1", Nonce: 7, Lease: m, Log: m, Agents: m, Logger: slog.New(slog.DiscardHandler)})
	if _, err := e.Execute(t.Context(), request(start, "vip", 1)); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Execute before Run: got %v", err)
	}
}
