package haproxy

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. A halt kills HAProxy at once when the node's lease
// ends, so nothing lapses.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:haproxy",
	Serves:  []string{"haproxy", "ocf:heartbeat:haproxy", "heartbeat:haproxy"},
	Summary: "HAProxy, with a configuration file or one kept in the cluster",
	Description: "Checks the configuration before anything is touched, runs HAProxy as master and worker, " +
		"reloads it without losing a connection, and notices at once when it ends.",
	Parameters: []*pb.Parameter{
		{Name: "conffile", Type: "path", FileOf: "config", Default: "/etc/haproxy/haproxy.cfg", Reloadable: true, Summary: "configuration file (or directory of them) on each node"},
		{Name: "config", Type: "text", Reloadable: true, Summary: "the configuration itself, kept in the cluster; instead of conffile"},
		{Name: "binpath", Type: "string", Default: "haproxy", Summary: "the program; without a slash it is looked up in PATH"},
		{Name: "extraconf", Type: "string", Summary: `more options, e.g. "-f /etc/haproxy/shared.cfg"`},
		{Name: "nonlocal_bind", Type: "boolean", Default: "true", Reloadable: true, Summary: "set ip_nonlocal_bind, so that addresses can be bound before they are here"},
		{Name: "pidfile", Type: "path", Summary: "accepted and not used: processes are found by their command line"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "reload", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(10 * time.Second)},
	},
	Traits: &pb.Traits{Reloadable: true},
}
