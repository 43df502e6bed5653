package lease

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var duo = []string{"a", "b"}

// alone extends a's lease by itself until stop is called.
func (r *room) alone() (stop func()) {
	a, done, ended := r.engines["a"], make(chan struct{}), make(chan struct{})
	r.tasks.Go(func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				_ = a.Prolong("b", r.Now())
			}
		}
	})
	return func() { close(done); <-ended }
}

func TestANodeOfAPairKeepsItsLeaseByItself(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		stop := r.alone()
		r.isolate("b", true)
		time.Sleep(5 * time.Second)
		if !r.held("a") || r.engines["a"].told() != "[regained]" {
			t.Errorf("a: held %v, told %s; want the lease it had", r.held("a"), r.engines["a"].told())
		}
		if r.held("b") {
			t.Error("b, which does not extend its lease, holds it")
		}
		stop()
		last := time.Now()
		for r.held("a") {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(last); d > length {
			t.Errorf("the lease outlived the last check by %v, want at most %v", d, length)
		}
	})
}

// S1: what the guard has silenced meanwhile, the peer may have found free.
func TestALeaseThatIsKeptAloneIsOverWithItsGuard(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		a := r.engines["a"]
		stop := r.alone()
		defer stop()
		r.isolate("b", true)
		time.Sleep(2 * time.Second)
		stalled := make(chan struct{})
		a.mu.Lock()
		a.stalled = stalled
		guarded := a.guarded
		a.mu.Unlock()
		for r.held("a") && r.Now() < guarded+length {
			time.Sleep(time.Millisecond)
		}
		if now := r.Now(); now > guarded+time.Millisecond {
			t.Errorf("the lease is held %v after the guard had ended", now-guarded)
		}
		close(stalled)
		time.Sleep(5 * time.Second)
		if r.held("a") {
			t.Error("the lease came back with the guard")
		}
	})
}

// Lease protocol, section 3, b: once lapsed a node may not extend itself.
func TestALapsedNodeCannotExtendItsLease(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.isolate("b", true)
		for r.held("a") {
			time.Sleep(time.Millisecond)
		}
		if err := r.engines["a"].Prolong("b", r.Now()); !errors.Is(err, ErrLapsed) {
			t.Errorf("Prolong: %v, want %v", err, ErrLapsed)
		}
		if r.held("a") {
			t.Error("a lapsed lease was extended")
		}
	})
}

// What was asked before a freeze is answered after it: the lease is over by
// then, although no timer has had the time to say so.
func TestAFrozenNodeCannotExtendItsLease(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.isolate("b", true)
		time.Sleep(length * 3 / 4)
		a, check := r.engines["a"], r.Now()
		_, deadline, _ := a.Held()
		r.frozen.Add(int64(deadline - check)) // no timer tells
		if err := a.Prolong("b", check); !errors.Is(err, ErrLapsed) {
			t.Errorf("Prolong: %v, want %v", err, ErrLapsed)
		}
		time.Sleep(time.Millisecond)
		if got, want := a.told(), "[regained lapsed]"; got != want {
			t.Errorf("a's rights were told %s, want %s", got, want)
		}
	})
}

func TestAnExtensionCountsFromTheStartOfItsCheck(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.isolate("b", true)
		time.Sleep(length / 2)
		check := r.Now()
		time.Sleep(100 * time.Millisecond)
		if err := r.engines["a"].Prolong("b", check); err != nil {
			t.Fatal(err)
		}
		if _, deadline, _ := r.engines["a"].Held(); deadline != check+length {
			t.Errorf("the lease ends %v after the check began, want %v", deadline-check, length)
		}
		if err := r.engines["a"].Prolong("b", r.Now()+time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, deadline, _ := r.engines["a"].Held(); deadline > r.Now()+length {
			t.Error("a check in the future was believed")
		}
	})
}

