package state

import (
	"slices"

	pb "quorate/proto/quorate/v1"
)

// The policies of the option fencing: when a resource of a node that is gone may
// start elsewhere.
const (
	FencingNone     = "none"     // at once
	FencingStop     = "stop"     // when the node must have stopped it by itself
	FencingWatchdog = "watchdog" // when its watchdog must have reset it, too
	FencingPower    = "power"    // when a device, or an operator, has confirmed the node off

	ofTheCluster = "cluster" // of a resource: what the property says
)

// FencingOf is the fencing policy of a resource: its own, or the cluster's.
func FencingOf(s *pb.State, resource string) string {
	if own := Meta(s, resource, "fencing"); own != ofTheCluster {
		return own
	}
	return Property(s, "fencing")
}

// NeedsPower reports whether anything waits for a node that is gone to be switched off.
func NeedsPower(s *pb.State) bool {
	return slices.ContainsFunc(s.GetResources(), func(r *pb.Resource) bool {
		return !r.Deleting && FencingOf(s, r.Id) == FencingPower
	})
}
