package health

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// metadata never changes. Nothing runs that could serve, so nothing lapses.
var metadata = &pb.AgentMetadata{
	Name:    "quorate:health",
	Serves:  []string{"health"},
	Summary: "a node attribute that says whether a check passes on the node",
	Description: "Checks its node again and again, and keeps the result as a node attribute, by which " +
		"rules of locations place resources. Clone it, so that it runs on every node. It never fails itself.",
	Parameters: []*pb.Parameter{
		{Name: "check", Type: "string", Reloadable: true, Summary: "the check, as in docs/checks.md: \"program command=/usr/local/bin/alive interval=5s fall=3\"; what has an address is asked at 127.0.0.1 if the check names none"},
		{Name: "file", Type: "path", Reloadable: true, Summary: "instead of a check: file on each node with a number, which becomes the value"},
		{Name: "attribute", Type: "string", Reloadable: true, Summary: "name of the attribute; empty: the resource's id"},
		{Name: "up", Type: "string", Default: "1", Reloadable: true, Summary: "its value while the check passes"},
		{Name: "down", Type: "string", Default: "0", Reloadable: true, Summary: "its value while it does not"},
		{Name: "weight", Type: "integer", Default: "1", Reloadable: true, Summary: "what the file's number is multiplied by"},
		{Name: "interval", Type: "time", Default: "1s", Reloadable: true, Summary: "how often the file is read"},
		{Name: "dampen", Type: "time", Default: "0s", Reloadable: true, Summary: "how long a new value has to stand before it counts"},
	},
	Operations: []*pb.OperationSpec{
		{Name: "start", Timeout: durationpb.New(20 * time.Second)},
		{Name: "stop", Timeout: durationpb.New(20 * time.Second)},
		{Name: "reload", Timeout: durationpb.New(20 * time.Second)},
		{Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second)},
	},
	Traits: &pb.Traits{Reloadable: true},
}
