package api

import (
	"context"
	"errors"
	"fmt"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// agentService answers members.
type agentService struct {
	*Server
	pb.UnimplementedAgentServer
}

// Execute runs an operation on this node.
func (a agentService) Execute(ctx context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	if r.Operation == nil || r.Resource == nil {
		return nil, invalid("operation", "the order is not complete", "")
	}
	return a.executor.Execute(ctx, r)
}

// Operate has this node use a fencing device.
func (a agentService) Operate(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	if r.Device == nil || r.Action == "" {
		return nil, invalid("device", "the order is not complete", "")
	}
	return a.executor.Operate(ctx, r)
}

// Propose commits a command for a member that took this node for the leader.
// It is not passed on again: two nodes that each take the other for the leader
// would play ball with it.
func (a agentService) Propose(ctx context.Context, r *pb.ProposeRequest) (*pb.ProposeResponse, error) {
	if r.Command == nil {
		return nil, invalid("command", "none is given", "")
	}
	applied, err := a.own.Propose(ctx, r.Command)
	if err != nil {
		return nil, err
	}
	return &pb.ProposeResponse{Index: applied.Index, Operations: applied.Operations}, nil
}

// Validate asks this machine about a resource.
func (a agentService) Validate(ctx context.Context, r *pb.ValidateRequest) (*pb.ValidateResponse, error) {
	agent, err := a.agents.Find(r.GetResource().GetAgent())
	if err == nil {
		err = resources.Missing(agent)
	}
	if err != nil {
		return &pb.ValidateResponse{Field: "agent", Error: err.Error(), Missing: true}, nil
	}
	warnings, err := resources.Check(agent.Metadata(), r.Resource)
	var notes []string
	if err == nil {
		notes, err = agent.Validate(ctx, r.Resource)
	}
	if wrong, ok := errors.AsType[*resources.ParameterError](err); ok {
		answer := &pb.ValidateResponse{Field: wrong.Parameter, Error: sentence(wrong.Problem, wrong.Fix)}
		for _, n := range wrong.Lines {
			answer.Lines = append(answer.Lines, uint32(n))
		}
		return answer, nil
	}
	if err != nil {
		return nil, err
	}
	return &pb.ValidateResponse{Notes: notes, Warnings: warnings, Common: common(agent, r.Resource)}, nil
}

// Forget makes this node leave. The members that ask have removed it already;
// it answers once nothing is left here.
func (a agentService) Forget(ctx context.Context, _ *pb.ForgetRequest) (*pb.ForgetResponse, error) {
	a.logger.Info("forgetting the cluster", "actor", callerOf(ctx).actor)
	if err := a.forgetHere(ctx); err != nil {
		return nil, fmt.Errorf("forget the cluster: %w", err)
	}
	return &pb.ForgetResponse{}, nil
}

// Meet settles a split with the node that asks.
func (a agentService) Meet(ctx context.Context, r *pb.MeetRequest) (*pb.MeetResponse, error) {
	if node := r.GetSide().GetNode(); node == "" || node != callerOf(ctx).node {
		return nil, denied("the side is not that of the node that asks")
	}
	return a.meeting.Meet(r)
}

func sentence(problem, fix string) string {
	if fix == "" {
		return problem
	}
	return problem + "; " + fix
}
