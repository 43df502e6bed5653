package api

import (
	"context"

	"quorate/cluster/forecast"
	pb "quorate/proto/quorate/v1"
)

// Simulate says what the cluster would do if things were otherwise. It refuses
// the edits that Change would refuse.
func (s statusService) Simulate(ctx context.Context, r *pb.SimulateRequest) (*pb.SimulateResponse, error) {
	if err := s.enrolled(); err != nil {
		return nil, err
	}
	d, err := s.rehearse(ctx, r.Edits)
	if err != nil {
		return nil, err
	}
	f, err := forecast.Simulate(d.base, d.state, r.WhatIf, d.at)
	if err != nil {
		return nil, err
	}
	return &pb.SimulateResponse{Forecast: f, Index: d.index - 1}, nil
}
