package lease

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// Rule 7: the clock is read before the send, so that a sender that stands still
// in it pays with its own lease.
func TestRule7TheClockIsReadBeforeTheBeatIsSent(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.isolate("c", true) // only b acks a's beats
		const stall = 200 * time.Millisecond
		var sends []time.Duration // of a's beats to b
		r.delay(func(from, to string, d *pb.LeaseDatagram) time.Duration {
			if d.GetBeat() == nil || from != "a" || to != "b" {
				return 0
			}
			sends = append(sends, r.Now())
			if len(sends) > 1 {
				return time.Hour // lost
			}
			time.Sleep(stall)
			return 0
		})
		time.Sleep(stall + 100*time.Millisecond)
		synctest.Wait()
		if _, deadline, held := r.engines["a"].Held(); !held || deadline != sends[0]+length {
			t.Errorf("held %v, until %v after the last acked beat was about to be sent, want %v", held, deadline-sends[0], length)
		}
	})
}

// Rule 8: a voter has noted the beat before it acks it. Else a question that comes
// in between finds it silent, and it testifies against a lease that its ack brought.
func TestRule8AVoterThatHasAckedABeatHasHeardIt(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		b := r.engines["b"]
		r.isolate("a", true)
		time.Sleep(Threshold(length))
		var acked atomic.Bool
		r.delay(func(from, to string, d *pb.LeaseDatagram) time.Duration {
			if d.GetAck() != nil && from == "b" && to == "a" && acked.CompareAndSwap(false, true) {
				b.Receive("c", &pb.LeaseDatagram{Body: &pb.LeaseDatagram_Inquiry{Inquiry: &pb.Inquiry{
					Leader: "c", Number: 1, Node: "a", Epoch: 1, Threshold: durationpb.New(Threshold(length)), Testify: true,
				}}})
			}
			return 0
		})
		r.isolate("a", false)
		time.Sleep(100 * time.Millisecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		if !acked.Load() || len(b.marks) > 0 {
			t.Errorf("acked %v, and testified to %v in the same moment", acked.Load(), b.marks)
		}
	})
}
