package api

import (
	"context"
	"fmt"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// RunByHand has this node's agent do something about a resource that nothing ordered. That
// somebody does it is committed first, so that nobody else is given the resource
// meanwhile; and again afterwards, so that the cluster looks what became of it.
func (c clusterService) RunByHand(ctx context.Context, r *pb.RunByHandRequest) (*pb.RunByHandResponse, error) {
	if err := c.enrolled(); err != nil {
		return nil, err
	}
	st := c.state.Get().State
	res, err := oneResource(st, r.Resource)
	if err != nil {
		return nil, err
	}
	if agent, err := c.agents.Find(res.Agent); err != nil {
		return nil, precondition("agent", err.Error(), "")
	} else if err := resources.Missing(agent); err != nil {
		return nil, precondition("agent", err.Error(), "")
	}
	here := state.NodeByID(st, c.self.Info().ID)
	h := &pb.RunByHand{Resource: res.Id, Node: here.GetId(), Epoch: here.GetEpoch(), Action: r.Action, Force: r.Force}
	looks := r.Action == pb.OperationKind_OPERATION_KIND_MONITOR
	if !looks {
		if _, err := c.propose(ctx, &pb.Command{Body: &pb.Command_RunByHand{RunByHand: h}}); err != nil {
			return nil, err
		}
	}
	order := &pb.ExecuteRequest{
		Operation: &pb.Operation{Kind: r.Action}, Resource: res, Instancing: state.Instancing(st, res.Id, h.Node),
	}
	answer, err := c.executor.RunByHand(ctx, order, r.Trace)
	if !looks {
		c.ranByHand(ctx, h, err == nil && answer.Outcome == pb.Outcome_OUTCOME_DONE)
	}
	if err != nil {
		return nil, err
	}
	answer.Node = here.GetName()
	return answer, nil
}

// ranByHand commits that it was done, also when who asked has gone. Where that cannot be
// committed the resource is left alone until a cleanup.
func (c clusterService) ranByHand(ctx context.Context, h *pb.RunByHand, done bool) {
	h.Ended, h.Failed = true, !done
	if _, err := c.propose(context.WithoutCancel(ctx), &pb.Command{Body: &pb.Command_RunByHand{RunByHand: h}}); err != nil {
		c.logger.Warn("what was done by hand is not known to the cluster", "resource", h.Resource, "err", err)
	}
}

// oneResource returns the resource of an id, or the only one that a clone or group of
// that id has.
func oneResource(st *pb.State, id string) (*pb.Resource, error) {
	switch members := state.Members(st, id); len(members) {
	case 0:
		return nil, &state.Refusal{Code: state.NotFound, Field: "resource", Problem: fmt.Sprintf("there is no resource %q", id), Fix: "see `quorate resource status`"}
	case 1:
		return state.ResourceByID(st, members[0]), nil
	default:
		return nil, invalid("resource", fmt.Sprintf("%s is of several", id), "name one of "+strings.Join(members, ", "))
	}
}
