package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

const length = 400 * time.Millisecond

// A room is a few engines on a network in memory, around one replicated state
// that commits at once. The state is the real one, so NodeGone is judged by its
// rules.
type room struct {
	t     *testing.T
	began time.Time
	ctx   context.Context
	tasks sync.WaitGroup

	order   sync.Mutex // everybody applies one entry after the other
	mu      sync.Mutex
	index   uint64
	store   *state.Store
	engines map[string]*seat
	cut     map[string]bool // nodes that nothing reaches or leaves
	lags    map[string]bool // nodes that the log neither reaches nor hears
	hold    func(from, to string, d *pb.LeaseDatagram) time.Duration
	gone    []time.Time  // when NodeGone was committed
	frozen  atomic.Int64 // how long all stood still while the clock went on
}

// A seat is one node in the room.
type seat struct {
	*Engine
	room  *room
	id    string
	nonce uint64
	end   context.CancelFunc

	mu      sync.Mutex
	marks   map[string]uint64
	saving  time.Duration // how long a testimony takes to store
	halting time.Duration // how long the end of what is served takes
	jammed  error         // of the guard
	kept    bool          // the guard admits what an earlier start admitted
	guarded time.Duration // deadline of the guard
	stalled chan struct{} // until it is closed the guard is not written; nil: it is
	cleared int           // how often the guard was
	late    time.Duration // how long its next SetLength takes to arrive
	handed  int           // how often leadership was handed over
	history []string      // what its rights were told
	stands  time.Duration // the reading of its clock while that stands still; 0: it goes
	behind  time.Duration // by how much it stood still before
}

// Now implements Clock.
func (s *seat) Now() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stands > 0 {
		return s.stands
	}
	return s.room.Now() - s.behind
}

// pause stops the seat's machine, its clock with it, as a virtual machine is paused.
func (s *seat) pause() {
	now := s.Now()
	s.mu.Lock()
	s.stands = now
	s.mu.Unlock()
	s.room.isolate(s.id, true)
}

// resume lets it go on where it stood.
func (s *seat) resume() {
	s.mu.Lock()
	s.behind, s.stands = s.room.Now()-s.stands, 0
	s.mu.Unlock()
	s.room.isolate(s.id, false)
}

func inRoom(t *testing.T, nodes []string, f func(*room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &room{t: t, began: time.Now(), ctx: ctx, store: state.New(), engines: map[string]*seat{}, cut: map[string]bool{}, lags: map[string]bool{}}
		defer r.tasks.Wait() // also of a test that fails
		defer cancel()
		member := func(id string) *pb.Node {
			return &pb.Node{Id: id, Name: id, Role: pb.Role_ROLE_VOTER, Addresses: []string{id + ":1"}}
		}
		r.must(&pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "c", ClusterName: "c", Node: member(nodes[0])}}})
		for _, id := range nodes[1:] {
			r.must(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: member(id)}}})
		}
		for _, id := range nodes {
			r.sit(id, 1, map[string]uint64{})
		}
		for i := range nodes {
			time.Sleep(3 * commitPause)
			r.elect(nodes[:i+1])
		}
		time.Sleep(200 * time.Millisecond)
		f(r)
	})
}

// sit starts an engine for a node, as a new start of its agent.
func (r *room) sit(id string, nonce uint64, marks map[string]uint64) *seat {
	s := &seat{}
	r.take(s, id, nonce, marks)
	return s
}

func (r *room) take(s *seat, id string, nonce uint64, marks map[string]uint64) {
	s.room, s.id, s.nonce, s.marks = r, id, nonce, marks
	s.Engine = New(Config{
		Self: id, Nonce: nonce, BootID: "b", Version: "v", Length: length,
		Clock: s, Network: s, Marks: s, Guard: s, Log: s, Rights: s, Observer: s,
		StepDown: s.stepDown, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, end := context.WithCancel(r.ctx)
	s.end = end
	r.mu.Lock()
	r.engines[id] = s
	r.mu.Unlock()
	s.Apply(r.store.Get().State)
	r.tasks.Go(func() { _ = s.Run(ctx) })
}

// elect makes the electorate these nodes, if it is one step away.
func (r *room) elect(voters []string) {
	r.t.Helper()
	e := r.store.Get().State.Electorate
	if len(e.Voters) == len(voters) {
		return
	}
	r.must(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{FromVersion: e.Version, Voters: voters}}})
}

