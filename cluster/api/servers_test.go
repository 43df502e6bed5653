package api

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// balancer is a kind that has servers while it runs on a machine.
type balancer struct {
	fileAgent
	services []*pb.BalancedService

	mu      sync.Mutex
	running bool
	broken  error
	orders  []string // that it was given
}

var _ resources.Balancer = (*balancer)(nil)

func (b *balancer) Metadata() *pb.AgentMetadata {
	m := b.fileAgent.Metadata()
	m.Name, m.Serves = "test:balancer", nil
	return m
}

func (b *balancer) Balance(_ context.Context, r *pb.Resource) (*pb.BalanceStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := &pb.BalanceStatus{Resource: r.Id, Running: b.running}
	if !b.running {
		status.Sync = "backup on eth1"
		return status, b.broken
	}
	for _, s := range b.services {
		status.Services = append(status.Services, proto.CloneOf(s))
	}
	return status, b.broken
}

func (b *balancer) Order(_ context.Context, _ *pb.Resource, list []*pb.ServerOrder) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range list {
		text := fmt.Sprintf("%s in %s: %v", o.Server, o.Service, o.Mode)
		if o.Weight != nil {
			text += fmt.Sprintf(" %d", *o.Weight)
		}
		b.orders = append(b.orders, text)
	}
	return []string{"it is done"}, b.broken
}

// given returns the orders since the last call.
func (b *balancer) given() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.orders, ", ")
	b.orders = nil
	return text
}

// services have n servers each, 10.0.0.1 and so on.
func services(n int, names ...string) []*pb.BalancedService {
	var all []*pb.BalancedService
	for _, name := range names {
		s := &pb.BalancedService{Name: name}
		_, at, _ := strings.Cut(name, ":")
		for i := range n {
			address := fmt.Sprintf("10.0.%d.%d:%s", i/250, i%250+1, at)
			s.Servers = append(s.Servers, &pb.BalancedServer{Name: address, Address: address, State: pb.ServerState_SERVER_STATE_UP})
		}
		s.Counts = resources.CountServers(s.Servers)
		all = append(all, s)
	}
	return all
}

// newDirectors makes a cluster of two, the first of which runs the resource lb.
func newDirectors(t *testing.T, all []*pb.BalancedService) (owner, other *agent, at, away *balancer) {
	t.Helper()
	w := newWorld(t)
	owner, other = w.boot("lvsm"), w.boot("lvss")
	owner.setup(t, true, other)
	at, away = &balancer{services: all}, &balancer{services: all}
	must(t, owner.kinds.Register(at))
	must(t, other.kinds.Register(away))
	_, err := owner.change(t, create("lb", "test:balancer", map[string]string{"path": filepath.Join(t.TempDir(), "flag")}))
	must(t, err)
	a := state.AssignmentOf(w.store.Get().State, "lb")
	if a == nil {
		t.Fatal("lb runs nowhere")
	}
	if a.Node == other.identity.ID() {
		owner, other, at, away = other, owner, away, at
	}
	at.running = true
	return owner, other, at, away
}

func (a *agent) servers() pb.ServersClient { return pb.NewServersClient(a.local) }

func TestEveryNodeTellsOfTheServersThatOneRuns(t *testing.T) {
	owner, other, at, _ := newDirectors(t, services(3, "tcp 192.0.2.10:80", "tcp 192.0.2.10:443"))
	for _, asked := range []*agent{owner, other} {
		answer, err := asked.servers().List(t.Context(), &pb.ListServersRequest{})
		must(t, err)
		var said []string
		for _, b := range answer.Balances {
			said = append(said, fmt.Sprintf("%s %s running=%v %q services=%d", b.Resource, b.Node, b.Running, b.Sync, len(b.Services)))
		}
		want := map[string]string{
			owner.name: fmt.Sprintf(`lb %s running=true "" services=2`, owner.name), other.name: fmt.Sprintf(`lb %s running=false "backup on eth1" services=0`, other.name),
		}
		if got := strings.Join(said, "\n"); got != want["lvsm"]+"\n"+want["lvss"] {
			t.Errorf("%s says\n%s", asked.name, got)
		}
	}
	at.mu.Lock()
	at.broken = errors.New("the kernel does not answer")
	at.mu.Unlock()
	answer, err := other.servers().List(t.Context(), &pb.ListServersRequest{Resource: "lb"})
	must(t, err)
	if text := fmt.Sprint(answer.Balances); !strings.Contains(text, "the kernel does not answer") {
		t.Errorf("of a node that cannot tell it is said: %s", text)
	}
}

