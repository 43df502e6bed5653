package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

// Name is how an order names a server: with its port, if it has one of its own.
func (s Server) Name() string {
	if s.Address.Port() == 0 {
		return s.Address.Addr().String()
	}
	return s.Address.String()
}

// A view is what is told of one director. It shares with the hold what is never
// changed there.
type view struct {
	config *Configuration
	orders resources.OrderBook
	down   sick
	checks map[string]check.Status // by the id of the question
	table  map[Key]map[netip.AddrPort]load
}

// A load is what the kernel counts of a server.
type load struct {
	weight           uint32
	active, inactive uint32
}

// Balance implements [resources.Balancer].
func (a *Agent) Balance(_ context.Context, r *pb.Resource) (*pb.BalanceStatus, error) {
	status := &pb.BalanceStatus{Resource: r.GetId(), Sync: strings.TrimPrefix(a.syncDetail(r), ", sync: ")}
	v := a.hold(r).view()
	if v == nil {
		return status, nil
	}
	status.Running = true
	k, err := openKernel()
	if err != nil {
		return nil, err
	}
	defer k.close()
	if v.table, err = k.loads(v.config.Keys()); err != nil {
		return nil, err
	}
	for _, virtual := range v.config.Virtuals {
		for _, key := range virtual.Keys {
			status.Services = append(status.Services, v.service(virtual, key))
		}
	}
	slices.SortFunc(status.Services, func(a, b *pb.BalancedService) int { return strings.Compare(a.Name, b.Name) })
	return status, nil
}

// view returns nil while the director does not run.
func (h *hold) view() *view {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active {
		return nil
	}
	v := &view{config: h.config, orders: h.orders.Copy(), down: maps.Clone(h.down).sick()}
	if h.checks == nil {
		return v
	}
	v.checks = make(map[string]check.Status, len(h.targets))
	for _, s := range h.checks.Status() {
		v.checks[s.ID] = s
	}
	return v
}

func (v *view) service(virtual Virtual, key Key) *pb.BalancedService {
	s := &pb.BalancedService{Name: key.String(), Scheduler: virtual.Scheduler}
	for _, r := range virtual.Reals {
		server := v.server(key, r)
		server.State = v.state(virtual, key, r, server.Order)
		server.Checks = v.answers(virtual, key, r)
		s.Servers = append(s.Servers, server)
	}
	for _, r := range virtual.Sorry {
		server := v.server(key, r)
		server.Backup, server.State = true, v.backupState(key, r, server.Order)
		s.Servers = append(s.Servers, server)
	}
	s.Counts = resources.CountServers(s.Servers)
	return s
}

func (v *view) server(key Key, r Real) *pb.BalancedServer {
	l, of := v.table[key][r.at(key)], r.of(key)
	s := &pb.BalancedServer{
		Name: of.Name(), Address: of.Name(), Weight: l.weight, ConfiguredWeight: r.Weight,
		Active: uint64(l.active), Inactive: uint64(l.inactive), Open: uint64(l.active),
	}
	if key.Protocol == UDP { // it has no established connections: all are inactive
		s.Open += s.Inactive
	}
	v.orders.Show(s, key.String())
	return s
}

// state names what keeps a server from connections, the worse of two.
func (v *view) state(virtual Virtual, key Key, r Real, order *pb.ServerOrder) pb.ServerState {
	switch {
	case order.GetMode() == pb.ServerMode_SERVER_MODE_DISABLED:
		return pb.ServerState_SERVER_STATE_DISABLED
	case virtual.down(key, r, v.down):
		return pb.ServerState_SERVER_STATE_DOWN
	case order.GetMode() == pb.ServerMode_SERVER_MODE_DRAIN:
		return pb.ServerState_SERVER_STATE_DRAINED
	default:
		return pb.ServerState_SERVER_STATE_UP
	}
}

// backupState is that of a sorry server, which has no checks.
func (v *view) backupState(key Key, r Real, order *pb.ServerOrder) pb.ServerState {
	_, serves := v.table[key][r.at(key)]
	switch {
	case order.GetMode() == pb.ServerMode_SERVER_MODE_DISABLED:
		return pb.ServerState_SERVER_STATE_DISABLED
	case order.GetMode() == pb.ServerMode_SERVER_MODE_DRAIN:
		return pb.ServerState_SERVER_STATE_DRAINED
	case serves:
		return pb.ServerState_SERVER_STATE_UP
	default:
		return pb.ServerState_SERVER_STATE_BACKUP
	}
}

// answers are what the server's checks said last.
func (v *view) answers(virtual Virtual, key Key, r Real) []*pb.ServerCheck {
	var all []*pb.ServerCheck
	for _, q := range virtual.questions(key, r) {
		id := q.id()
		_, words, _ := strings.Cut(id, " ")
		c := &pb.ServerCheck{Check: words, Result: check.Unknown.String()}
		if s, known := v.checks[id]; known {
			c.Result, c.Reason = s.State.String(), s.Reason
			c.Since, c.Latency = durationpb.New(s.Since), durationpb.New(s.Latency)
		}
		all = append(all, c)
	}
	return all
}

// loads reads what the kernel counts of the servers of services.
func (k *kernel) loads(keys []Key) (map[Key]map[netip.AddrPort]load, error) {
	list, err := k.Services()
	if err != nil && !errors.Is(err, os.ErrNotExist) { // that is: there is none
		return nil, fmt.Errorf("read the table: %w", denied(err))
	}
	all := make(map[Key]map[netip.AddrPort]load, len(keys))
	for _, s := range list {
		key := fromKernel(s.Service).Key
		if !slices.Contains(keys, key) {
			continue
		}
		servers, err := k.Destinations(s.Service)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read the servers of %s: %w", key, err)
		}
		all[key] = make(map[netip.AddrPort]load, len(servers))
		for _, d := range servers {
			all[key][netip.AddrPortFrom(d.Address, d.Port)] = load{d.Weight, d.ActiveConnections, d.InactiveConnections}
		}
	}
	return all, nil
}
