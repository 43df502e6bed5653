package pair

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/cluster/lease"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A home is all that a driver of node a sees, and where it acts.
type home struct {
	t      *testing.T
	driver *Driver
	ctx    context.Context
	began  time.Time

	mu       sync.Mutex
	st       *pb.State
	changed  chan struct{}
	stale    bool          // what is known is from before the start
	last     time.Duration // when the peer was last heard; zero: never
	silent   bool          // it is heard no more
	deadline time.Duration // of the lease
	targets  bool
	pinged   bool // targets answer
	claims   map[string]*resources.Claim
	deaf     error // the LAN cannot be asked
	asked    []string
	bindErr  error
	forkErr  error
	forks    int
	events   []string
	kept     func() // called when the lease is kept by itself, if not nil
}

// at lives a in a home whose peer, b, owns the address vip and is heard.
func at(t *testing.T, f func(h *home)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &home{t: t, began: time.Now(), changed: make(chan struct{}), claims: map[string]*resources.Claim{}}
		h.st = &pb.State{
			ClusterId: "c", Properties: map[string]string{"no-quorum-policy": "ignore"},
			Nodes: []*pb.Node{
				{Id: "1", Name: "a", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED, Epoch: 3},
				{Id: "2", Name: "b", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED, Epoch: 5},
			},
			Electorate: &pb.Electorate{Version: 2, Voters: []string{"1", "2"}},
			Resources: []*pb.Resource{
				{Id: "db", Agent: "process"}, {Id: "vip", Agent: "address"}, {Id: "vip2", Agent: "address"},
			},
			Assignments: []*pb.Assignment{
				{Resource: "db", Node: "2", Epoch: 5, Number: 1},
				{Resource: "vip", Node: "2", Epoch: 5, Number: 2},
				{Resource: "vip2", Node: "1", Epoch: 3, Number: 3},
			},
		}
		h.last = h.Now()
		h.driver = New(Config{
			Self: "1", Length: length, Clock: h, State: h, Lease: h, Agents: h, Reach: h, Log: h, Fork: h.fork,
			Logger: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		h.ctx = ctx
		var running sync.WaitGroup
		running.Go(func() { _ = h.driver.Run(ctx) })
		running.Go(func() { h.live(ctx) })
		synctest.Wait()
		f(h)
		cancel()
		running.Wait()
	})
}

// live has the peer be heard, and beats be acked by it, every 65 ms.
func (h *home) live(ctx context.Context) {
	for ctx.Err() == nil {
		h.mu.Lock()
		if !h.silent {
			h.last = h.Now()
			h.deadline = h.last + length
		}
		h.mu.Unlock()
		select {
		case <-time.After(65 * ms):
		case <-ctx.Done():
		}
	}
}

func (h *home) with(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *home) phase() Phase {
	return Phase(h.driver.Status().GetPhase())
}

func (h *home) Now() time.Duration { return time.Since(h.began) + time.Hour }

func (h *home) Get() state.Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return state.Snapshot{State: h.st, Index: 1}
}

func (h *home) Current() bool { h.mu.Lock(); defer h.mu.Unlock(); return !h.stale }

func (h *home) Changed() <-chan struct{} { h.mu.Lock(); defer h.mu.Unlock(); return h.changed }

func (h *home) Held() (uint64, time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return 3, h.deadline, h.Now() < h.deadline
}

func (h *home) Peer(string) lease.Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return lease.Peer{Last: h.last, Silence: h.Now() - h.last}
}

func (h *home) Prolong(_ string, start time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Now() >= h.deadline {
		return lease.ErrLapsed
	}
	h.deadline = max(h.deadline, start+length)
	if h.kept != nil {
		h.kept()
	}
	return nil
}

func (h *home) Vouch(time.Duration) {}

func (h *home) Bind(_ context.Context, _ *pb.State, _ string, last time.Duration) (uint64, time.Duration, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != last {
		return 0, 0, lease.ErrHeard
	}
	return 5, h.Now() - last, h.bindErr
}

