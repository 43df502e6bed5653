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

var lastID uint64

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
