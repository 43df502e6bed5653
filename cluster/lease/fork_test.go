package lease

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// bind makes a node testify against its silent peer.
func (r *room) bind(id, peer string) (epoch uint64, silence time.Duration) {
	r.t.Helper()
	e := r.engines[id]
	epoch, silence, err := e.Bind(r.ctx, nil, peer, e.Peer(peer).Last)
	if err != nil {
		r.t.Fatal(err)
	}
	return epoch, silence
}

// split cuts a and b apart until each is bound against the other, then lets a go
// on alone.
func (r *room) split() {
	r.t.Helper()
	r.must(&pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{Kind: &pb.Edit_SetOptions{SetOptions: &pb.SetOptions{
		Scope: pb.OptionScope_OPTION_SCOPE_CLUSTER, Set: map[string]string{"no-quorum-policy": "ignore"},
	}}}}}}})
	defer r.alone()()
	r.isolate("b", true)
	time.Sleep(Threshold(length))
	r.bind("b", "a")
	epoch, silence := r.bind("a", "b")
	r.must(&pb.Command{Body: &pb.Command_Fork{Fork: &pb.ForkAlone{
		Number: 1, Id: "x", Node: "a", Peer: "b", PeerEpoch: epoch, Silence: durationpb.New(silence),
	}}})
}

// returns brings b back, caught up, admitted and voting.
func (r *room) returns() {
	r.isolate("b", false)
	r.engines["b"].Apply(r.store.Get().State)
	time.Sleep(time.Second)
	r.elect([]string{"a", "b"})
	time.Sleep(2 * time.Second)
}

func TestWhoGoesOnAloneKeepsItsLeaseWhenTheOtherVotesAgain(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.split()
		r.returns()
		if got := r.engines["a"].told(); !r.held("a") || got != "[regained]" || r.epoch("a") != 1 {
			t.Errorf("a: held %v at epoch %d, told %s; want the lease it had", r.held("a"), r.epoch("a"), got)
		}
		if !r.held("b") || r.epoch("b") != 2 {
			t.Errorf("b: held %v at epoch %d, want the lease of epoch 2", r.held("b"), r.epoch("b"))
		}
	})
}

// A testimony given after the fork binds as every other one, also over a restart.
func TestRule13AMarkSinceTheForkIsKept(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.split()
		r.returns()
		r.isolate("a", true)
		time.Sleep(Threshold(length))
		r.bind("b", "a")
		b := r.engines["b"]
		b.end()
		r.isolate("a", false)
		r.sit("b", 2, b.marks)
		time.Sleep(10 * length)
		if got := r.epoch("a"); got == 1 {
			t.Error("b acks an epoch of a's that it has testified to since the fork")
		}
	})
}

// Who went on alone relies on its own testimony.
func TestRule13TheSurvivorsOwnMarkOutlivesTheFork(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.split()
		r.isolate("b", false) // it has not heard of the fork
		time.Sleep(2 * length)
		if r.held("b") && r.engines["b"].holder.epoch == 1 {
			t.Error("a acks the epoch of b that ended with its fork")
		}
	})
}