func (h *home) Newest() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pinged {
		return h.Now(), h.targets
	}
	return h.last - length, h.targets
}

func (h *home) Hurry(bool) {}

// fork changes the state as the command does.
func (h *home) fork(_ context.Context, peer string, epoch uint64, silence time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forks++
	if h.forkErr != nil {
		return h.forkErr
	}
	if peer != "2" || epoch != 5 || silence < threshold {
		h.t.Errorf("fork without %s at epoch %d after %v", peer, epoch, silence)
	}
	h.alone()
	return nil
}

func (h *home) alone() {
	h.st = &pb.State{
		ClusterId: "c", Properties: h.st.Properties, Resources: h.st.Resources,
		Nodes:      []*pb.Node{h.st.Nodes[0], {Id: "2", Name: "b", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_GONE, Epoch: 5}},
		Electorate: &pb.Electorate{Version: 3, Voters: []string{"1"}},
		Forks:      []*pb.Fork{{Number: 1, Id: "x", Node: "1", Peer: "2"}},
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *home) Propose(_ context.Context, c *pb.Command) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range c.GetRecord().GetEvents() {
		h.events = append(h.events, e.Kind+": "+e.Text)
	}
	return nil
}

func (h *home) Find(name string) (resources.Agent, error) {
	if name == "address" {
		return address{home: h}, nil
	}
	return process{}, nil
}

// A process cannot be asked for; an address can.
type process struct{ resources.Agent }

type address struct {
	resources.Agent
	home *home
}

func (a address) Ask(_ context.Context, r *pb.Resource, again bool) (*resources.Claim, error) {
	time.Sleep(180 * ms)
	h := a.home
	h.mu.Lock()
	defer h.mu.Unlock()
	how := ""
	if again {
		how = " again"
	}
	h.asked = append(h.asked, r.Id+how)
	return h.claims[r.Id], h.deaf
}

func TestTheSurvivorAsksForWhatThePeerMayServeAndForks(t *testing.T) {
	at(t, func(h *home) {
		time.Sleep(time.Second)
		if got := h.phase(); got != Together {
			t.Fatalf("with a peer that is heard it is %v", got)
		}
		h.with(func() { h.silent = true })
		time.Sleep(time.Second)
		if got := h.phase(); got != Forked || h.forks != 1 {
			t.Errorf("it is %v after %d forks, want alone after one", got, h.forks)
		}
		// Not for db, which has no address, nor for vip2, which it serves itself.
		if want := []string{"vip"}; !slices.Equal(h.asked, want) {
			t.Errorf("it asked for %v, want %v", h.asked, want)
		}
		if _, _, held := h.Held(); !held {
			t.Error("its lease ended meanwhile")
		}
	})
}

// What may not run here anyway holds nobody back.
func TestAnAddressThatIsKeptOffTheNodeIsNotAskedFor(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() {
			h.silent, h.deaf = true, errors.New("there is no interface eth7")
			h.st.Constraints = []*pb.Constraint{{Id: "ban", Kind: &pb.Constraint_Location{
				Location: &pb.Location{Resource: "vip", Node: "a", Score: -state.Infinity},
			}}}
		})
		time.Sleep(time.Second)
		if got := h.phase(); got != Forked || len(h.asked) > 0 {
			t.Errorf("it is %v, asked for %v", got, h.asked)
		}
	})
}

// S1: the owner answers, so only the path between the two is cut.
func TestAnOwnerThatAnswersHoldsItsPeerBack(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() {
			h.silent = true
			h.claims["vip"] = &resources.Claim{By: "02:00:00:00:00:01", Address: "10.0.0.9", Link: "eth0"}
		})
		time.Sleep(5 * time.Second)
		status := h.driver.Status()
		if h.phase() != HeldBack || h.forks > 0 || !strings.Contains(status.Reason, "02:00:00:00:00:01") {
			t.Errorf("it is %v after %d forks: %s", h.phase(), h.forks, status.Reason)
		}
		if n := len(h.asked); n < 4 || n > 6 {
			t.Errorf("it asked %d times in 5 s, want once a second", n)
		}
		h.with(func() { h.silent = false })
		time.Sleep(time.Second)
		if got := h.phase(); got != Together {
			t.Errorf("it is %v after the repair", got)
		}
		if want := "pair-together: a hears b again; meanwhile it was held back: another host, 02:00:00:00:00:01"; len(h.events) != 1 || !strings.HasPrefix(h.events[0], want) {
			t.Errorf("the events are %q", h.events)
		}
	})
}