func (r *room) must(c *pb.Command) {
	r.t.Helper()
	if err := r.Propose(r.t.Context(), c); err != nil {
		r.t.Fatalf("%v: %v", c, err)
	}
}

// Propose implements Log: a node that is cut off, or lags, reaches no leader.
func (s *seat) Propose(ctx context.Context, c *pb.Command) error {
	s.room.mu.Lock()
	lost := s.room.cut[s.id] || s.room.lags[s.id]
	s.room.mu.Unlock()
	if lost {
		return errors.New("no leader")
	}
	if c.GetSetLength() != nil {
		s.mu.Lock()
		late := s.late
		s.late = 0
		s.mu.Unlock()
		if late > 0 { // it waits in the hands of the leader, and its sender gives up
			s.room.tasks.Go(func() {
				time.Sleep(late)
				s.tellf("%v", s.room.Propose(s.room.ctx, c))
			})
			<-ctx.Done()
			return ctx.Err()
		}
	}
	return s.room.Propose(ctx, c)
}

func (r *room) Now() time.Duration {
	return time.Since(r.began) + time.Hour + time.Duration(r.frozen.Load())
}

func (r *room) Propose(_ context.Context, c *pb.Command) error {
	r.order.Lock()
	defer r.order.Unlock()
	r.mu.Lock()
	r.index++
	c.Level, c.ProposedAt = 1, timestamppb.Now()
	data, err := proto.Marshal(c)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	answer := r.store.Apply(&raft.Log{Index: r.index, Data: data})
	if _, ok := answer.(*state.Applied); ok && c.GetNodeGone() != nil {
		r.gone = append(r.gone, time.Now())
	}
	engines, st := maps.Clone(r.engines), r.store.Get().State
	reachable := map[string]bool{}
	for id := range engines {
		reachable[id] = !r.cut[id] && !r.lags[id]
	}
	r.mu.Unlock()
	for id, e := range engines {
		if reachable[id] {
			e.Apply(st)
		}
	}
	if refused, ok := answer.(error); ok {
		return refused
	}
	return nil
}

func (s *seat) Send(to string, d *pb.LeaseDatagram) error {
	r := s.room
	r.mu.Lock()
	target, lost, hold := r.engines[to], r.cut[s.id] || r.cut[to], r.hold
	r.mu.Unlock()
	if target == nil || lost {
		return nil
	}
	took := time.Millisecond
	if hold != nil {
		took += hold(s.id, to, d)
	}
	d = proto.CloneOf(d)
	r.tasks.Go(func() {
		select {
		case <-time.After(took):
			r.mu.Lock()
			target, lost := r.engines[to], r.cut[to] // whoever sits there by now
			r.mu.Unlock()
			if !lost {
				target.Receive(s.id, d)
			}
		case <-r.ctx.Done():
		}
	})
	return nil
}

func (s *seat) Load() (map[string]uint64, error) { return maps.Clone(s.marks), nil }

func (s *seat) Save(node string, epoch uint64) error {
	s.mu.Lock()
	saving := s.saving
	s.mu.Unlock()
	time.Sleep(saving)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[node] = epoch
	return nil
}

func (s *seat) tellf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, fmt.Sprintf(format, args...))
}

func (s *seat) Regained()                                   { s.tellf("regained") }
func (s *seat) Drop(string)                                 { s.tellf("dropped") }
func (s *seat) Silent(string, uint64, time.Time, time.Time) {}
func (s *seat) Testified(string, uint64, time.Time)         {}
func (r *room) ends() []time.Time                           { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.gone) }
func (r *room) held(id string) bool                         { _, _, ok := r.engines[id].Held(); return ok }
func (r *room) epoch(id string) uint64                      { return state.NodeByID(r.store.Get().State, id).Epoch }
func (r *room) isolate(id string, cut bool)                 { r.mu.Lock(); r.cut[id] = cut; r.mu.Unlock() }
func (r *room) lag(id string, lags bool)                    { r.mu.Lock(); r.lags[id] = lags; r.mu.Unlock() }
func (r *room) delay(f func(string, string, *pb.LeaseDatagram) time.Duration) {
	r.mu.Lock()
	r.hold = f
	r.mu.Unlock()
}

