package executor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

const (
	promote = pb.OperationKind_OPERATION_KIND_PROMOTE
	demote  = pb.OperationKind_OPERATION_KIND_DEMOTE
)

// Promote, Demote and the role that a Monitor finds: what runs with the value
// "promoted" is promoted.
func (a agent) Promote(ctx context.Context, r *pb.Resource) error {
	a.mu.Lock()
	delay := a.delay["promote "+r.Id]
	a.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	return a.turn(r, "promote", "promoted")
}

func (a agent) Demote(_ context.Context, r *pb.Resource) error {
	time.Sleep(a.lasts)
	return a.turn(r, "demote", "")
}

func (a agent) turn(r *pb.Resource, how, to string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.note(how + " " + r.Id)
	if _, runs := a.running[r.Id]; !runs {
		return errors.New("it does not run")
	}
	a.running[r.Id] = to
	return a.fail[how+" "+r.Id]
}

func (m *machine) value(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running[id]
}

// instance makes an order about an instance that may be promoted.
func instance(kind pb.OperationKind, assignment uint64, monitors ...*pb.OperationSpec) *pb.ExecuteRequest {
	r := request(kind, "db", assignment)
	r.Resource.Operations = monitors
	r.Instancing = &pb.Instancing{Promotable: true, Told: map[string]string{"clone_max": "3"}}
	return r
}

func every(d time.Duration, role string) *pb.OperationSpec {
	return &pb.OperationSpec{Name: "monitor", Interval: durationpb.New(d), Options: map[string]string{"role": role}}
}

func TestWhatIsServedIsPromotedAndDemoted(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(promote, 1)), refused)
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 2)), refused)
		m.want(m.do(instance(promote, 1)), done)
		if got := m.value("db"); got != "promoted" {
			t.Errorf("it is %q after its promotion", got)
		}
		m.want(m.do(instance(demote, 2)), refused)
		m.want(m.do(instance(demote, 1)), done)
		m.want(m.do(instance(stop, 1)), done)
		if h := m.took(); !slices.Equal(h, []string{"start db", "promote db", "demote db", "stop db"}) {
			t.Errorf("it did %q", h)
		}
	})
}

func TestRule22ADemotionIsDoneOnceNothingIsPromotedAnyMore(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.lasts = time.Second
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), done)
		m.want(m.do(instance(demote, 1)), done)
		if m.value("db") == "promoted" {
			t.Error("the demotion is done, and it is promoted still")
		}
	})
}

func TestAStopDemotesWhatIsPromotedOrMayBe(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), done)
		m.want(m.do(instance(stop, 1)), done)
		m.running["db"] = "promoted" // by another start of the agent
		found := instance(stop, 0)
		found.Instancing.Promoted = true
		m.want(m.do(found), done)
		if h := m.took(); !slices.Equal(h, []string{"start db", "promote db", "demote db", "stop db", "demote db", "stop db"}) {
			t.Errorf("it did %q", h)
		}
	})
}

func TestAStartTakesOverWhatIsPromoted(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.running["db"] = "promoted"
		res := m.do(instance(start, 1))
		m.want(res, done)
		if h := m.took(); len(h) > 0 || !res.Promoted {
			t.Errorf("it did %q, and is promoted: %t", h, res.Promoted)
		}
		m.want(m.do(instance(promote, 1)), done)
		if h := m.took(); len(h) > 0 {
			t.Errorf("what was promoted was promoted again: %q", h)
		}
	})
}

func TestS3TheEndOfTheLeaseDemotesAndStopsAndItsReturnPromotes(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), done)
		m.took()
		m.hold(false)
		m.exec.Lapsed()
		if h := m.took(); !slices.Equal(h, []string{"demote db", "halt db"}) {
			t.Errorf("the end of the lease did %q", h)
		}
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		if h := m.took(); !slices.Equal(h, []string{"start db", "promote db"}) {
			t.Errorf("its return did %q", h)
		}
	})
}

func TestWhatIsHaltedWhileItResumesIsPromotedByTheNextLease(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), done)
		m.delay["promote db"] = time.Second
		for range 2 {
			m.hold(false)
			m.exec.Lapsed()
			m.hold(true)
			m.exec.Regained()
			time.Sleep(500 * time.Millisecond) // it runs, and is about to be promoted
		}
		time.Sleep(time.Second)
		if got := m.value("db"); got != "promoted" {
			t.Errorf("under its next lease it is %q", got)
		}
	})
}

// Whether the leader has the report when the lease ends, nobody knows here: it may have
// somebody else promoted.
func TestWhatWasLostBeforeTheLeaseEndedIsNotPromotedAgainAndToldAgainS1(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1, every(time.Second, ""))), done)
		m.want(m.do(instance(promote, 1)), done)
		m.mu.Lock()
		m.running["db"], m.mute = "", true
		m.mu.Unlock()
		time.Sleep(1500 * time.Millisecond) // a monitor has failed
		m.hold(false)
		m.exec.Lapsed()
		m.hold(true)
		m.exec.Regained()
		time.Sleep(500 * time.Millisecond)
		m.mu.Lock()
		before := len(m.reports)
		m.mute = false
		m.mu.Unlock()
		time.Sleep(10 * time.Second)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.running["db"] == "promoted" {
			t.Error("it is promoted again")
		}
		if told := m.reports[before:]; len(told) != 1 || told[0].Outcome != pb.Outcome_OUTCOME_OTHER_ROLE || told[0].Promoted {
			t.Errorf("told was %v, want once that it is not promoted", told)
		}
	})
}

