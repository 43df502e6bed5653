package lease

import (
	"errors"
	"testing"
	"time"
)

// Rule 4: what an earlier start left in the guard is off before this one has an
// epoch, for that frees what the node owned.
func TestRule4AStartClearsTheGuardBeforeItHasAnEpoch(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["a"].end()
		s := &seat{jammed: errors.New("busy")}
		r.take(s, "a", 2, map[string]uint64{})
		time.Sleep(time.Second)
		if r.epoch("a") != 1 || r.held("a") {
			t.Fatalf("held %v under epoch %d with a guard that is not clear", r.held("a"), r.epoch("a"))
		}
		s.jam(nil)
		time.Sleep(time.Second)
		if !r.held("a") || r.epoch("a") != 2 {
			t.Errorf("held %v under epoch %d after the guard was cleared, want the lease of epoch 2", r.held("a"), r.epoch("a"))
		}
	})
}

// Rule 5 and H4: what a start finds in its snapshot is the epoch of an earlier one.
// Voters would ack it, and what the earlier start was told since, nobody knows.
func TestRule5AStartHoldsNoLeaseOfAnEarlierEpoch(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["a"].end()
		r.lag("a", true)
		s := r.sit("a", 2, map[string]uint64{})
		for range 1000 {
			if r.held("a") {
				t.Fatal("it holds a lease before its own admission")
			}
			time.Sleep(time.Millisecond)
		}
		r.lag("a", false)
		s.Apply(r.store.Get().State)
		time.Sleep(time.Second)
		if !r.held("a") || r.epoch("a") != 2 {
			t.Errorf("held %v under epoch %d, want the lease of epoch 2", r.held("a"), r.epoch("a"))
		}
	})
}

// Rule 17: who has resigned an epoch has dropped its rights, and never beats under
// it again, even while its next admission is still on its way.
func TestRule17AResignedEpochIsNotBegunAgain(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.lag("a", true)
		r.deafen("a")
		time.Sleep(3 * length)
		a := r.engines["a"]
		if got, want := a.told(), "[regained lapsed dropped]"; got != want {
			t.Fatalf("told %s, want %s", got, want)
		}
		r.delay(nil)
		a.Apply(r.store.Get().State) // some entry, by which it is still admitted under epoch 1
		for range 1000 {
			if r.held("a") {
				t.Fatal("it holds a lease of the epoch that it resigned")
			}
			time.Sleep(time.Millisecond)
		}
	})
}