// lead makes a node the leader until end is called.
func (r *room) lead(id string) (end func()) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.tasks.Go(func() { _ = r.engines[id].Lead(ctx) })
	return cancel
}

var trio = []string{"a", "b", "c"}

func TestALeaseIsHeldWithinABeat(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		for _, id := range trio {
			if !r.held(id) {
				t.Errorf("%s holds no lease in a healthy cluster", id)
			}
		}
	})
}

// Rule 9: the lease is counted from when the beat was sent, not from when its
// ack came; and S1: it has ended when NodeGone can exist.
func TestRule9ACutOffNodeLapsesBeforeItIsGone(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		r.isolate("a", true)
		cut := time.Now()
		for r.held("a") {
			time.Sleep(time.Millisecond)
		}
		lapsed := time.Now()
		time.Sleep(time.Second)
		if d := lapsed.Sub(cut); d > length || d < length-100*time.Millisecond {
			t.Errorf("the lease ended %v after the cut, want at most %v", d, length)
		}
		if len(r.ends()) != 1 {
			t.Fatalf("NodeGone was committed %d times, want once", len(r.ends()))
		}
		if d := r.ends()[0].Sub(cut); !r.ends()[0].After(lapsed) || d > Threshold(length)+20*time.Millisecond {
			t.Errorf("gone %v after the cut, the lease having ended after %v", d, lapsed.Sub(cut))
		}
	})
}

func TestALeaderThatDiesLapsesNobody(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		end := r.lead("a")
		end()
		r.isolate("a", true)
		time.Sleep(2 * time.Second) // nobody leads
		for _, id := range []string{"b", "c"} {
			if !r.held(id) || r.engines[id].told() != "[regained]" {
				t.Errorf("%s: held %v, told %s; want the lease it had", id, r.held(id), r.engines[id].told())
			}
		}
	})
}

// Acks that come late extend the lease by what is left of it, not by a length.
func TestRule9LateAcksDoNotStretchTheLease(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		const late = 300 * time.Millisecond
		r.delay(func(_, to string, d *pb.LeaseDatagram) time.Duration {
			if d.GetAck() != nil && to == "a" {
				return late
			}
			return 0
		})
		time.Sleep(time.Second)
		_, deadline, held := r.engines["a"].Held()
		if left := deadline - r.Now(); !held || left > length-late {
			t.Errorf("held %v with %v left, although acks take %v", held, left, late)
		}
	})
}

// Rule 13: from the check of the silence on, no ack; the disk may take its time.
func TestRule13NoAckBetweenTheMarkAndTheTestimony(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		for _, id := range []string{"b", "c"} {
			s := r.engines[id]
			s.mu.Lock()
			s.saving = 3 * s.Interval // so that beats come meanwhile
			s.mu.Unlock()
		}
		defer r.lead("b")()
		r.isolate("a", true)
		time.Sleep(Threshold(length) + 5*time.Millisecond) // marked, not yet stored
		r.isolate("a", false)
		for len(r.ends()) == 0 {
			if r.held("a") {
				t.Fatal("a got its lease back while testimonies against it were being stored")
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if !r.held("a") || r.epoch("a") != 2 {
			t.Errorf("after the repair: held %v, epoch %d; want the lease of epoch 2", r.held("a"), r.epoch("a"))
		}
	})
}

// Rule 13: marks are loaded before the first ack.
func TestRule13ATestimonySurvivesTheVotersRestart(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.isolate("c", true) // only b can ack a's beats
		old := r.engines["b"]
		old.end()
		r.sit("b", 2, map[string]uint64{"a": 1})
		time.Sleep(2 * length)
		if r.held("a") && r.epoch("a") == 1 {
			t.Error("b acks an epoch that it testified against before its restart")
		}
	})
}

