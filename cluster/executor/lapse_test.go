package executor

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

func TestAHaltHasAsLongAsTheResourceMayOutliveTheLeaseS4(t *testing.T) {
	for _, tt := range []struct{ lapse, want time.Duration }{{0, haltTimeout}, {time.Second, time.Second}, {time.Minute, time.Minute}} {
		r := &pb.Resource{Traits: &pb.Traits{Lapse: durationpb.New(tt.lapse)}}
		if got := haltTime(r); got != tt.want {
			t.Errorf("with a lapse of %v: %v, want %v", tt.lapse, got, tt.want)
		}
	}
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