// S6: a node that was held back while the other went on alone says so once it
// follows that one's log.
func TestANodeThatWasHeldBackSaysSoWhenItFollowsAgain(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() {
			h.silent = true
			h.claims["vip"] = &resources.Claim{By: "02:00:00:00:00:01"}
		})
		time.Sleep(2 * time.Second)
		h.with(func() {
			h.st = &pb.State{
				ClusterId: "c", Nodes: h.st.Nodes, Electorate: &pb.Electorate{Version: 3, Voters: []string{"2"}},
				Forks: []*pb.Fork{{Number: 1, Id: "x", Node: "2", Peer: "1"}},
			}
			close(h.changed)
			h.changed = make(chan struct{})
		})
		time.Sleep(time.Second)
		if len(h.events) != 1 || !strings.Contains(h.events[0], "before, it was held back: another host") {
			t.Errorf("the events are %q", h.events)
		}
	})
}

func TestWhoAsksTooCountsOnlyIfItGoesFirst(t *testing.T) {
	for priority, want := range map[string]Phase{"": Forked, "1": HeldBack} {
		at(t, func(h *home) {
			h.with(func() {
				h.silent = true
				h.st.Nodes[1].Attributes = map[string]string{"priority": priority}
				h.claims["vip"] = &resources.Claim{By: "02:00:00:00:00:01", Asking: true}
			})
			time.Sleep(2 * time.Second)
			if got := h.phase(); got != want {
				t.Errorf("with priority %q of the other it is %v, want %v", priority, got, want)
			}
		})
	}
}

func TestACutOffNodeTakesNothingOver(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() { h.silent, h.targets = true, true })
		time.Sleep(2 * time.Second)
		if _, _, held := h.Held(); h.phase() != CutOff || h.forks > 0 || held || len(h.asked) > 0 {
			t.Errorf("it is %v after %d forks, holds its lease: %v, asked for %v", h.phase(), h.forks, held, h.asked)
		}
		h.with(func() { h.pinged = true })
		time.Sleep(time.Second)
		if got := h.phase(); got != Forked || len(h.asked) < 2 { // vip2, too: it is not served here any more
			t.Errorf("with a target that answers again it is %v, asked for %v", got, h.asked)
		}
	})
}

// A peer that is heard at the last moment makes no failure of a fork that is none.
func TestAPeerHeardAtTheLastMomentIsWelcome(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() { h.silent, h.bindErr = true, lease.ErrHeard })
		time.Sleep(700 * ms)
		h.with(func() { h.silent = false })
		time.Sleep(200 * ms)
		if got := h.phase(); got != Together || h.forks > 0 {
			t.Errorf("it is %v after %d forks, want together", got, h.forks)
		}
	})
}

func TestAForkThatFailsIsTriedAgain(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() { h.silent, h.forkErr = true, errors.New("disk full") })
		time.Sleep(900 * ms)
		if status := h.driver.Status(); h.phase() != HeldBack || !strings.Contains(status.Reason, "disk full") {
			t.Errorf("it is %v: %s", h.phase(), status.Reason)
		}
		h.with(func() { h.forkErr = nil })
		time.Sleep(2 * time.Second)
		if got := h.phase(); got != Forked || h.forks != 2 {
			t.Errorf("it is %v after %d forks, want alone after two", got, h.forks)
		}
	})
}