func TestNoExtensionUnlessTwoVoteAndThePeerIsSilent(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		for peer, want := range map[string]error{"b": ErrHeard, "a": ErrNoPair, "c": ErrNoPair} {
			if err := r.engines["a"].Prolong(peer, r.Now()); !errors.Is(err, want) {
				t.Errorf("Prolong past %s: %v, want %v", peer, err, want)
			}
		}
	})
	inRoom(t, trio, func(r *room) {
		r.isolate("b", true)
		time.Sleep(length)
		if err := r.engines["a"].Prolong("b", r.Now()); !errors.Is(err, ErrNoPair) {
			t.Errorf("with three voters: %v, want %v", err, ErrNoPair)
		}
	})
}

// An acked beat and an extension take nothing from each other: the later counts.
func TestTheLaterOfAcksAndExtensionsCounts(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		defer r.alone()()
		for range 4 {
			r.isolate("b", true)
			time.Sleep(700 * time.Millisecond)
			r.isolate("b", false)
			time.Sleep(300 * time.Millisecond)
		}
		if got := r.engines["a"].told(); got != "[regained]" {
			t.Errorf("a's rights were told %s, want the lease it had", got)
		}
	})
}

// Rule 13 in a pair: from the check on no ack, and nothing is built on it before
// it is on disk.
func TestRule13ABoundNodeAcksItsPeerOnlyUnderANewEpoch(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		a := r.engines["a"]
		a.mu.Lock()
		a.saving = 50 * time.Millisecond
		a.mu.Unlock()
		r.isolate("b", true)
		time.Sleep(Threshold(length))
		peer := a.Peer("b")
		began := time.Now()
		var epoch uint64
		var silence time.Duration
		var err error
		bound := make(chan struct{})
		r.tasks.Go(func() {
			defer close(bound)
			epoch, silence, err = a.Bind(r.ctx, nil, "b", peer.Last)
		})
		time.Sleep(10 * time.Millisecond)
		r.isolate("b", false) // while the disk works
		<-bound
		if err != nil || epoch != 1 || silence < Threshold(length) {
			t.Fatalf("Bind: epoch %d, silence %v, %v", epoch, silence, err)
		}
		if a.stored("b") != 1 || time.Since(began) < 50*time.Millisecond {
			t.Error("Bind returned before the testimony was on disk")
		}
		time.Sleep(100 * time.Millisecond)
		if r.held("b") && r.epoch("b") == 1 {
			t.Error("a acks an epoch that it is bound against")
		}
		time.Sleep(2 * time.Second)
		if !r.held("b") || r.epoch("b") != 2 {
			t.Errorf("b: held %v, epoch %d; want the lease of epoch 2", r.held("b"), r.epoch("b"))
		}
	})
}

// Lease protocol, section 3: a beat that passes between the tie-breakers and
// their end makes them worthless.
func TestNobodyIsBoundAgainstAPeerThatWasHeardMeanwhile(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		a := r.engines["a"]
		r.isolate("b", true)
		time.Sleep(Threshold(length))
		before := a.Peer("b").Last
		r.isolate("b", false)
		time.Sleep(100 * time.Millisecond)
		r.isolate("b", true)
		time.Sleep(Threshold(length))
		if _, _, err := a.Bind(r.ctx, nil, "b", before); !errors.Is(err, ErrHeard) {
			t.Errorf("Bind: %v, want %v", err, ErrHeard)
		}
		if _, _, err := a.Bind(r.ctx, nil, "b", a.Peer("b").Last+1); !errors.Is(err, ErrHeard) {
			t.Errorf("Bind by a time that never was: %v, want %v", err, ErrHeard)
		}
		if _, _, err := a.Bind(r.ctx, nil, "b", a.Peer("b").Last); err != nil {
			t.Errorf("Bind after a new silence: %v", err)
		}
	})
}

