package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/reach"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A site is a node "a" with its reporter, beside an admitted node "b", a router
// that answers pings, and a cable.
type site struct {
	t        *testing.T
	store    *state.Store
	reporter *reporter

	mu     sync.Mutex
	index  uint64
	refuse error // of the log
	cut    bool  // from the router
	faults map[string]*resources.Fault
	signal func()
}

func onSite(t *testing.T, ping string, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, store: state.New(), faults: map[string]*resources.Fault{}}
		s.setUp(ping)
		began := time.Now()
		p := reach.New(reach.Config{
			Clock: since(began), Open: s.open, Interval: 500 * time.Millisecond, Hurried: 50 * time.Millisecond, Patience: time.Second,
			Log: slog.New(slog.DiscardHandler),
		})
		s.reporter = &reporter{
			id: "a", store: s.store, propose: s.propose, reach: p, agents: s, logger: slog.New(slog.DiscardHandler),
			poked: make(chan struct{}, 1), gone: make(map[string]time.Time),
		}
		ctx, cancel := context.WithCancel(context.Background())
		var run sync.WaitGroup
		run.Go(func() { _ = s.reporter.Run(ctx) })
		time.Sleep(10 * time.Millisecond)
		f(s)
		cancel()
		run.Wait()
	})
}

// since is a clock that began at a time.
type since time.Time

func (c since) Now() time.Duration { return time.Since(time.Time(c)) }

func (s *site) setUp(ping string) {
	for _, c := range []*pb.Command{
		{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{ClusterId: "1", ClusterName: "c", Node: &pb.Node{Id: "a", Name: "na"}, Properties: map[string]string{"quorum.ping": ping}}}},
		{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "b", Name: "nb"}}}},
		{Body: &pb.Command_Admit{Admit: &pb.Admit{Node: "a", Nonce: 1, Lease: durationpb.New(time.Second)}}},
		{Body: &pb.Command_Admit{Admit: &pb.Admit{Node: "b", Nonce: 1, Lease: durationpb.New(time.Second)}}},
		{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{
			{Kind: &pb.Edit_CreateResource{CreateResource: &pb.CreateResource{Resource: &pb.Resource{Id: "vip", Agent: "vip"}}}},
		}}}},
	} {
		if err := s.propose(context.Background(), c); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) propose(_ context.Context, c *pb.Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	s.index++
	data, err := proto.Marshal(c)
	if err != nil {
		return err
	}
	err, _ = s.store.Apply(&raft.Log{Index: s.index, Data: data}).(error)
	return err
}

func (s *site) node() *pb.Node { return state.NodeByID(s.store.Get().State, "a") }

func (s *site) set(change func()) {
	s.mu.Lock()
	change()
	signal := s.signal
	s.mu.Unlock()
	if signal != nil {
		signal()
	}
}

// Find implements executor.Agents; the site is the only agent, and a Surveyor.
func (s *site) Find(string) (resources.Agent, error) { return surveyed{s}, nil }

type surveyed struct{ *site }

func (surveyed) Metadata() *pb.AgentMetadata                              { return &pb.AgentMetadata{} }
func (surveyed) Validate(context.Context, *pb.Resource) ([]string, error) { return nil, nil }
func (surveyed) Start(context.Context, *pb.Resource) error                { return nil }
func (surveyed) Stop(context.Context, *pb.Resource) error                 { return nil }
func (surveyed) Monitor(context.Context, *pb.Resource) (resources.State, error) {
	return resources.Stopped, nil
}

func (s surveyed) Survey(r *pb.Resource) *resources.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[r.Id]
}

func (s surveyed) Follow(ctx context.Context, changed func()) error {
	s.mu.Lock()
	s.signal = changed
	s.mu.Unlock()
	<-ctx.Done()
	return nil
}

// open implements reach.Config.Open: the router answers unless it is cut off.
func (s *site) open(bool) (reach.Socket, error) {
	return &pings{site: s, answers: make(chan []byte, 100), closed: make(chan struct{})}, nil
}

type pings struct {
	site    *site
	answers chan []byte
	closed  chan struct{}
	once    sync.Once
}

func (p *pings) Ask(_ netip.Addr, data []byte) error {
	p.site.mu.Lock()
	defer p.site.mu.Unlock()
	if !p.site.cut {
		p.answers <- slices.Clone(data)
	}
	return nil
}

func (p *pings) Answer() (netip.Addr, []byte, error) {
	select {
	case data := <-p.answers:
		return netip.MustParseAddr("192.0.2.1"), data, nil
	case <-p.closed:
		return netip.Addr{}, nil, net.ErrClosed
	}
}

func (p *pings) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

var unplugged = &resources.Fault{Kind: "carrier-lost", Text: "interface eth0 has no carrier", Obstacle: true}

