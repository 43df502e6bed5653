package lease

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Extend implements Guard.
func (s *seat) Extend(deadline time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stalled := s.stalled; stalled != nil {
		s.mu.Unlock()
		<-stalled
		s.mu.Lock()
	}
	s.guarded = deadline
	return nil
}

// Kept implements Guard.
func (s *seat) Kept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept
}

// Clear implements Guard.
func (s *seat) Clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleared++
	return s.jammed
}

// jam makes the guard fail, or work again.
func (s *seat) jam(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jammed = err
}

// Lapsed implements Rights.
func (s *seat) Lapsed() {
	s.tellf("lapsed")
	s.mu.Lock()
	halting := s.halting
	s.mu.Unlock()
	time.Sleep(halting)
}

func (s *seat) stepDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed++
}

// mark makes a voter have testified, with no NodeGone that followed.
func (s *seat) mark(node string, epoch uint64) {
	s.mu.Lock()
	s.marks[node] = epoch
	s.mu.Unlock()
	s.Engine.mu.Lock()
	s.voter.marks[node] = epoch
	s.Engine.mu.Unlock()
}

// told is what the rights were told, in order.
func (s *seat) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.history)
}

// deafen holds back every datagram from and to a node; the log still hears it.
func (r *room) deafen(id string) {
	r.delay(func(from, to string, _ *pb.LeaseDatagram) time.Duration {
		if from == id || to == id {
			return time.Hour
		}
		return 0
	})
}

// Rule 4: with a guard that may still hold something open, no epoch begins.
func TestRule4NothingBeginsBeforeTheGuardIsClear(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		a := r.engines["a"]
		r.isolate("a", true)
		a.jam(errors.New("netlink is busy"))
		time.Sleep(3 * length) // it resigned
		r.isolate("a", false)
		time.Sleep(3 * time.Second)
		if r.epoch("a") != 1 || r.held("a") {
			t.Errorf("held %v under epoch %d with a guard that is not clear", r.held("a"), r.epoch("a"))
		}
		a.jam(nil)
		time.Sleep(2 * commitPause)
		if !r.held("a") || r.epoch("a") != 2 {
			t.Errorf("held %v under epoch %d after the guard was cleared", r.held("a"), r.epoch("a"))
		}
	})
}

// Rule 10: acks that come after the end bring the lease back, but it counts as
// held only when what ran was stopped.
func TestRule10ALapseIsCarriedOutBeforeTheLeaseIsBack(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		const halting = 100 * time.Millisecond
		a := r.engines["a"]
		a.mu.Lock()
		a.halting = halting
		a.mu.Unlock()
		r.isolate("a", true)
		for r.held("a") {
			time.Sleep(time.Millisecond)
		}
		lapsed := time.Now()
		r.isolate("a", false) // the next beat wins the lease back
		for !r.held("a") {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(lapsed); took < halting-time.Millisecond {
			t.Errorf("held again after %v, and what ran was stopped after %v", took, halting)
		}
		time.Sleep(length)
		if got, want := a.told(), "[regained lapsed regained]"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// Rule 10: the same when nothing looked at the clock between the end and the ack.
func TestRule10ALateAckDoesNotHideTheLapse(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		a := r.engines["a"]
		a.mu.Lock()
		a.halting = time.Second
		a.mu.Unlock()
		synctest.Wait()
		a.Engine.mu.Lock()
		h := &a.Engine.holder
		newest := h.beats[len(h.beats)-1]
		h.deadline = r.Now() // as if the process had stood still until the end
		a.Engine.mu.Unlock()
		for _, voter := range []string{"b", "c"} {
			a.Receive(voter, &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Ack{Ack: &pb.Ack{
				Node: "a", Epoch: 1, Nonce: 1, Seq: newest.seq, Voter: voter,
			}}})
		}
		if r.held("a") {
			t.Error("held by a late ack although nothing was stopped")
		}
		time.Sleep(length)
		if got, want := a.told(), "[regained lapsed]"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// Rule 17, for a leader: it hands leadership over; others do not.
func TestRule17OnlyALeaderHandsLeadershipOver(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		end := r.lead("a")
		defer end()
		r.deafen("a")
		r.isolate("b", true)
		time.Sleep(3 * length)
		for id, want := range map[string]int{"a": 1, "b": 0} {
			s := r.engines[id]
			s.mu.Lock()
			if handed := min(s.handed, 1); handed != want {
				t.Errorf("%s handed leadership over %d times", id, s.handed)
			}
			s.mu.Unlock()
		}
	})
}

