package route

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. A route serves nobody by itself, so nothing lapses. Every
// parameter is part of the route, so no change goes without a stop.
var metadata = &pb.AgentMetadata{
	Name:        "quorate:route",
	Serves:      []string{"route"},
	Summary:     "a route of the kernel, where a group runs",
	Description: "Sets a route on the node and removes it on stop. A route of another hand to the same destination is not touched.",
	Parameters: []*pb.Parameter{
		{Name: "destination", Type: "string", Required: true, Summary: "network ADDRESS/LENGTH, an address, or default"},
		{Name: "gateway", Type: "address", Summary: "next hop"},
		{Name: "device", Type: "string", Summary: "interface; empty: the one by which the gateway is reached"},
		{Name: "source", Type: "address", Summary: "address that packets are sent from"},
		{Name: "table", Type: "integer", Default: "254", Summary: "number of the routing table; 254 is main"},
		{Name: "metric", Type: "integer", Default: "0", Summary: "of several routes to a destination the lowest counts; 0: the kernel's default"},
		{Name: "type", Type: "string", Default: "unicast", Summary: "unicast, or without a next hop blackhole, unreachable or prohibit"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{},
}
