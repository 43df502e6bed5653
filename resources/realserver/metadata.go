package realserver

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. A real server owns nothing that another could not have
// at the same time, so nothing lapses.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:realserver",
	Serves:  []string{"realserver"},
	Summary: "an LVS real server: takes what a director sends to its addresses",
	Description: "Has the addresses of virtual services on lo, where no neighbour is told of them, so that packets of " +
		"a director (direct routing, tunnel) are served here and answered to the client. Run it as a clone, on all real " +
		"servers; a node may be director and real server of an address.",
	Parameters: []*pb.Parameter{
		{Name: "ip", Type: "string", Required: true, Reloadable: true, Summary: "the addresses of the virtual services, IPv4 and IPv6, with blanks between them"},
		{Name: "forward", Type: "string", Default: "direct", Reloadable: true, Summary: "how the director reaches this node: direct or tunnel"},
		{Name: "nic", Type: "string", Reloadable: true, Summary: "interfaces that are kept from answering for the addresses, by ARP settings of their own; empty: all, by those of the host"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "reload", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{Reloadable: true},
}
