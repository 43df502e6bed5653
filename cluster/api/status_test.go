package api

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// desk is a status service in a synctest bubble: a world whose only machine is
// a member already, without a network.
func desk(t *testing.T) (*world, statusService) {
	t.Helper()
	w := newWorld(t)
	a := &agent{world: w, name: "lvsm", member: true, still: true}
	w.agents = append(w.agents, a)
	s := &Server{self: a, state: a, log: w, own: w, sight: a, logger: slog.New(slog.DiscardHandler)}
	s.ending, s.end = context.WithCancel(t.Context())
	w.with(func() {
		if _, err := w.apply(&pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: &pb.Bootstrap{
			ClusterId: "c", ClusterName: "office", Node: &pb.Node{Id: a.Info().ID, Name: "lvsm"},
		}}}); err != nil {
			t.Fatal(err)
		}
		w.answer()
	})
	return w, statusService{Server: s}
}

// slowReader is a caller of Watch that takes an answer when it is told to.
type slowReader struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan *pb.GetResponse
}

func (r *slowReader) Context() context.Context { return r.ctx }

func (r *slowReader) Send(m *pb.GetResponse) error {
	select {
	case r.sent <- m:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

func rack(n string) *pb.Edit {
	return updateNode(&pb.UpdateNode{Name: "lvsm", SetAttributes: map[string]string{"rack": n}})
}

// watch starts a Watch that ends with the test.
func watch(t *testing.T, s statusService) *slowReader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &slowReader{ctx: ctx, sent: make(chan *pb.GetResponse)}
	var watching sync.WaitGroup
	watching.Go(func() { _ = s.Watch(&pb.WatchRequest{}, r) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	return r
}

func TestWatchSendsTheNewestToASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := desk(t)
		r := watch(t, s)
		first := <-r.sent
		if first.State.ClusterName != "office" || first.NodeName != "lvsm" || !first.Quorate || first.AsOf.AsDuration() != 7*time.Millisecond {
			t.Errorf("first response: %v", first)
		}
		must(t, w.commit(rack("1")))
		synctest.Wait() // it now waits for its reader with the state of rack 1
		for _, n := range []string{"2", "3", "4"} {
			must(t, w.commit(rack(n)))
		}
		var racks []string
		for range 2 {
			racks = append(racks, (<-r.sent).State.Nodes[0].Attributes["rack"])
		}
		if got := strings.Join(racks, " "); got != "1 4" {
			t.Errorf("racks sent: %s, want 1 4", got)
		}
		synctest.Wait()
		select {
		case again := <-r.sent:
			t.Errorf("sent again without a change: index %d", again.Index)
		default:
		}
	})
}

func TestWatchTellsOfALostQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := desk(t)
		r := watch(t, s)
		<-r.sent
		w.with(func() { w.headless = true }) // no entry of the log can tell of it
		began := time.Now()
		got := <-r.sent
		if took := time.Since(began); got.Quorate || took > lookout {
			t.Errorf("after the leader was lost: quorate %t, told after %s, want false within %s", got.Quorate, took, lookout)
		}
		if len(got.Problems) == 0 || !strings.Contains(got.Problems[0], "no leader") {
			t.Errorf("problems: %q, want the lost leader first", got.Problems)
		}
	})
}

func TestStatusOutsideOfAClusterIsEmpty(t *testing.T) {
	a := newWorld(t).boot("lvsm")
	got, err := a.status().Get(t.Context(), &pb.GetRequest{})
	if err != nil || got.State.GetClusterId() != "" || got.NodeName != "lvsm" || got.Version != "test" {
		t.Errorf("Get in no cluster: %v, %v", got, err)
	}
	for what, call := range map[string]func() error{
		"Wait":   func() error { _, err := a.status().Wait(t.Context(), &pb.WaitRequest{}); return err },
		"Why":    func() error { _, err := a.status().Why(t.Context(), &pb.WhyRequest{Resource: "x"}); return err },
		"Change": func() error { _, err := a.change(t, rack("1")); return err },
		"Start":  func() error { _, err := read(a.cluster().Start(t.Context(), &pb.StartRequest{})); return err },
		"Token":  func() error { _, err := a.cluster().CreateToken(t.Context(), &pb.CreateTokenRequest{}); return err },
	} {
		if reason, _ := Reason(call()); reason != ReasonNoCluster {
			t.Errorf("%s in no cluster: reason %q, want %s", what, reason, ReasonNoCluster)
		}
	}
}

func TestWaitReturnsOnceNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := desk(t)
		got, err := s.Wait(t.Context(), &pb.WaitRequest{Index: w.index})
		if err != nil || !got.Settled {
			t.Fatalf("Wait on an idle cluster: %v, %v", got, err)
		}
		w.with(func() { w.idle = true }) // nothing is done from now on
		must(t, w.commit(create("flag", "ocf:quorate:file", nil)))
		began := time.Now()
		got, err = s.Wait(t.Context(), &pb.WaitRequest{Index: w.index, Timeout: durationpb.New(3 * time.Second)})
		if err != nil || got.Settled || len(got.Pending) == 0 || !strings.Contains(got.Pending[0], "flag on lvsm") {
			t.Errorf("Wait for what is not done: %v, %v, want flag pending", got, err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Wait took %s, want its timeout of 3s", took)
		}
		answer := make(chan *pb.WaitResponse, 1)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			got, _ := s.Wait(t.Context(), &pb.WaitRequest{Index: w.index})
			answer <- got
		})
		defer waiting.Wait()
		synctest.Wait()
		w.with(func() { w.idle = false; w.answer() })
		if got := <-answer; !got.GetSettled() {
			t.Errorf("Wait after all was done: %v, want settled", got)
		}
		if i := state.InstanceOf(w.store.Get().State, "flag", s.self.Info().ID); i.GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING {
			t.Errorf("settled, and flag is %v", i.GetState())
		}
	})
}

func TestWaitIsForAnIndexNotYetApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := desk(t)
		next := w.store.Get().Index + 1
		got, err := s.Wait(t.Context(), &pb.WaitRequest{Index: next, Timeout: durationpb.New(time.Second)})
		if err != nil || got.Settled {
			t.Errorf("Wait for index %d, which is not applied: %v, %v", next, got, err)
		}
		if _, err := s.Wait(t.Context(), &pb.WaitRequest{Timeout: durationpb.New(-1)}); err == nil {
			t.Error("a negative timeout was accepted")
		}
	})
}

func TestWaitIsForVotersToo(t *testing.T) {
	st := &pb.State{
		Nodes: []*pb.Node{
			{Id: "1", Name: "n1", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_ADMITTED},
			{Id: "2", Name: "n2", Role: pb.Role_ROLE_REPLICA, Admission: pb.Admission_ADMISSION_ADMITTED},
			{Id: "3", Name: "n3", Role: pb.Role_ROLE_WITNESS, Admission: pb.Admission_ADMISSION_ADMITTED},
			{Id: "4", Name: "n4", Role: pb.Role_ROLE_VOTER, Admission: pb.Admission_ADMISSION_NONE},
		},
		Electorate: &pb.Electorate{Version: 3, Voters: []string{"1", "2", "9"}},
	}
	got := strings.Join(pendingVotes(st), "; ")
	if want := "n2 still votes; n3 does not vote yet; 9 was removed and still votes"; got != want {
		t.Errorf("pendingVotes\n got %s\nwant %s", got, want)
	}
}

func TestWhyNamesWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	must(t, w.commit(create("flag", "ocf:quorate:file", map[string]string{"path": "/flag"}), location("flag", "lvsm")))
	got, err := a.status().Why(t.Context(), &pb.WhyRequest{Resource: "flag"})
	must(t, err)
	if len(got.Sentences) == 0 || len(got.Scores) != 1 || got.Scores[0].Score < 50 {
		t.Errorf("why flag: %v, want sentences and the score of lvsm", got)
	}
	_, err = a.status().Why(t.Context(), &pb.WhyRequest{Resource: "flga"})
	wantRefusal(t, err, codes.NotFound, "resource", "flga")
	_, err = a.status().Why(t.Context(), &pb.WhyRequest{Resource: "flag", Node: "lvsx"})
	wantRefusal(t, err, codes.NotFound, "node", "lvsx")
}

func TestDescribeAgents(t *testing.T) {
	a := newWorld(t).boot("lvsm")
	got, err := a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{})
	if err != nil || len(got.Agents) != 1 {
		t.Errorf("all agents: %v, %v, want one", got, err)
	}
	got, err = a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{Name: "ocf:heartbeat:File"})
	if err != nil || got.Agents[0].Name != "ocf:quorate:file" {
		t.Errorf("agent by another name: %v, %v", got, err)
	}
	_, err = a.cluster().DescribeAgents(t.Context(), &pb.DescribeAgentsRequest{Name: "ocf:quorate:fil"})
	wantRefusal(t, err, codes.NotFound, "agent", "did you mean")
}

func TestResolve(t *testing.T) {
	s := &Server{resolver: phoneBook{
		"lvsm":  {"127.0.1.1", "fd00::1", "10.0.0.1"},
		"six":   {"fd00::6"},
		"alone": {"127.0.1.1"},
	}}
	tests := []struct {
		name string
		host *pb.HostSpec
		want string
	}{
		{"IPv4 of the network first", &pb.HostSpec{Name: "lvsm"}, "10.0.0.1:7480"},
		{"IPv6 if need be", &pb.HostSpec{Name: "six"}, "[fd00::6]:7480"},
		{"loopback last", &pb.HostSpec{Name: "alone"}, "127.0.1.1:7480"},
		{"given addresses", &pb.HostSpec{Name: "x", Addresses: []string{"10.0.0.2", "10.1.0.2:99", "lvsm:1"}}, "10.0.0.2:7480 10.1.0.2:99 10.0.0.1:1"},
		{"given IPv6 addresses", &pb.HostSpec{Name: "x", Addresses: []string{"fd00::2", "[fd00::3]", "[fd00::4]:99"}}, "[fd00::2]:7480 [fd00::3]:7480 [fd00::4]:99"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.resolve(t.Context(), tt.host)
			if strings.Join(got, " ") != tt.want || err != nil {
				t.Errorf("resolve(%v) = %v, %v, want %s", tt.host, got, err, tt.want)
			}
		})
	}
	for _, bad := range []string{"10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "a:b:c"} {
		_, err := s.resolve(t.Context(), &pb.HostSpec{Name: "x", Addresses: []string{bad}})
		if refused := toStatus(err); refused == nil {
			t.Errorf("address %q was accepted", bad)
		} else {
			wantRefusal(t, refused, codes.InvalidArgument, "host x addr", bad)
		}
	}
}

func TestDistinctRefusesLoopbackAmongOthers(t *testing.T) {
	at := func(name, address string) *machine {
		return &machine{node: &pb.Node{Id: name, Name: name, Addresses: []string{address}}}
	}
	err := distinct([]*machine{at("lvsm", "10.0.0.1:7480"), at("lvss", "127.0.1.1:7480")})
	wantRefusal(t, toStatus(err), codes.InvalidArgument, "host lvss", "loopback")
	if err := distinct([]*machine{at("lvsm", "127.0.0.1:1"), at("lvss", "127.0.0.1:2")}); err != nil {
		t.Errorf("a cluster within one machine: %v", err)
	}
}