// Rule 12: a voter counts silence from when it began to listen.
func TestRule12AYoungVoterDoesNotTestify(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["c"].end()
		r.isolate("a", true)
		time.Sleep(Threshold(length) - 50*time.Millisecond)
		r.sit("c", 2, map[string]uint64{})
		began := time.Now()
		defer r.lead("b")()
		for len(r.ends()) == 0 && time.Since(began) < 2*time.Second {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(began); d < Threshold(length) {
			t.Errorf("a was declared gone %v after c began to listen, want at least %v", d, Threshold(length))
		}
	})
}

// H5: an ack for an earlier start of the agent counts for nothing, though the
// beats have the same numbers, for each start begins anew with them.
func TestH5AcksOfAnEarlierStartDoNotCount(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.delay(func(_, to string, d *pb.LeaseDatagram) time.Duration {
			if d.GetAck() != nil && to == "a" {
				return 200 * time.Millisecond
			}
			return 0
		})
		r.engines["a"].end()
		r.sit("a", 2, map[string]uint64{})
		time.Sleep(100 * time.Millisecond)
		r.engines["a"].end()
		r.sit("a", 3, map[string]uint64{})
		r.delay(func(from, to string, d *pb.LeaseDatagram) time.Duration {
			if d.GetBeat() != nil && from == "a" {
				return time.Hour // nobody hears the new start
			}
			return 0
		})
		for range 300 {
			if r.held("a") {
				t.Fatal("the new start holds a lease that nobody acked")
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// Rule 17 and H10: a node without a lease resigns its epoch and asks for a new
// one, so that a single testimony cannot keep it out for ever.
func TestRule17AStuckNodeBeginsANewEpoch(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["b"].mark("a", 1) // b testified, no NodeGone followed
		r.isolate("c", true)        // and then c died
		time.Sleep(3 * length)
		if !r.held("a") || r.epoch("a") != 2 {
			t.Errorf("held %v under epoch %d, want the lease of epoch 2", r.held("a"), r.epoch("a"))
		}
		got := r.engines["a"].told()
		if want := "[regained lapsed dropped regained]"; got != want {
			t.Errorf("a's rights were told %s, want %s", got, want)
		}
	})
}

// Rule 18: a voter that testified, without a NodeGone, would keep this node's lease
// from outlasting a change of voters for ever.
func TestRule18AnEpochThatAVoterNeverAcksIsRenewed(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		a, more := r.engines["a"], []string{"a", "b", "c", "d"}
		time.Sleep(length)
		if a.Renew(more) {
			t.Fatal("an epoch that nobody refuses was ended")
		}
		r.engines["b"].mark("a", 1)
		time.Sleep(length)
		if a.Outlasts(more) || !r.held("a") {
			t.Fatalf("outlasts with two acks of four: %v, held: %v", a.Outlasts(more), r.held("a"))
		}
		if !a.Renew(more) {
			t.Fatal("the epoch was not ended")
		}
		time.Sleep(length)
		if !r.held("a") || r.epoch("a") != 2 || !a.Outlasts(more) {
			t.Errorf("held %v under epoch %d, want the lease of epoch 2, acked by three", r.held("a"), r.epoch("a"))
		}
	})
}

// H12: one voter with a bad link stops nobody.
func TestH12OneRefusalIsAMissingAck(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		r.engines["b"].mark("a", 1)
		time.Sleep(3 * length)
		if !r.held("a") || r.epoch("a") != 1 {
			t.Errorf("held %v under epoch %d, want the lease of epoch 1", r.held("a"), r.epoch("a"))
		}
	})
}

