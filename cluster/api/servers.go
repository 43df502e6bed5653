package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// serversService tells of the servers that resources balance over, and orders them.
// What it tells is not in the state: the nodes that run those resources are asked.
type serversService struct {
	*Server
	pb.UnimplementedServersServer
}

// List tells of the services and servers that the names select.
func (s serversService) List(ctx context.Context, r *pb.ListServersRequest) (*pb.ListServersResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	balances, err := s.listed(ctx, r)
	if err != nil {
		return nil, err
	}
	return &pb.ListServersResponse{Balances: balances}, nil
}

// listed is what the names select, or a refusal of one that nothing has.
func (s *Server) listed(ctx context.Context, r *pb.ListServersRequest) ([]*pb.BalanceStatus, error) {
	ids, err := s.balancers(r.Resource)
	if err != nil {
		return nil, err
	}
	question := &pb.BalanceRequest{Resources: ids, Service: r.Service, Server: r.Server, Detail: r.Detail}
	balances := s.balances(ctx, question, answerTimeout)
	if r.Service == "" && r.Server == "" {
		return balances, nil
	}
	best(balances, r.Service, r.Server)
	if slices.ContainsFunc(balances, func(b *pb.BalanceStatus) bool { return len(b.Services) > 0 || b.Error != "" }) {
		return slices.DeleteFunc(balances, func(b *pb.BalanceStatus) bool { return len(b.Services) == 0 && b.Error == "" }), nil
	}
	return nil, s.noSuchServer(ctx, ids, r.Service, r.Server)
}

// balancers returns the resources that balance: those of the named resource, group
// or clone, or all.
func (s *Server) balancers(name string) ([]string, error) {
	st := s.state.Get().State
	var members []string
	if name != "" {
		if members = state.Members(st, name); len(members) == 0 {
			return nil, s.noSuchResource(name)
		}
	}
	var ids []string
	for _, r := range st.Resources {
		agent, err := s.agents.Find(r.Agent)
		if _, balances := agent.(resources.Balancer); err == nil && balances && (name == "" || slices.Contains(members, r.Id)) {
			ids = append(ids, r.Id)
		}
	}
	if name != "" && len(ids) == 0 {
		return nil, invalid("resource", fmt.Sprintf("%s balances nothing", name), "name an IPVS director or an HAProxy")
	}
	return ids, nil
}

func (s *Server) noSuchResource(name string) error {
	var known []string
	for _, r := range s.state.Get().State.Resources {
		known = append(known, r.Id)
	}
	r := &state.Refusal{Code: state.NotFound, Field: "resource", Problem: fmt.Sprintf("there is no resource or group %q", name)}
	if near := resources.Nearest(name, known, 1); len(near) > 0 {
		r.Fix = fmt.Sprintf("did you mean %q?", near[0])
	}
	return r
}

// balances asks every node that hosts about resources, all at once, and returns
// what they say by resource, then node. Of one that does not answer in time only
// that is told.
func (s *Server) balances(ctx context.Context, r *pb.BalanceRequest, patience time.Duration) []*pb.BalanceStatus {
	if len(r.Resources) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	var all []*pb.BalanceStatus
	var asked sync.WaitGroup
	for _, n := range s.state.Get().State.GetNodes() {
		if n.Role == pb.Role_ROLE_WITNESS || n.Admission != pb.Admission_ADMISSION_ADMITTED {
			continue
		}
		asked.Go(func() {
			told := s.balancesOf(ctx, n, r)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, told...)
		})
	}
	asked.Wait()
	slices.SortFunc(all, func(a, b *pb.BalanceStatus) int {
		return strings.Compare(a.Resource+"\x00"+a.Node, b.Resource+"\x00"+b.Node)
	})
	return all
}

// balancesOf asks one node. Its failure matters only for what it runs.
func (s *Server) balancesOf(ctx context.Context, n *pb.Node, r *pb.BalanceRequest) []*pb.BalanceStatus {
	answer, err := s.askBalance(ctx, n, r)
	var told []*pb.BalanceStatus
	if err != nil {
		for _, id := range r.Resources {
			if state.AssignmentAt(s.state.Get().State, id, n.Id) != nil {
				told = append(told, &pb.BalanceStatus{Resource: id, Error: status.Convert(toStatus(err)).Message()})
			}
		}
	}
	for _, b := range append(told, answer.GetBalances()...) {
		b.Node = n.Name
	}
	return slices.DeleteFunc(append(told, answer.GetBalances()...), func(b *pb.BalanceStatus) bool {
		return !b.Running && b.Sync == "" && b.Error == ""
	})
}

// maxBalances bounds an answer about servers: some 200 bytes each.
const maxBalances = 64 << 20

func (s *Server) askBalance(ctx context.Context, n *pb.Node, r *pb.BalanceRequest) (*pb.BalanceResponse, error) {
	if n.Id == s.self.Info().ID {
		return s.balanceHere(ctx, r)
	}
	conn, err := s.dialer.ClientConn(n.Id)
	if err != nil {
		return nil, err
	}
	return pb.NewAgentClient(conn).Balance(ctx, r, grpc.MaxCallRecvMsgSize(maxBalances))
}

// Balance tells a member of the servers of what runs here.
func (a agentService) Balance(ctx context.Context, r *pb.BalanceRequest) (*pb.BalanceResponse, error) {
	return a.balanceHere(ctx, r)
}

// balanceHere has the agents of this node carry out orders, and tell.
func (s *Server) balanceHere(ctx context.Context, r *pb.BalanceRequest) (*pb.BalanceResponse, error) {
	answer := &pb.BalanceResponse{}
	if len(r.Orders) > 0 && len(r.Resources) != 1 {
		return nil, invalid("orders", "they are not for one resource", "")
	}
	for _, id := range r.Resources {
		resource := state.ResourceByID(s.state.Get().State, id)
		agent, err := s.agents.Find(resource.GetAgent())
		balancer, ok := agent.(resources.Balancer)
		if err != nil || !ok {
			continue // this node has yet to learn of it
		}
		if len(r.Orders) > 0 {
			notes, err := balancer.Order(ctx, resource, r.Orders)
			if err != nil {
				return nil, precondition("server", err.Error(), "")
			}
			answer.Notes = append(answer.Notes, notes...)
		}
		b, err := balancer.Balance(ctx, resource)
		if err != nil {
			b = &pb.BalanceStatus{Resource: id, Error: err.Error()}
		}
		selectServers(b, r.Service, r.Server)
		shorten(b, r.Detail)
		answer.Balances = append(answer.Balances, b)
	}
	return answer, nil
}

// Bounds of what is told of many servers.
const (
	fewServers = 24 // of a resource, up to which all are told
	someIll    = 8  // of those that are not well, if there are more
)

// shorten leaves as much as was asked for. The counts stay.
func shorten(b *pb.BalanceStatus, detail pb.ServerDetail) {
	left, all := 0, 0
	for _, s := range b.Services {
		all += len(s.Servers)
	}
	switch {
	case detail == pb.ServerDetail_SERVER_DETAIL_SOME && all > fewServers:
		left = someIll
	case detail != pb.ServerDetail_SERVER_DETAIL_COUNTS:
		return
	}
	for _, s := range b.Services {
		s.Servers = slices.DeleteFunc(s.Servers, func(e *pb.BalancedServer) bool {
			ill := e.State != pb.ServerState_SERVER_STATE_UP && e.State != pb.ServerState_SERVER_STATE_BACKUP
			if ill && left > 0 {
				left--
				return false
			}
			return true
		})
	}
}
