package lease

import (
	"context"
	"strings"
	"testing"
	"time"

	"quorate/cluster/state"
)

const bridge = 10 * time.Second // over a restart

// bridge has a node ask for a lease over its restart.
func (s *seat) bridge(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.room.ctx, 2*time.Second)
	defer cancel()
	if err := s.Bridge(ctx, bridge, "a restart"); err != nil {
		t.Fatal(err)
	}
}

func (s *seat) left() time.Duration {
	_, deadline, held := s.Held()
	if !held {
		return 0
	}
	return deadline - s.room.Now()
}

func (r *room) length(id string) time.Duration {
	return state.NodeByID(r.store.Get().State, id).Lease.AsDuration()
}

func TestRule25ALongerLeaseIsHeldAndGuardedWhenBridgeReturns(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		a := r.engines["a"]
		a.bridge(t)
		if left := a.left(); left < bridge-100*time.Millisecond || r.length("a") != bridge {
			t.Errorf("%v are left of a lease of %v, want nearly %v", left, r.length("a"), bridge)
		}
		if left := a.guarded - r.Now(); left < bridge-100*time.Millisecond {
			t.Errorf("the guard ends in %v", left)
		}
		if r.epoch("a") != 1 || a.told() != "[regained]" {
			t.Errorf("epoch %d, told %s: want nothing to change but the length", r.epoch("a"), a.told())
		}
	})
}

func TestRule25ANodeThatDoesNotComeBackIsGoneAfterItsLongerLease(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		a := r.engines["a"]
		a.bridge(t)
		a.end()
		r.isolate("a", true)
		ended := time.Now()
		end := ended.Add(a.left())
		time.Sleep(2 * bridge)
		if len(r.ends()) != 1 {
			t.Fatalf("NodeGone was committed %d times, want once", len(r.ends()))
		}
		if at := r.ends()[0]; !at.After(end) || at.Sub(ended) > Threshold(bridge)+100*time.Millisecond {
			t.Errorf("gone %v after it ended, and its lease lasted %v", at.Sub(ended), end.Sub(ended))
		}
	})
}

// The exception of rule 4: what the earlier start left is taken over, and only
// when that is done are leases as short as before.
func TestRule25ARestartedNodeTakesOverBeforeItsLeasesAreShort(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		old := r.engines["a"]
		old.bridge(t)
		old.end()
		time.Sleep(time.Second)
		s := &seat{kept: true}
		r.take(s, "a", 2, map[string]uint64{})
		time.Sleep(time.Second)
		if !r.held("a") || r.epoch("a") != 2 || r.length("a") != bridge || s.cleared > 0 {
			t.Fatalf("held %v under epoch %d, leases of %v, guard cleared %d times; want a lease of %v of epoch 2 and the guard as it was",
				r.held("a"), r.epoch("a"), r.length("a"), s.cleared, bridge)
		}
		s.mu.Lock()
		s.kept = false // taken over
		s.mu.Unlock()
		time.Sleep(2 * commitPause)
		if left := s.guarded - r.Now(); r.length("a") != length || s.left() > length || left > length {
			t.Errorf("leases of %v, %v left of this one and %v of the guard, want %v at most", r.length("a"), s.left(), left, length)
		}
		if r.isolate("a", true); s.told() != "[regained]" {
			t.Errorf("told %s: the shorter length cost the lease", s.told())
		}
		time.Sleep(time.Second)
		if len(r.ends()) != 1 {
			t.Error("a node with a short lease again was not found gone within a second")
		}
	})
}

// Rule 20 in a restart: to confirm without a lease would clear the guard.
func TestRule25TheGuardIsNotClearedBeforeTheFirstLease(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		old := r.engines["a"]
		old.bridge(t)
		old.end()
		r.deafen("a")
		s := &seat{kept: true}
		r.take(s, "a", 2, map[string]uint64{})
		time.Sleep(length)
		if n := state.NodeByID(r.store.Get().State, "a"); n.Epoch != 2 || n.ElectorateConfirmed != 0 || s.cleared > 0 {
			t.Fatalf("epoch %d, confirmed %d, cleared %d times; want the confirmation to wait for a lease", n.Epoch, n.ElectorateConfirmed, s.cleared)
		}
		r.delay(nil)
		time.Sleep(2 * commitPause)
		if n := state.NodeByID(r.store.Get().State, "a"); n.ElectorateConfirmed == 0 || s.cleared > 0 {
			t.Errorf("confirmed %d, cleared %d times with a lease", n.ElectorateConfirmed, s.cleared)
		}
		time.Sleep(bridge)
		if s.cleared > 0 {
			t.Error("the guard was cleared under a lease")
		}
	})
}

func TestRule25WithoutALeaderThereIsNoLongerLease(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.isolate("a", true)
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		if err := r.engines["a"].Bridge(ctx, bridge, "a restart"); err == nil {
			t.Error("a longer lease, and nobody was there to agree")
		}
	})
}

// A shorter length that is still on its way must not meet a lease that was made
// longer since.
func TestRule25ASecondRestartOvertakesTheEndOfTheFirst(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		a := r.engines["a"]
		a.bridge(t)
		a.end()
		s := &seat{late: 1500 * time.Millisecond}
		r.take(s, "a", 2, map[string]uint64{})
		time.Sleep(500 * time.Millisecond) // it holds its lease and has cut it; nobody knows yet
		if left := s.left(); left > length || r.length("a") != bridge {
			t.Fatalf("%v are left of a lease of %v, want a cut lease that is not committed", left, r.length("a"))
		}
		s.bridge(t)
		time.Sleep(2 * time.Second)
		if !strings.Contains(s.told(), "it is at version 2, not 1") {
			t.Errorf("told %s, want that the late command was refused", s.told())
		}
		if left := s.left(); left < bridge-100*time.Millisecond || r.length("a") != bridge {
			t.Errorf("%v are left of a lease of %v", left, r.length("a"))
		}
	})
}

// Of two voters each needs the other's acks: what one does without for a while
// must not end what the other serves.
func TestRule25TheOtherOfTwoVotersIsBridgedToo(t *testing.T) {
	inRoom(t, []string{"a", "b"}, func(r *room) {
		r.engines["a"].bridge(t)
		time.Sleep(2 * commitPause)
		b := r.engines["b"]
		if left := b.left(); left < bridge-200*time.Millisecond || r.length("b") != bridge {
			t.Fatalf("%v are left of b's lease of %v while a restarts", left, r.length("b"))
		}
		r.engines["a"].end()
		time.Sleep(5 * time.Second)
		if !r.held("b") || b.told() != "[regained]" {
			t.Fatalf("b, told %s, holds its lease: %v", b.told(), r.held("b"))
		}
		r.sit("a", 2, map[string]uint64{})
		time.Sleep(time.Second)
		if r.length("a") != length || r.length("b") != length || b.told() != "[regained]" {
			t.Errorf("a is back: leases of %v and %v, b was told %s", r.length("a"), r.length("b"), b.told())
		}
	})
}

func TestRule25AMajorityIsNotBridged(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["a"].bridge(t)
		time.Sleep(time.Second)
		if r.length("b") != length {
			t.Errorf("b's leases are of %v, although b and c are a majority", r.length("b"))
		}
	})
}
