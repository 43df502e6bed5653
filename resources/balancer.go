package resources

import (
	"context"

	pb "quorate/proto/quorate/v1"
)

// A Balancer spreads the work of a resource over servers. It tells how they are,
// and takes orders of an operator for them.
//
// An order is temporary: it is in force until the resource stops on this node, also
// over an agent's restart. Those that are kept come with the resource (its
// server_orders), to Start and to Reload; for a server that has a temporary order
// that one counts. Of an order and what the checks of a server say the worse
// counts.
type Balancer interface {
	// Balance tells of the resource on this node. Where it does not run, it says
	// only what the node does for the one that runs it. The answer is the caller's.
	Balance(ctx context.Context, r *pb.Resource) (*pb.BalanceStatus, error)
	// Order puts orders in force, each in place of the temporary one for the same
	// server; one that says nothing ends that. It returns once it is so, with notes
	// of what an operator may not expect. What names no server is an error, and
	// then none of the orders is taken.
	Order(ctx context.Context, r *pb.Resource, orders []*pb.ServerOrder) (notes []string, err error)
}