func TestS1APromotionThatTheLeaseDoesNotOutlastIsUndone(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["promote db"] = time.Second
		m.want(m.do(instance(start, 1)), done)
		m.exec.running.Go(func() {
			time.Sleep(500 * time.Millisecond)
			m.hold(false)
			m.exec.Lapsed()
		})
		m.want(m.do(instance(promote, 1)), refused)
		synctest.Wait()
		if m.runs("db") {
			t.Error("it runs on without a lease")
		}
	})
}

func TestEachRoleHasMonitorsOfItsOwn(t *testing.T) {
	onMachine(t, func(m *machine) {
		monitors := []*pb.OperationSpec{every(time.Second, "Promoted"), every(7*time.Second, "Unpromoted"), every(60*time.Second, "")}
		count := func(what string, want map[time.Duration]int) {
			t.Helper()
			m.looks = map[time.Duration]int{}
			time.Sleep(time.Minute + time.Second/2)
			delete(m.looks, 0)
			for d, n := range want {
				if m.looks[d] != n {
					t.Errorf("%s it was looked at every %v %d times, want %d", what, d, m.looks[d], n)
				}
			}
		}
		m.want(m.do(instance(start, 1, monitors...)), done)
		count("unpromoted", map[time.Duration]int{time.Second: 0, 7 * time.Second: 8, time.Minute: 1})
		m.want(m.do(instance(promote, 1, monitors...)), done)
		count("promoted", map[time.Duration]int{time.Second: 60, 7 * time.Second: 0, time.Minute: 1})
		m.want(m.do(instance(demote, 1, monitors...)), done)
		count("demoted", map[time.Duration]int{time.Second: 0, 7 * time.Second: 8, time.Minute: 1})
	})
}

func TestARoleThatChangedByItselfIsReportedOnce(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1, every(time.Second, ""))), done)
		for _, role := range []string{"promoted", ""} {
			m.mu.Lock()
			m.running["db"], m.reports = role, nil
			m.mu.Unlock()
			time.Sleep(5 * time.Second)
			if len(m.reports) != 1 || m.reports[0].Outcome != pb.Outcome_OUTCOME_OTHER_ROLE || m.reports[0].Promoted != (role == "promoted") {
				t.Errorf("when it is %q the leader is told %v", role, m.reports)
			}
			m.want(m.do(instance(probe, 0)), done) // the leader has looked
		}
	})
}

func TestAPromotionThatFailsLeavesWhatMayBePromoted(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.fail["promote db"] = errors.New("not now")
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), pb.Outcome_OUTCOME_FAILED)
		m.took()
		m.want(m.do(instance(stop, 1)), done)
		if h := m.took(); !slices.Equal(h, []string{"demote db", "stop db"}) {
			t.Errorf("its stop did %q", h)
		}
	})
}

func TestAnInstanceIsToldOfItsClone(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1, every(time.Second, ""))), done)
		time.Sleep(1500 * time.Millisecond)
		if told := m.told; told["clone_max"] != "3" {
			t.Errorf("a monitor was told %v", told)
		}
	})
}

var _ resources.Promoter = agent{}

func TestAMonitorObeysItsOptions(t *testing.T) {
	monitor := func(options map[string]string) *pb.OperationSpec {
		return &pb.OperationSpec{Name: "monitor", Interval: durationpb.New(time.Second), Options: options}
	}
	tests := []struct {
		name    string
		options map[string]string
		looks   int // in the first ten seconds and a half
		reports int // of a failure after that
		events  int
	}{
		{"none", nil, 10, 1, 0},
		{"start-delay", map[string]string{"start-delay": "5s"}, 5, 1, 0},
		{"enabled", map[string]string{"enabled": "false"}, 0, 0, 0},
		{"on-fail", map[string]string{"on-fail": "ignore"}, 10, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onMachine(t, func(m *machine) {
				m.want(m.do(instance(start, 1, monitor(tt.options))), done)
				time.Sleep(10500 * time.Millisecond)
				if got := m.looks[time.Second]; got != tt.looks {
					t.Errorf("%d looks, want %d", got, tt.looks)
				}
				m.mu.Lock()
				delete(m.running, "db")
				m.mu.Unlock()
				time.Sleep(5 * time.Second)
				if len(m.reports) != tt.reports || m.events != tt.events {
					t.Errorf("%d failures were reported and %d told of, want %d and %d", len(m.reports), m.events, tt.reports, tt.events)
				}
			})
		})
	}
}

// A stop ends the right although it fails. What runs on must be demoted before the next
// stop, or neither of them would ever come (S7).
func TestWhatAFailedStopLeftIsDemoted(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.want(m.do(instance(start, 1)), done)
		m.want(m.do(instance(promote, 1)), done)
		m.stays = errors.New("device is busy")
		m.want(m.do(instance(stop, 1)), pb.Outcome_OUTCOME_FAILED)
		m.running["db"] = "promoted" // by another hand, or because the demotion failed, too
		m.want(m.do(instance(promote, 1)), refused)
		m.want(m.do(instance(demote, 1)), done)
		if got := m.value("db"); got != "" {
			t.Errorf("it is %q after its demotion", got)
		}
		m.stays = nil
		m.want(m.do(instance(stop, 1)), done)
	})
}
