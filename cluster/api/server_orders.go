package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A target is a server that an order is for, in one service of a resource.
type target struct {
	*pb.ServerTarget
	order *pb.ServerOrder // in force for it
	kept  *pb.ServerOrder // kept for it; nil: none
}

// Order puts an order in force on the nodes that run the resource, and keeps it if
// it is to be kept.
func (s serversService) Order(ctx context.Context, r *pb.OrderServersRequest) (*pb.OrderServersResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	if err := checkOrder(r); err != nil {
		return nil, err
	}
	targets, err := s.targets(ctx, r)
	if err != nil {
		return nil, err
	}
	answer := &pb.OrderServersResponse{}
	for _, t := range targets {
		answer.Targets = append(answer.Targets, t.ServerTarget)
	}
	if r.DryRun {
		return answer, nil
	}
	if answer.Index, err = s.keep(ctx, r, targets); err != nil {
		return nil, err
	}
	for _, id := range resourcesOf(targets) {
		notes, err := s.instruct(ctx, id, r.Kept, ordersFor(r, targets, id))
		if err != nil {
			return nil, err
		}
		answer.Notes = append(answer.Notes, notes...)
	}
	s.tellOrders(ctx, r, targets)
	slices.Sort(answer.Notes) // several nodes may say the same
	answer.Notes = slices.Compact(answer.Notes)
	return answer, nil
}

// mostWeight is that of the kernel's table; HAProxy's own bound is lower.
const mostWeight = 65535

func checkOrder(r *pb.OrderServersRequest) error {
	_, known := pb.ServerMode_name[int32(r.Mode)]
	switch {
	case r.Server == "":
		return invalid("server", "none is named", "see `quorate server list`")
	case !known:
		return invalid("mode", fmt.Sprintf("this version does not know %d", r.Mode), "")
	case r.Mode == pb.ServerMode_SERVER_MODE_UNSPECIFIED && r.Weight == nil && !r.ResetWeight:
		return invalid("order", "it says nothing", "")
	case r.GetWeight() > mostWeight:
		return invalid("weight", fmt.Sprintf("%d is no weight", r.GetWeight()), fmt.Sprintf("give 0 to %d", mostWeight))
	case r.Weight != nil && r.ResetWeight:
		return invalid("weight", "it is both set and reset", "")
	case r.Kept && r.Temporary:
		return invalid("kept", "the order is to be both kept and temporary", "give one of them")
	default:
		return nil
	}
}

// targets finds the servers that a request means.
func (s *Server) targets(ctx context.Context, r *pb.OrderServersRequest) ([]target, error) {
	if r.Kept && r.Resource != "" && r.Service != "" && s.idle(r.Resource) {
		t := target{ServerTarget: &pb.ServerTarget{Resource: r.Resource, Service: r.Service, Server: r.Server}}
		t.kept = s.keptFor(t)
		return []target{t}, nil
	}
	balances, err := s.listed(ctx, &pb.ListServersRequest{Resource: r.Resource, Service: r.Service, Server: r.Server})
	if err != nil {
		return nil, err
	}
	var all []target
	for _, b := range balances {
		if b.Error != "" {
			return nil, unfinished("resource "+b.Resource, fmt.Sprintf("%s does not tell of its servers: %s", b.Node, b.Error), "try again")
		}
		for _, v := range b.Services {
			for _, e := range v.Servers {
				t := target{ServerTarget: &pb.ServerTarget{Resource: b.Resource, Service: v.Name, Server: e.Name}, order: e.Order}
				t.kept = s.keptFor(t)
				if !slices.ContainsFunc(all, func(o target) bool { return proto.Equal(o.ServerTarget, t.ServerTarget) }) { // else another instance of a clone
					all = append(all, t)
				}
			}
		}
	}
	if len(all) > 1 && !r.All {
		return nil, ambiguous(r.Server, all)
	}
	return all, nil
}

// idle reports whether a resource has no owner: there is nobody to ask about its
// servers then, and what is kept for one that is named in full is taken as it is.
func (s *Server) idle(id string) bool {
	st := s.state.Get().State
	return state.ResourceByID(st, id) != nil && state.AssignmentOf(st, id) == nil
}

// mostChoices is how many an error lists.
const mostChoices = 5

func ambiguous(server string, all []target) error {
	var choices []string
	for _, t := range all[:min(len(all), mostChoices)] {
		choices = append(choices, fmt.Sprintf("%s in %s of %s", t.Server, t.Service, t.Resource))
	}
	text := strings.Join(choices, ", ")
	if more := len(all) - len(choices); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return invalid("server", fmt.Sprintf("%q may be %s", server, text), "name one with --service or --resource, or all with --all")
}

func (s *Server) keptFor(t target) *pb.ServerOrder {
	for _, o := range state.ResourceByID(s.state.Get().State, t.Resource).GetServerOrders() {
		if o.Service == t.Service && o.Server == t.Server {
			return o
		}
	}
	return nil
}