func TestAnObstacleIsReportedAtOnceAndTakenBackOnceItHasSettled(t *testing.T) {
	onSite(t, "", func(s *site) {
		if o := s.node().Obstacles; len(o) > 0 {
			t.Fatalf("obstacles %v before there is one", o)
		}
		s.set(func() { s.faults["vip"] = unplugged })
		synctest.Wait()
		if o := state.ObstacleOf(s.node(), "vip"); o.GetKind() != "carrier-lost" {
			t.Errorf("obstacle is %v", o)
		}
		for range 10 { // a loose contact
			s.set(func() { delete(s.faults, "vip") })
			time.Sleep(settle / 2)
			s.set(func() { s.faults["vip"] = unplugged })
			time.Sleep(settle / 10)
		}
		events := len(s.store.Get().State.Events)
		s.set(func() { delete(s.faults, "vip") })
		time.Sleep(settle - time.Millisecond)
		if state.ObstacleOf(s.node(), "vip") == nil || len(s.store.Get().State.Events) != events {
			t.Error("the obstacle was taken back before it had settled")
		}
		time.Sleep(2 * time.Millisecond)
		if o := state.ObstacleOf(s.node(), "vip"); o != nil {
			t.Errorf("the obstacle stays: %v", o)
		}
	})
}

// An operation may meet an obstacle that is over before anybody looks for it.
func TestAnObstacleThatOnlyTheStateKnowsIsTakenBack(t *testing.T) {
	onSite(t, "", func(s *site) {
		stray := &pb.LocalTrouble{Node: "a", Epoch: 1, Obstacles: []*pb.Obstacle{{Resource: "vip", Kind: "interface-down", Text: "x"}}}
		for range 2 {
			if err := s.propose(t.Context(), &pb.Command{Body: &pb.Command_LocalTrouble{LocalTrouble: stray}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if state.ObstacleOf(s.node(), "vip") == nil {
				t.Error("taken back at once")
			}
			time.Sleep(settle + time.Millisecond)
			if o := state.ObstacleOf(s.node(), "vip"); o != nil {
				t.Errorf("the obstacle stays: %v", o)
			}
		}
	})
}

func TestAReportThatCannotBeCommittedIsTriedAgain(t *testing.T) {
	onSite(t, "", func(s *site) {
		s.set(func() { s.refuse, s.faults["vip"] = errors.New("no leader"), unplugged })
		time.Sleep(10 * time.Second)
		s.set(func() { s.refuse = nil })
		time.Sleep(reportRetry + time.Millisecond)
		if state.ObstacleOf(s.node(), "vip") == nil {
			t.Error("the obstacle is not reported")
		}
	})
}

func TestIsolationIsReportedAndOutlivesTheAgent(t *testing.T) {
	onSite(t, "192.0.2.1", func(s *site) {
		time.Sleep(time.Minute)
		s.set(func() { s.cut = true })
		time.Sleep(1100 * time.Millisecond)
		if s.node().Reach.GetIsolated() == 0 {
			t.Error("not reported within 1.1 s")
		}
		s.set(func() { s.cut = false })
		time.Sleep(3 * time.Second)
		if s.node().Reach.GetIsolated() != 0 {
			t.Error("its end is not reported within 3 s")
		}
	})
	onSite(t, "", func(s *site) {
		if err := s.propose(t.Context(), &pb.Command{Body: &pb.Command_LocalTrouble{LocalTrouble: &pb.LocalTrouble{Node: "a", Epoch: 1, Isolated: true}}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s.node().Reach.GetIsolated() != 0 {
			t.Error("isolated, without targets")
		}
	})
}

func TestTheIsolationOfAnotherIsAnsweredByAFreshPing(t *testing.T) {
	for _, cut := range []bool{false, true} {
		onSite(t, "192.0.2.1", func(s *site) {
			time.Sleep(10*time.Second + 100*time.Millisecond)
			s.set(func() { s.cut = cut }) // it was reached lately, which is no answer
			if err := s.propose(t.Context(), &pb.Command{Body: &pb.Command_LocalTrouble{LocalTrouble: &pb.LocalTrouble{Node: "b", Epoch: 1, Isolated: true}}}); err != nil {
				t.Fatal(err)
			}
			asked := state.Isolation(s.store.Get().State, "a")
			time.Sleep(60 * time.Millisecond)
			if got := s.node().Reach.GetConfirmed() >= asked; got == cut {
				t.Errorf("cut off %v: confirmed %v", cut, got)
			}
			if cut { // in the end it is isolated itself
				time.Sleep(time.Second)
				if s.node().Reach.GetIsolated() == 0 || s.node().Reach.GetConfirmed() >= asked {
					t.Errorf("reach is %v", s.node().Reach)
				}
			}
		})
	}
}

func TestAWayThatIsHeardAgainHasMended(t *testing.T) {
	s := make(silences)
	steps := []struct {
		ways map[string]bool // silent
		want string
	}{
		{map[string]bool{"n2": true, "router": false}, ""}, // nobody was heard before
		{map[string]bool{"n2": true, "router": true}, ""},
		{map[string]bool{"n2": false, "router": true}, "n2"},
		{map[string]bool{"n2": false, "router": true}, ""},
		{map[string]bool{"n2": false, "router": false}, "router"},
	}
	for i, tt := range steps {
		if got := s.mended(tt.ways); got != tt.want {
			t.Errorf("step %d: mended(%v) = %q, want %q", i, tt.ways, got, tt.want)
		}
	}
}
