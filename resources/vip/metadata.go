package vip

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. An address is silent at once when the node's lease
// ends, so nothing lapses; every parameter is part of the address, so no change
// goes without a stop.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:vip",
	Serves:  []string{"vip", "ocf:heartbeat:IPaddr2", "heartbeat:IPaddr2", "IPaddr2"},
	Summary: "a floating IPv4 or IPv6 address",
	Description: "Keeps an address on one node and announces it to the neighbours: at once, in a burst, " +
		"again after 1, 5 and 30 seconds, every minute while it is held, and when another host claims it.",
	Parameters: []*pb.Parameter{
		{Name: "ip", Type: "address", Required: true, Summary: "the address, IPv4 or IPv6"},
		{Name: "cidr_netmask", Type: "string", Summary: "prefix length or dotted mask; empty: that of the interface's network, else 32 or 128"},
		{Name: "nic", Type: "string", Summary: "interface; empty: the one whose network holds the address"},
		{Name: "iflabel", Type: "string", Summary: "label after the interface's name, eth0:LABEL; IPv4 only"},
		{Name: "broadcast", Type: "string", Summary: "broadcast address; empty or +: by the netmask; -: none; IPv4 only"},
		{Name: "arp_count", Type: "integer", Default: "5", Summary: "announcements in the first burst"},
		{Name: "arp_interval", Type: "integer", Default: "200", Unit: "ms", Summary: "time between them"},
		{Name: "lvs_support", Type: "boolean", Default: "false", Summary: "leave copies on the loopback interface alone, as on LVS real servers (they always are, unless nic is lo)"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{},
}
