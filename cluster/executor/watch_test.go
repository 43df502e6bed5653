package executor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

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
