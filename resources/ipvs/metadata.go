package ipvs

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. What a table balances reaches it by an address, which is
// silent when the node's lease ends; so nothing lapses.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:ipvs",
	Serves:  []string{"ipvs", "ocf:heartbeat:ldirectord"},
	Summary: "an IPVS (LVS) director: virtual services and their real servers in the kernel",
	Description: "Keeps the kernel's table as the configuration says: only differences are written, and services " +
		"of others are left alone. Real servers are checked; one that is down gets no connection.",
	Parameters: []*pb.Parameter{
		{Name: "config", Type: "text", Reloadable: true, Summary: "the configuration, kept in the cluster: virtual, check, real and sorry lines"},
		{Name: "conffile", Type: "path", FileOf: "config", Reloadable: true, Summary: "file on each node with the configuration, instead of config"},
		{Name: "configfile", Type: "path", Reloadable: true, Summary: "ldirectord.cf on each node, instead of config; as ocf:heartbeat:ldirectord by default " + ldirectordFile},
		{Name: "ldirectord", Type: "path", Summary: "program of ocf:heartbeat:ldirectord; it is not needed, and not run"},
		{Name: "sync", Type: "string", Reloadable: true, Summary: "interface, or its network ADDRESS/LENGTH, over which connections are copied to the other nodes; empty: they are not"},
		{Name: "sync_id", Type: "integer", Default: "1", Reloadable: true, Summary: "number of these copies on that network, 1 to 255"},
		{Name: "sync_wait", Type: "duration", Default: "15s", Reloadable: true, Summary: "that a node has to receive connections before a director returns to it without need; 0: it returns at once"},
		{Name: "conntrack", Type: "boolean", Default: "false", Reloadable: true, Summary: "set net.ipv4.vs.conntrack, for firewall rules about balanced connections"},
		{Name: "sysctl", Type: "boolean", Default: "true", Reloadable: true, Summary: "set what the services need of the kernel, and restore it on stop"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "reload", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{Reloadable: true},
}