func TestNamesOfServersAreAsShortAsTheyAreClear(t *testing.T) {
	owner, _, at, _ := newDirectors(t, append(services(3, "tcp 192.0.2.10:80", "tcp 192.0.2.10:443"), services(1, "udp 192.0.2.11:53")...))
	tests := []struct{ resource, service, server, want string }{ // want: a part of the order, or of the refusal
		{"", "", "10.0.0.2:80", "10.0.0.2:80 in tcp 192.0.2.10:80"},
		{"", "192.0.2.10:443", "10.0.0.2", "10.0.0.2:443 in tcp 192.0.2.10:443"},
		{"lb", "192.0.2.11", "10.0.0.1", "10.0.0.1:53 in udp 192.0.2.11:53"},
		{"", "", "10.0.0.2", `"10.0.0.2" may be 10.0.0.2:80 in tcp 192.0.2.10:80 of lb, 10.0.0.2:443 in tcp 192.0.2.10:443 of lb; name one`},
		{"", "", "10.0.0.4:80", `there is no server "10.0.0.4:80"; did you mean 10.0.0.1:80 or 10.0.0.2:80 or 10.0.0.3:80?`},
		{"", "192.0.2.10:8", "10.0.0.2", `there is no service "192.0.2.10:8"; did you mean tcp 192.0.2.10:80`},
		{"bl", "", "10.0.0.2", `there is no resource or group "bl"`},
		{"", "", "", "none is named"},
	}
	for _, tt := range tests {
		_, err := owner.servers().Order(t.Context(), &pb.OrderServersRequest{
			Resource: tt.resource, Service: tt.service, Server: tt.server, Mode: pb.ServerMode_SERVER_MODE_DRAIN,
		})
		got := at.given()
		if err != nil {
			got += err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("order for %q %q %q\n got %s\nwant %s", tt.resource, tt.service, tt.server, got, tt.want)
		}
	}
	_, err := owner.servers().Order(t.Context(), &pb.OrderServersRequest{Server: "10.0.0.2", All: true, Mode: pb.ServerMode_SERVER_MODE_DRAIN})
	must(t, err)
	if got, want := at.given(), "10.0.0.2:80 in tcp 192.0.2.10:80: SERVER_MODE_DRAIN, 10.0.0.2:443 in tcp 192.0.2.10:443: SERVER_MODE_DRAIN"; got != want {
		t.Errorf("order for all\n got %s\nwant %s", got, want)
	}
}

func TestAnOrderReachesTheNodeThatRunsIt(t *testing.T) {
	_, other, at, away := newDirectors(t, services(2, "tcp 192.0.2.10:80"))
	r := func(change func(*pb.OrderServersRequest)) *pb.OrderServersRequest {
		r := &pb.OrderServersRequest{Server: "10.0.0.1"}
		change(r)
		return r
	}
	kept := func() string {
		var said []string
		for _, o := range state.ResourceByID(other.Get().State, "lb").ServerOrders {
			said = append(said, state.DescribeOrder(o))
		}
		return strings.Join(said, ", ")
	}
	steps := []struct {
		name       string
		r          *pb.OrderServersRequest
		want, kept string
		index      bool
	}{
		{"a temporary one is not in the log", r(func(r *pb.OrderServersRequest) { r.Mode = pb.ServerMode_SERVER_MODE_DRAIN }), "SERVER_MODE_DRAIN", "", false},
		{"a kept one is", r(func(r *pb.OrderServersRequest) { r.Mode, r.Kept = pb.ServerMode_SERVER_MODE_DRAIN, true }), "SERVER_MODE_DRAIN", "10.0.0.1:80 of tcp 192.0.2.10:80 drained", true},
		{"its weight too", r(func(r *pb.OrderServersRequest) { r.Weight, r.Kept = proto.Uint32(0), true }), "SERVER_MODE_READY 0", "10.0.0.1:80 of tcp 192.0.2.10:80 drained weight 0", true},
		{"enabled for a while", r(func(r *pb.OrderServersRequest) { r.Mode, r.Temporary = pb.ServerMode_SERVER_MODE_READY, true }), "SERVER_MODE_READY", "10.0.0.1:80 of tcp 192.0.2.10:80 drained weight 0", false},
		{"enabled for good", r(func(r *pb.OrderServersRequest) { r.Mode = pb.ServerMode_SERVER_MODE_READY }), "SERVER_MODE_READY", "10.0.0.1:80 of tcp 192.0.2.10:80 weight 0", true},
		{"with the configured weight", r(func(r *pb.OrderServersRequest) { r.ResetWeight = true }), "SERVER_MODE_READY", "", true},
		{"and once more, which changes nothing", r(func(r *pb.OrderServersRequest) { r.Mode = pb.ServerMode_SERVER_MODE_READY }), "SERVER_MODE_UNSPECIFIED", "", false},
	}
	for _, s := range steps {
		answer, err := other.servers().Order(t.Context(), s.r)
		must(t, err)
		if got, want := at.given(), "10.0.0.1:80 in tcp 192.0.2.10:80: "+s.want; got != want {
			t.Errorf("%s: the order is %q, want %q", s.name, got, want)
		}
		if got := kept(); got != s.kept || (answer.Index > 0) != s.index {
			t.Errorf("%s: %q is kept, with index %d; want %q", s.name, got, answer.Index, s.kept)
		}
	}
	if got := away.given(); got != "" {
		t.Errorf("a node that does not run it was ordered %q", got)
	}
	texts := 0
	for _, e := range other.Get().State.Events {
		if e.Kind == "server-order" && e.Actor != "" && strings.Contains(e.Text, "10.0.0.1:80 of tcp 192.0.2.10:80") {
			texts++
		}
	}
	if want := 5; texts != want { // those that were not kept
		t.Errorf("%d events tell of orders, want %d", texts, want)
	}
}

