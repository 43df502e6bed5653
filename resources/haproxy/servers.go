package haproxy

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

var _ resources.Balancer = (*Agent)(nil)

// Balance implements [resources.Balancer]. A service is a backend or a listener with
// servers; a server's checks are HAProxy's own.
func (a *Agent) Balance(ctx context.Context, r *pb.Resource) (*pb.BalanceStatus, error) {
	status := &pb.BalanceStatus{Resource: r.GetId()}
	h, s := a.hold(r), place(r, a.runDir)
	if h.ended() {
		return status, nil
	}
	status.Running = true
	pid, err := healthy(ctx, s)
	if err != nil {
		return nil, err
	}
	rows, err := askStats(ctx, s, pid)
	if err != nil {
		return nil, err
	}
	states, err := askStates(ctx, s, pid)
	if err != nil {
		return nil, err
	}
	status.Services = services(rows, states, h.book())
	return status, nil
}

// services puts together what HAProxy says, by the names of the backends.
func services(rows []row, states []serverState, book *resources.OrderBook) []*pb.BalancedService {
	known := make(map[resources.ServerName]serverState, len(states))
	for _, st := range states {
		known[resources.ServerName{Service: st.backend, Server: st.server}] = st
	}
	byName := make(map[string]*pb.BalancedService)
	for _, r := range rows {
		service := byName[r.get("pxname")]
		if service == nil {
			service = &pb.BalancedService{Name: r.get("pxname")}
			byName[service.Name] = service
		}
		if r.get("svname") == "BACKEND" {
			service.Scheduler = r.get("algo")
			continue
		}
		server := describe(r, known[resources.ServerName{Service: r.get("pxname"), Server: r.get("svname")}])
		book.Show(server, service.Name)
		service.Servers = append(service.Servers, server)
	}
	var all []*pb.BalancedService
	for _, service := range byName {
		if len(service.Servers) > 0 { // else it answers by itself: statistics, redirections
			wake(service.Servers)
			service.Counts = resources.CountServers(service.Servers)
			all = append(all, service)
		}
	}
	slices.SortFunc(all, func(a, b *pb.BalancedService) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// describe tells of one server. Its weight is 0 while it is to get nothing.
func describe(r row, st serverState) *pb.BalancedServer {
	s := &pb.BalancedServer{
		Name: r.get("svname"), Address: r.get("addr"), State: st.state(), Backup: r.get("bck") == "1",
		Weight: uint32(st.weight), ConfiguredWeight: uint32(st.initial), Active: r.number("scur"), Open: r.number("scur"),
	}
	if s.State != pb.ServerState_SERVER_STATE_UP {
		s.Weight = 0
	}
	if r.get("check_status") != "" && s.State != pb.ServerState_SERVER_STATE_DISABLED { // then it is not checked
		s.Checks = []*pb.ServerCheck{verdict(r, st)}
	}
	return s
}

func (st serverState) state() pb.ServerState {
	switch {
	case st.admin&anyMaintenance != 0:
		return pb.ServerState_SERVER_STATE_DISABLED
	case st.operational == 0:
		return pb.ServerState_SERVER_STATE_DOWN
	case st.admin&anyDrain != 0:
		return pb.ServerState_SERVER_STATE_DRAINED
	default:
		return pb.ServerState_SERVER_STATE_UP
	}
}

// verdict is what HAProxy's own check said: "L7OK", its code, and some words.
func verdict(r row, st serverState) *pb.ServerCheck {
	c := &pb.ServerCheck{Check: "haproxy", Result: "up"}
	if st.operational == 0 {
		c.Result = "down"
	}
	c.Reason = strings.Join(slices.DeleteFunc([]string{r.get("check_status"), r.get("check_code"), r.get("last_chk")},
		func(word string) bool { return word == "" }), " ")
	c.Since = durationpb.New(time.Duration(r.number("lastchg")) * time.Second)
	c.Latency = durationpb.New(time.Duration(r.number("check_duration")) * time.Millisecond)
	return c
}

// wake tells backup servers that serve, because no other can, from those that wait.
func wake(servers []*pb.BalancedServer) {
	serves := func(s *pb.BalancedServer) bool {
		return !s.Backup && s.State == pb.ServerState_SERVER_STATE_UP && s.Weight > 0
	}
	if !slices.ContainsFunc(servers, serves) {
		return
	}
	for _, s := range servers {
		if s.Backup && s.State == pb.ServerState_SERVER_STATE_UP {
			s.State = pb.ServerState_SERVER_STATE_BACKUP
		}
	}
}