// A node that boots without its peer has applied nothing, and may testify to
// what it knew before.
func TestABlankNodeIsBoundByWhatItKnewBefore(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.engines["a"].end()
		r.isolate("b", true)
		known := r.store.Get().State
		r.isolate("a", true) // and applies nothing
		a := r.sit("a", 2, map[string]uint64{})
		a.Engine.mu.Lock()
		a.applied = applied{nodes: map[string]member{}}
		a.Engine.mu.Unlock()
		time.Sleep(Threshold(length))
		if _, _, err := a.Bind(r.ctx, &pb.State{}, "b", 0); !errors.Is(err, ErrNoPair) {
			t.Errorf("Bind by nothing: %v, want %v", err, ErrNoPair)
		}
		if epoch, _, err := a.Bind(r.ctx, known, "b", 0); err != nil || epoch != 1 || a.stored("b") != 1 {
			t.Errorf("Bind: epoch %d, %v; stored %d", epoch, err, a.stored("b"))
		}
	})
}

func TestNobodyIsBoundBeforeTheThreshold(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		a := r.engines["a"]
		r.isolate("b", true)
		time.Sleep(Threshold(length) - 100*time.Millisecond)
		if _, _, err := a.Bind(r.ctx, nil, "b", a.Peer("b").Last); !errors.Is(err, ErrHeard) {
			t.Errorf("Bind: %v, want %v", err, ErrHeard)
		}
	})
}

// A node that goes on alone where checks are configured ends with the last one.
func TestASurvivorWithChecksHoldsItsLeaseByThem(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		r.elect([]string{"a"})
		defer r.lead("a")()
		r.isolate("b", true)
		time.Sleep(time.Second)
		a := r.engines["a"]
		if !r.held("a") || len(r.ends()) != 1 {
			t.Fatalf("a: held %v, b gone %d times", r.held("a"), len(r.ends()))
		}
		a.Apply(forked(r.store.Get().State))
		for range 20 {
			a.Vouch(r.Now())
			time.Sleep(100 * time.Millisecond)
		}
		if got := a.told(); !r.held("a") || got != "[regained]" {
			t.Errorf("while checks succeed: held %v, told %s", r.held("a"), got)
		}
		last := time.Now()
		for r.held("a") {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(last); d > length {
			t.Errorf("the lease outlived the last check by %v, want at most %v", d, length)
		}
		time.Sleep(5 * time.Second)
		if epoch := state.NodeByID(r.store.Get().State, "a").Epoch; epoch != 1 {
			t.Errorf("a began %d epochs that it could not hold a lease under", epoch-1)
		}
		a.Vouch(r.Now())
		time.Sleep(200 * time.Millisecond)
		a.Apply(forked(r.store.Get().State))
		a.Vouch(r.Now())
		time.Sleep(100 * time.Millisecond)
		if !r.held("a") {
			t.Error("a check succeeds again, and the node holds no lease")
		}
	})
}

// Going on alone changes what the lease counts by, from its extensions to checks
// of the same kind. Nothing that is served may fall silent for that.
func TestAForkCostsItsNodeNoLease(t *testing.T) {
	inRoom(t, duo, func(r *room) {
		stop := r.alone()
		r.isolate("b", true)
		time.Sleep(5 * time.Second)
		stop()
		a, alone := r.engines["a"], forked(r.store.Get().State)
		state.NodeByID(alone, "b").Admission = pb.Admission_ADMISSION_GONE
		alone.Electorate = &pb.Electorate{Version: alone.Electorate.Version + 1, Voters: []string{"a"}}
		a.Apply(alone)
		if got := a.told(); !r.held("a") || got != "[regained]" {
			t.Errorf("after the fork: held %v, told %s; want the lease it had", r.held("a"), got)
		}
	})
}

// stored is the epoch of a node that is testified to on disk.
func (s *seat) stored(node string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks[node]
}

// forked is a state as it is while a goes on without b, with a ping target.
func forked(st *pb.State) *pb.State {
	st = proto.CloneOf(st)
	st.Properties = map[string]string{"quorum.ping": "10.0.0.254"}
	st.Forks = []*pb.Fork{{Number: 1, Id: "x", Node: "a", Peer: "b"}}
	return st
}