func TestWrongOrdersChangeNothingS8(t *testing.T) {
	owner, _, at, _ := newDirectors(t, services(2, "tcp 192.0.2.10:80"))
	tests := []struct {
		r           *pb.OrderServersRequest
		field, text string
	}{
		{&pb.OrderServersRequest{Mode: pb.ServerMode_SERVER_MODE_DRAIN}, "server", "none is named"},
		{&pb.OrderServersRequest{Server: "10.0.0.1"}, "order", "says nothing"},
		{&pb.OrderServersRequest{Server: "10.0.0.1", Mode: 77}, "mode", "77"},
		{&pb.OrderServersRequest{Server: "10.0.0.1", Weight: proto.Uint32(65536)}, "weight", "0 to 65535"},
		{&pb.OrderServersRequest{Server: "10.0.0.1", Weight: proto.Uint32(1), ResetWeight: true}, "weight", "both"},
		{&pb.OrderServersRequest{Server: "10.0.0.1", Mode: pb.ServerMode_SERVER_MODE_DRAIN, Kept: true, Temporary: true}, "kept", "both"},
	}
	for _, tt := range tests {
		_, err := owner.servers().Order(t.Context(), tt.r)
		wantRefusal(t, err, codes.InvalidArgument, tt.field, tt.text)
	}
	answer, err := owner.servers().Order(t.Context(), &pb.OrderServersRequest{Server: "10.0.0.1", Mode: pb.ServerMode_SERVER_MODE_DRAIN, Kept: true, DryRun: true})
	must(t, err)
	if len(answer.Targets) != 1 || answer.Index != 0 {
		t.Errorf("a dry run answers %v", answer)
	}
	if got := at.given(); got != "" {
		t.Errorf("orders were given: %s", got)
	}
}

func TestAKeptOrderNeedsNoRunningResourceButFullNames(t *testing.T) {
	owner, _, at, _ := newDirectors(t, services(2, "tcp 192.0.2.10:80"))
	_, err := owner.change(t, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: "lb", SetMeta: map[string]string{"target-role": "Stopped"}}}})
	must(t, err)
	at.mu.Lock()
	at.running = false
	at.mu.Unlock()
	r := &pb.OrderServersRequest{Server: "10.0.0.1:80", Mode: pb.ServerMode_SERVER_MODE_DISABLED, Kept: true}
	_, err = owner.servers().Order(t.Context(), r)
	wantRefusal(t, err, codes.FailedPrecondition, "server", "nothing that balances runs")
	r.Resource, r.Service = "lb", "tcp 192.0.2.10:80"
	_, err = owner.servers().Order(t.Context(), r)
	must(t, err)
	if orders := state.ResourceByID(owner.Get().State, "lb").ServerOrders; len(orders) != 1 {
		t.Errorf("kept: %v", orders)
	}
}

func TestAStatusTellsOfManyServersInFewWords(t *testing.T) {
	many := services(100, "tcp 192.0.2.10:80", "tcp 192.0.2.10:443")
	for i := range 20 {
		many[0].Servers[i].State = pb.ServerState_SERVER_STATE_DOWN
	}
	many[0].Counts = resources.CountServers(many[0].Servers)
	_, other, _, _ := newDirectors(t, many)
	for detail, want := range map[pb.ServerDetail]string{
		pb.ServerDetail_SERVER_DETAIL_NONE: "[]", pb.ServerDetail_SERVER_DETAIL_COUNTS: "[100:0 100:0]",
		pb.ServerDetail_SERVER_DETAIL_SOME: "[100:8 100:0]", pb.ServerDetail_SERVER_DETAIL_ALL: "[100:100 100:100]",
	} {
		if got := other.toldIn(t, detail); got != want {
			t.Errorf("%v: %s, want %s", detail, got, want)
		}
	}
}

// toldIn is how many servers there are of each service of a status, and how many are
// told. A status does not wait long for a node on a busy machine, so it is asked
// again.
func (a *agent) toldIn(t *testing.T, detail pb.ServerDetail) string {
	t.Helper()
	for {
		answer, err := a.status().Get(t.Context(), &pb.GetRequest{Servers: detail})
		must(t, err)
		told, late := []string{}, false
		for _, b := range answer.Balances {
			late = late || b.Error != ""
			for _, s := range b.Services {
				told = append(told, fmt.Sprintf("%d:%d", s.Counts.Servers, len(s.Servers)))
			}
		}
		if !late {
			return fmt.Sprint(told)
		}
	}
}