// wait_for_all: neither a peer that was never heard, nor one that was heard
// before it is known what it had done meanwhile, is gone on without.
func TestANodeThatHasJustStartedWaitsForItsPeer(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() { h.silent, h.stale = true, true })
		time.Sleep(5 * time.Second)
		if h.phase() != Waiting || h.forks > 0 {
			t.Fatalf("it is %v after %d forks, want that it waits", h.phase(), h.forks)
		}
		if err := h.driver.Unblock(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if got := h.phase(); got != Forked {
			t.Errorf("told to go on it is %v", got)
		}
		if err := h.driver.Unblock(); err == nil {
			t.Error("a node that waits for nobody was unblocked")
		}
	})
}

// S1: each start asks again while the two are not together, briefly just after
// the round that let this node go on, and is refused with the other's address,
// not more than once a second.
func TestAStartAsksTheLANWhileThePeerMayServe(t *testing.T) {
	at(t, func(h *home) {
		vip := h.st.Resources[1]
		if err := h.clear(vip); err != nil || len(h.asked) > 0 {
			t.Errorf("together: %v, asked for %v; want that nothing is in the way", err, h.asked)
		}
		h.with(func() { h.silent = true })
		time.Sleep(time.Second)
		if err := errors.Join(h.clear(vip), h.clear(h.st.Resources[0])); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		h.with(func() { h.claims["vip"] = &resources.Claim{By: "02:00:00:00:00:01"} })
		began := time.Now()
		for range 3 {
			if err := h.clear(vip); err == nil || !strings.Contains(err.Error(), "02:00:00:00:00:01") {
				t.Errorf("with another owner: %v", err)
			}
		}
		if took := time.Since(began); took != 3*Again {
			t.Errorf("three starts were refused within %v, want one a second", took)
		}
		if want := []string{"vip", "vip again", "vip", "vip", "vip"}; !slices.Equal(h.asked, want) {
			t.Errorf("it asked for %v, want %v", h.asked, want)
		}
		if len(h.events) != 1 || !strings.HasPrefix(h.events[0], "address-taken: vip is not started on a: another host") {
			t.Errorf("the events are %q, want one for one owner", h.events)
		}
		h.with(func() { h.claims["vip"], h.deaf = nil, errors.New("eth0 has no carrier") })
		if err := h.clear(vip); err == nil || !strings.Contains(err.Error(), "no carrier") {
			t.Errorf("without a carrier: %v", err)
		}
	})
}

// clear asks for a start that is done at once.
func (h *home) clear(r *pb.Resource) error {
	_, done, err := h.driver.Clear(h.ctx, r)
	done()
	return err
}

// S1: the peer asks for an address that is not up yet, and finds it free.
func TestAStartThatNobodyWasAskedAboutEndsBeforeTheLeaseIsKeptAlone(t *testing.T) {
	at(t, func(h *home) {
		vip, process := h.st.Resources[1], h.st.Resources[0]
		late, done, err := h.driver.Clear(h.ctx, vip)
		defer done()
		other, done, err2 := h.driver.Clear(h.ctx, process)
		defer done()
		if err := errors.Join(err, err2, late.Err()); err != nil {
			t.Fatal(err)
		}
		kept := make(chan error, 1)
		h.with(func() {
			h.silent = true
			h.kept = func() {
				select {
				case kept <- late.Err():
				default:
				}
			}
		})
		if <-kept == nil {
			t.Error("the lease is kept, and the start goes on")
		}
		if other.Err() != nil {
			t.Error("a process that has no address to ask for was kept from starting")
		}
	})
}

func TestThreeVotersAreNoPair(t *testing.T) {
	at(t, func(h *home) {
		h.with(func() {
			h.st.Properties = nil
			h.silent = true
		})
		time.Sleep(5 * time.Second)
		if status := h.driver.Status(); status != nil || h.forks > 0 {
			t.Errorf("with policy stop: %v, %d forks", status, h.forks)
		}
		if err := h.clear(h.st.Resources[1]); err != nil || len(h.asked) > 0 {
			t.Errorf("a start asked for %v: %v", h.asked, err)
		}
	})
}