// Rule 17: a node that reaches the log but no voter does not begin epochs
// without end, and is back soon after the repair.
func TestRule17EpochsWithoutALeaseBecomeRare(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		r.deafen("a")
		time.Sleep(30 * time.Second)
		if n := r.epoch("a"); n > 14 {
			t.Errorf("%d epochs in 30 s", n)
		}
		r.delay(nil)
		time.Sleep(9 * length)
		if !r.held("a") {
			t.Error("no lease after the repair (S7)")
		}
	})
}

// Rule 13: a question that is stale, hasty or about itself binds nobody.
func TestRule13WhatBindsNobody(t *testing.T) {
	tests := []struct {
		name string
		q    *pb.Inquiry
	}{
		{"about a passed epoch", &pb.Inquiry{Node: "a", Epoch: 0, Threshold: durationpb.New(Threshold(length))}},
		{"with too short a threshold", &pb.Inquiry{Node: "a", Epoch: 1, Threshold: durationpb.New(time.Millisecond)}},
		{"about itself", &pb.Inquiry{Node: "b", Epoch: 1, Threshold: durationpb.New(Threshold(length))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inRoom(t, trio, func(r *room) {
				r.isolate("a", true)
				time.Sleep(Threshold(length) - 150*time.Millisecond)
				if tt.q.Epoch == 0 {
					time.Sleep(time.Second)
				}
				b := r.engines["b"]
				tt.q.Leader, tt.q.Number, tt.q.Testify = "c", 1, true
				b.Receive("c", &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Inquiry{Inquiry: tt.q}})
				synctest.Wait()
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.marks) > 0 {
					t.Errorf("it testified: %v", b.marks)
				}
			})
		})
	}
}

// Rule 14: an answer counts for the node and epoch that was asked about. The
// number alone may be that of a question of an earlier start.
func TestRule14AnAnswerToAnotherQuestionCountsForNothing(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		e := r.engines["b"].Engine
		number, q := e.open(suspect{node: "a", epoch: 1})
		defer e.close(number)
		for _, a := range []*pb.Answer{
			{Voter: "c", Number: number, Node: "x", Epoch: 1, Testified: true},
			{Voter: "c", Number: number, Node: "a", Epoch: 2, Testified: true},
			{Voter: "c", Number: number + 1, Node: "a", Epoch: 1, Testified: true},
		} {
			e.Receive("c", &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Answer{Answer: a}})
			if len(q.answers) > 0 {
				t.Errorf("counted: %v", a)
			}
		}
		e.Receive("c", &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Answer{Answer: &pb.Answer{Voter: "c", Number: number, Node: "a", Epoch: 1}}})
		if len(q.answers) != 1 {
			t.Error("its own answer was not counted")
		}
	})
}

func TestFileMarksNeverReplacesWhatItCannotRead(t *testing.T) {
	for _, content := range []string{"", "null", `{"a":3`, `{"a":-1}`} {
		path := filepath.Join(t.TempDir(), "marks.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f := NewFileMarks(path)
		if m, err := f.Load(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Load of %q = %v, %v; want an error that names the file", content, m, err)
		}
		if err := f.Save("b", 1); err == nil {
			t.Errorf("Save replaced %q", content)
		}
	}
}
