package api

import (
	"context"

	"google.golang.org/grpc/codes"

	pb "quorate/proto/quorate/v1"
)

// Unblock lets this node of a pair go on without a peer that it has not heard
// since it started.
func (c clusterService) Unblock(ctx context.Context, _ *pb.UnblockRequest) (*pb.UnblockResponse, error) {
	if err := c.self.Unblock(); err != nil {
		return nil, fail(codes.FailedPrecondition, ReasonPrecondition, err.Error())
	}
	c.logger.Warn("told to go on without the peer", "actor", callerOf(ctx).actor)
	return &pb.UnblockResponse{}, nil
}
