package api

import (
	"context"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Checkpoints lists the configurations that are kept, or returns one.
func (s statusService) Checkpoints(_ context.Context, r *pb.CheckpointsRequest) (*pb.CheckpointsResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	st := s.state.Get().State
	if r.Number == 0 {
		return &pb.CheckpointsResponse{Checkpoints: headings(st.Checkpoints)}, nil
	}
	c, err := state.ConfigurationAt(st, r.Number)
	if err != nil {
		return nil, err
	}
	return &pb.CheckpointsResponse{Configuration: c}, nil
}

// headings are checkpoints without what they changed.
func headings(list []*pb.Checkpoint) []*pb.Checkpoint {
	out := make([]*pb.Checkpoint, len(list))
	for i, c := range list {
		out[i] = &pb.Checkpoint{Number: c.Number, Index: c.Index, At: c.At, Actor: c.Actor, Text: c.Text}
	}
	return out
}
