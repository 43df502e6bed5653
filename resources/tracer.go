package resources

import pb "quorate/proto/quorate/v1"

// A Tracer knows by what the things that a resource runs are found, so that the
// node's warden can end them when the lease is over and the agent cannot.
type Tracer interface {
	// Traces returns all that a start may make, before it is made.
	Traces(r *pb.Resource) []Trace
}

// A Trace is by what something that runs is found.
type Trace struct {
	Kind TraceKind
	Mark string
}

// A TraceKind says of what a mark is a part.
type TraceKind int

// The kinds.
const (
	TraceEnvironment TraceKind = iota // NAME=VALUE, in the environment of each of its processes
	TraceArgument                     // one of the arguments of each of its processes
	TraceCgroup                       // its cgroup, below the mount point of version 2
	TraceAddress                      // ADDRESS/PREFIX@INDEX, on the interface of that index
	TraceDescriptor                   // path of a file that each of its processes has open as TraceDescriptorNumber
)

// TraceDescriptorNumber is the number of the descriptor that marks processes.
const TraceDescriptorNumber = 199

// Traces returns what an agent says of a resource; none: nothing but the agent knows
// what it runs.
func Traces(a Agent, r *pb.Resource) []Trace {
	if t, ok := a.(Tracer); ok {
		return t.Traces(r)
	}
	return nil
}