// Rule 11 and H11: after Admit the voters have heard nothing for long, and the
// first beat may take a while.
func TestRule11AYoungEpochIsNotAskedAbout(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		defer r.lead("b")()
		r.isolate("a", true)
		time.Sleep(2 * time.Second)
		r.delay(func(from, _ string, _ *pb.LeaseDatagram) time.Duration {
			if from == "a" {
				return length / 2
			}
			return 0
		})
		r.isolate("a", false)
		r.engines["a"].Apply(r.store.Get().State)
		time.Sleep(2 * time.Second)
		if !r.held("a") || len(r.ends()) != 1 || r.epoch("a") != 2 {
			t.Errorf("held %v, gone %d times, epoch %d; want back at once under epoch 2", r.held("a"), len(r.ends()), r.epoch("a"))
		}
	})
}

// Rule 20: a change of voters costs nobody the lease, and is confirmed.
func TestRule20AChangeOfVotersIsConfirmedUnderTheLease(t *testing.T) {
	inRoom(t, []string{"a", "b", "c", "d"}, func(r *room) {
		e := r.store.Get().State.Electorate
		r.must(&pb.Command{Body: &pb.Command_SetElectorate{SetElectorate: &pb.SetElectorate{FromVersion: e.Version, Voters: []string{"a", "b", "c"}}}})
		if !r.held("a") {
			t.Error("the lease ended with the change")
		}
		time.Sleep(100 * time.Millisecond)
		for _, n := range r.store.Get().State.Nodes {
			if n.ElectorateConfirmed != e.Version+1 {
				t.Errorf("%s confirmed version %d, want %d", n.Name, n.ElectorateConfirmed, e.Version+1)
			}
		}
	})
}

// Rule 20: from one voter to two the lease lives on only if the new one has
// acked beats before.
func TestRule20ANewVotersAcksAreWaitedFor(t *testing.T) {
	inRoom(t, []string{"a", "b"}, func(r *room) {
		r.elect([]string{"a"})
		time.Sleep(100 * time.Millisecond)
		if !r.engines["a"].Outlasts([]string{"a", "b"}) {
			t.Error("b acks, and a's lease would not outlast its vote")
		}
		r.isolate("b", true)
		time.Sleep(length)
		if !r.held("a") || r.engines["a"].Outlasts([]string{"a", "b"}) {
			t.Errorf("held %v; b acks nothing, and a's lease would outlast its vote", r.held("a"))
		}
		if !r.engines["a"].Outlasts([]string{"a"}) || !r.engines["b"].Outlasts([]string{"a"}) {
			t.Error("a's lease, or that of b, which has none, is in the way of an electorate of a")
		}
	})
}

func TestDatagramsLostAndReordered(t *testing.T) {
	inRoom(t, trio, func(r *room) {
		var n atomic.Int64
		r.delay(func(string, string, *pb.LeaseDatagram) time.Duration {
			i := n.Add(1)
			if i%5 == 0 {
				return time.Hour // lost
			}
			return time.Duration(i%7) * 10 * time.Millisecond
		})
		for range 300 {
			time.Sleep(10 * time.Millisecond)
			for _, id := range trio {
				if !r.held(id) {
					t.Fatalf("%s lost its lease to a fifth of lost datagrams", id)
				}
			}
		}
	})
}

func TestVotersAndStateAgreeOnTheThreshold(t *testing.T) {
	for l := time.Nanosecond; l < time.Second; l = l*7/5 + 1 {
		if got, want := Threshold(l), state.Threshold(l); got != want {
			t.Errorf("Threshold(%v) = %v, the state judges by %v", l, got, want)
		}
	}
}

func TestFileMarksSurviveAndRefuseGarbage(t *testing.T) {
	path := t.TempDir() + "/marks.json"
	f := NewFileMarks(path)
	if m, err := f.Load(); err != nil || len(m) != 0 {
		t.Fatalf("Load of no file: %v, %v", m, err)
	}
	if err := errors.Join(f.Save("a", 3), f.Save("b", 1), f.Save("a", 2)); err != nil {
		t.Fatal(err)
	}
	m, err := NewFileMarks(path).Load()
	if err != nil || m["a"] != 3 || m["b"] != 1 {
		t.Errorf("loaded %v, %v; want a 3, b 1", m, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewFileMarks(path).Load(); err == nil {
		t.Error("a torn file was read as no testimony")
	}
}
