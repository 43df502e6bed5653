package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// settleTime is how long a program is kept waiting for its change to be committed.
// Without a quorum it goes on, and the change is made later.
const settleTime = time.Second

// SetAttributes sets transient attributes of this node, or of another.
func (c clusterService) SetAttributes(ctx context.Context, r *pb.SetAttributesRequest) (*pb.SetAttributesResponse, error) {
	if err := c.enrolled(); err != nil {
		return nil, err
	}
	st := c.state.Get().State
	n := state.NodeByName(st, r.Node)
	switch {
	case r.Node == "" || n.GetId() == c.self.Info().ID:
		return c.setOwn(ctx, r)
	case n == nil:
		return nil, fail(codes.NotFound, ReasonNotFound, "node: there is no node "+r.Node, keyField, "node")
	}
	_, err := c.propose(ctx, &pb.Command{
		Body: &pb.Command_SetTransient{SetTransient: &pb.SetTransient{Node: n.Id, Epoch: n.Epoch, Set: r.Set}},
	})
	return &pb.SetAttributesResponse{}, err
}

func (c clusterService) setOwn(ctx context.Context, r *pb.SetAttributesRequest) (*pb.SetAttributesResponse, error) {
	names := slices.Sorted(maps.Keys(r.Set))
	for _, name := range names {
		if err := state.CheckTransient(name, r.Set[name]); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := c.attributes.Set(name, r.Set[name], r.Dampen.AsDuration()); err != nil {
			return nil, err
		}
	}
	if r.Dampen.AsDuration() > 0 {
		return &pb.SetAttributesResponse{Pending: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	return &pb.SetAttributesResponse{Pending: c.attributes.Settle(ctx, names...) != nil}, nil
}
