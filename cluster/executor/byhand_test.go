package executor

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pb "quorate/proto/quorate/v1"
)

func (m *machine) byHand(kind pb.OperationKind, id string) *pb.RunByHandResponse {
	m.t.Helper()
	answer, err := m.exec.RunByHand(m.t.Context(), request(kind, id, 0), false)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer
}

func TestByHandTellsWhatBecameOfIt(t *testing.T) {
	onMachine(t, func(m *machine) {
		monitor := pb.OperationKind_OPERATION_KIND_MONITOR
		if a := m.byHand(monitor, "db"); a.Outcome != pb.Outcome_OUTCOME_NOT_RUNNING || a.State != "stopped" {
			t.Errorf("a monitor of what does not run: %v", a)
		}
		if a := m.byHand(start, "db"); a.Outcome != done || !m.runs("db") {
			t.Errorf("a start: %v", a)
		}
		if a := m.byHand(monitor, "db"); a.Outcome != done || a.State != "running" {
			t.Errorf("a monitor of what runs: %v", a)
		}
		if a := m.byHand(stop, "db"); a.Outcome != done || m.runs("db") {
			t.Errorf("a stop: %v", a)
		}
		m.fail["db"] = errors.New("no disk")
		if a := m.byHand(start, "db"); a.Outcome != pb.Outcome_OUTCOME_FAILED || a.Error != "no disk" {
			t.Errorf("a start that fails: %v", a)
		}
		if a := m.byHand(pb.OperationKind_OPERATION_KIND_PROMOTE, "db"); a.Outcome != pb.Outcome_OUTCOME_FAILED || a.Error != "it does not run" {
			t.Errorf("a promotion of what does not run: %v", a)
		}
	})
}

func TestS3WhatIsStartedByHandEndsWithTheLease(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.byHand(start, "db")
		m.hold(false)
		m.exec.Lapsed()
		if m.runs("db") {
			t.Error("it runs without a lease")
		}
		m.hold(true)
		m.exec.Regained()
		synctest.Wait()
		if m.runs("db") {
			t.Error("it was resumed, though nobody has a right to it")
		}
		m.hold(false)
		if a := m.byHand(start, "db"); a.Outcome != pb.Outcome_OUTCOME_FAILED || m.runs("db") {
			t.Errorf("a start without a lease: %v", a)
		}
	})
}

func TestS3AStartByHandThatTheEndOfTheLeaseOvertakesIsUndone(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["db"], m.stuck["db"] = 5*time.Second, true
		answered := make(chan *pb.RunByHandResponse)
		go func() { answered <- m.byHand(start, "db") }()
		time.Sleep(time.Second)
		m.hold(false)
		m.exec.Lapsed()
		if a := <-answered; a.Outcome != pb.Outcome_OUTCOME_FAILED || m.runs("db") {
			t.Errorf("%v, runs %v", a, m.runs("db"))
		}
	})
}

func TestByHandWaitsForTheOperationUnderWay(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.delay["db"] = 3 * time.Second
		began := time.Now()
		var starting sync.WaitGroup
		starting.Go(func() { _, _ = m.exec.Execute(m.t.Context(), request(start, "db", 1)) })
		synctest.Wait()
		m.byHand(pb.OperationKind_OPERATION_KIND_MONITOR, "db")
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("it answered after %v", took)
		}
		starting.Wait()
	})
}

func TestATranscriptKeepsTheBeginningAndTheEnd(t *testing.T) {
	var said transcript
	for range 1000 {
		_, _ = said.Write([]byte(strings.Repeat("x", 1000)))
	}
	_, _ = said.Write([]byte("the end\xff"))
	text := said.String()
	if len(text) > 2*keptOutput+100 || !strings.Contains(text, "bytes are left out here") || !strings.HasSuffix(text, "the end\uFFFD") {
		t.Errorf("%d bytes, which end in %q", len(text), text[max(0, len(text)-40):])
	}
}
