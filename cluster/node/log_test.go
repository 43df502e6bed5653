package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// requested is a command that creates a resource, once.
func (m *machine) requested(id string) *pb.Command {
	c := change(&pb.Edit{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{
		Resource: &pb.Resource{Id: id, Agent: "thing", Traits: &pb.Traits{}},
	}}})
	c.Request = &pb.Request{Id: append(make([]byte, 16-len(id)), id...), After: m.running().store.Get().Index}
	return c
}

// asks proposes a command by way of a machine, and returns the index of the entry
// that did it.
func (m *machine) asks(c *pb.Command) uint64 {
	m.world.t.Helper()
	ctx, cancel := context.WithTimeout(m.world.ctx, 10*time.Second)
	defer cancel()
	applied, err := m.running().Propose(ctx, proto.CloneOf(c))
	if err != nil {
		m.world.t.Fatalf("%s: %v\n%s", m.id, err, m.story())
	}
	return applied.Index
}

// leads makes a machine the leader.
func (w *world) leads(m, other *machine) {
	w.t.Helper()
	w.await(m.id+" leads", func() bool {
		if !m.running().Leads() {
			other.running().StepDown()
		}
		return m.running().Leads()
	})
	time.Sleep(time.Second)
}

func TestWhatThePeerSawCommittedIsDoneForWhoGoesOnAlone(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		c := lives.requested("once")
		first := lives.asks(c)
		dies.powerOff()
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		if again := lives.asks(c); again != first || !lives.has("once") {
			t.Errorf("asked again it was done at index %d, first at %d", again, first)
		}
	})
}

// It was in the log of who led and gave way, and in no other.
func TestWhatWasNeverCommittedIsDoneByTheLogThatGoesOn(t *testing.T) {
	eachOfTwo(t, func(w *world, lives, dies *machine) {
		w.leads(dies, lives)
		c := dies.requested("once")
		w.setCut(true)
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer cancel()
		if _, err := dies.running().ProposeAsLeader(ctx, proto.CloneOf(c)); !errors.Is(err, consensus.ErrUnknown) {
			t.Errorf("without the peer: %v, want that it is unknown", err)
		}
		dies.powerOff()
		w.await("the survivor is alone", func() bool { return w.voters(lives) == lives.id })
		if lives.has("once") {
			t.Fatal("it was committed")
		}
		dies.start()
		w.await("both vote again", w.together)
		first := dies.asks(c)
		if again := dies.asks(c); again != first || !lives.has("once") || !dies.has("once") {
			t.Errorf("done at %d and again at %d\n%s", first, again, lives.story())
		}
	})
}

// What was done on the side of a pair that gave way is not done.
func TestACommandIsNotTakenForDoneByAHistoryThatIsDiscarded(t *testing.T) {
	onTwoMachines(t, func(w *world, winner, loser *machine) {
		w.setCut(true)
		w.await("both are alone", func() bool { return w.voters(winner) == "a" && w.voters(loser) == "b" })
		winner.create("kept")
		winner.create("kept2")
		c := loser.requested("once")
		lost := loser.asks(c)
		w.await("both serve", func() bool { return winner.serves("kept2") && loser.serves("once") })
		w.setCut(false)
		w.await("both vote again", w.together)
		if loser.has("once") || winner.has("once") {
			t.Fatalf("the loser's history goes on\n%s", loser.story())
		}
		index := loser.asks(c)
		if !winner.has("once") || index == lost || state.ResourceByID(winner.state(), "once") == nil {
			t.Errorf("asked again it is said to be done at index %d, on the lost side at %d\n%s", index, lost, winner.story())
		}
	})
}

// A mute is a leader that does not answer.
type mute struct{ *machine }

func (mute) Propose(ctx context.Context, _ string, _ *pb.ProposeRequest) (*pb.ProposeResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestALeaderThatFellIsNotWaitedForByWhatCanBeAskedAgain(t *testing.T) {
	onTwoMachines(t, func(w *world, a, b *machine) {
		for _, again := range []bool{true, false} {
			w.leads(a, b)
			c := b.requested("once")
			if !again {
				c.Request = nil
			}
			l := &log{self: b.id, raft: b.running().raft, peers: mute{b}}
			w.tasks.Go(func() {
				time.Sleep(100 * time.Millisecond)
				a.running().StepDown()
			})
			began := time.Now()
			_, err := l.propose(w.ctx, c)
			took := time.Since(began)
			if !errors.Is(err, consensus.ErrUnknown) || (took < forwardTimeout) != again {
				t.Errorf("can be asked again: %v; %v after %v", again, err, took)
			}
		}
	})
}
