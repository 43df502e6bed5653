package systemd

import (
	"context"
	"strings"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Traces implements [resources.Tracer]: the cgroup of a service, which systemd makes
// when the service starts, where its slice says.
func (a *Agent) Traces(*pb.Resource) []resources.Trace {
	u, err := a.look(context.Background())
	if err != nil || u.slice == "" {
		return nil
	}
	return []resources.Trace{{Kind: resources.TraceCgroup, Mark: cgroup(u.slice) + u.id}}
}

// cgroup is the path of a slice's: a slice a-b.slice is within a.slice, and the one
// that is called - is the root (systemd.slice(5)).
func cgroup(slice string) string {
	name := strings.TrimSuffix(slice, ".slice")
	if name == "-" {
		return ""
	}
	var path strings.Builder
	for i, c := range name + "-" {
		if c == '-' {
			path.WriteString(name[:i] + ".slice/")
		}
	}
	return path.String()
}