func resourcesOf(targets []target) []string {
	var ids []string
	for _, t := range targets {
		if !slices.Contains(ids, t.Resource) {
			ids = append(ids, t.Resource)
		}
	}
	return ids
}

// changed is an order with what the request says changed in it.
func changed(r *pb.OrderServersRequest, old *pb.ServerOrder, t target) *pb.ServerOrder {
	o := &pb.ServerOrder{Service: t.Service, Server: t.Server, Mode: old.GetMode()}
	if old != nil {
		o.Weight = old.Weight
	}
	switch r.Mode {
	case pb.ServerMode_SERVER_MODE_UNSPECIFIED:
	case pb.ServerMode_SERVER_MODE_READY:
		o.Mode = pb.ServerMode_SERVER_MODE_UNSPECIFIED
	default:
		o.Mode = r.Mode
	}
	if r.Weight != nil || r.ResetWeight {
		o.Weight = r.Weight
	}
	return o
}

// keep commits what is to outlive the resource's stop: a kept order, or the end of
// one. It returns the log index, 0 if there is nothing of the kind.
func (s *Server) keep(ctx context.Context, r *pb.OrderServersRequest, targets []target) (uint64, error) {
	ends := !r.Temporary && (r.Mode == pb.ServerMode_SERVER_MODE_READY || r.ResetWeight)
	byResource := make(map[string][]*pb.ServerOrder)
	for _, t := range targets {
		if o := changed(r, t.kept, t); (r.Kept || ends) && !(t.kept == nil && o.Mode == 0 && o.Weight == nil) {
			byResource[t.Resource] = append(byResource[t.Resource], o)
		}
	}
	var edits []*pb.Edit
	for _, id := range resourcesOf(targets) {
		if orders := byResource[id]; len(orders) > 0 {
			edits = append(edits, &pb.Edit{Kind: &pb.Edit_KeepServers{KeepServers: &pb.KeepServers{Resource: id, Orders: orders}}})
		}
	}
	if len(edits) == 0 {
		return 0, nil
	}
	answer, err := clusterService{Server: s}.Change(ctx, &pb.ChangeRequest{Edits: edits, Force: true})
	return answer.GetIndex(), err
}

// ordersFor are the orders that the nodes are given at once. Where another one is
// kept, even one that leaves all to the checks has to be said.
func ordersFor(r *pb.OrderServersRequest, targets []target, id string) []*pb.ServerOrder {
	var orders []*pb.ServerOrder
	for _, t := range targets {
		if t.Resource != id {
			continue
		}
		o := changed(r, t.order, t)
		if t.kept != nil && o.Mode == pb.ServerMode_SERVER_MODE_UNSPECIFIED {
			o.Mode = pb.ServerMode_SERVER_MODE_READY
		}
		orders = append(orders, o)
	}
	return orders
}

// instruct gives orders to every node that runs a resource, and there is none only
// if they are kept. If one of them fails the others have carried them out.
func (s *Server) instruct(ctx context.Context, id string, kept bool, orders []*pb.ServerOrder) (notes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	st := s.state.Get().State
	var failed []error
	asked := 0
	for _, n := range st.GetNodes() {
		if state.AssignmentAt(st, id, n.Id) == nil {
			continue
		}
		asked++
		answer, err := s.askBalance(ctx, n, &pb.BalanceRequest{
			Resources: []string{id}, Orders: orders, Detail: pb.ServerDetail_SERVER_DETAIL_COUNTS,
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", n.Name, FromError(err)))
		}
		notes = append(notes, answer.GetNotes()...)
	}
	if asked == 0 && !kept {
		return nil, precondition("resource", id+" runs nowhere any more", "see `quorate status`")
	}
	return notes, errors.Join(failed...)
}

// tellOrders records who ordered what, of what is not kept: that is in the log
// anyhow. It is done by then, so a log that cannot be written is not its failure.
func (s *Server) tellOrders(ctx context.Context, r *pb.OrderServersRequest, targets []target) {
	if r.Kept {
		return
	}
	var events []*pb.Event
	for _, t := range targets {
		said := &pb.ServerOrder{Service: t.Service, Server: t.Server, Mode: r.Mode, Weight: r.Weight}
		events = append(events, &pb.Event{
			Kind: "server-order", Severity: pb.Severity_SEVERITY_INFO, Resource: t.Resource, Actor: callerOf(ctx).actor,
			Text: "server " + state.DescribeOrder(said) + " while " + t.Resource + " stays where it is",
		})
	}
	cmd := &pb.Command{Body: &pb.Command_Record{Record: &pb.Record{Events: events}}}
	if _, err := s.propose(ctx, cmd); err != nil {
		s.logger.Warn("order for servers not recorded", "err", err)
	}
}
