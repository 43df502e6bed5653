package alert

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Kinds of alerts. The first four are Pacemaker's ("CRM_alert_kind").
const (
	Node      = "node"      // a node came or went, or something is wrong with it
	Fencing   = "fencing"   // a node was fenced or could not be, or a device failed
	Resource  = "resource"  // a resource started, stopped, moved or failed
	Attribute = "attribute" // no event tells of them: decision 32
	Server    = "server"    // a real server came or went, or its service's quorum
	Cluster   = "cluster"   // what people and the cluster itself changed
)

// Kinds are all that an alert may select.
var Kinds = []string{Node, Fencing, Resource, Attribute, Server, Cluster}

// unselected are the kinds that an alert is told of only if it selects them.
var unselected = []string{Attribute, Cluster}

// ofCluster are kinds of events that are nobody's trouble: what people change, and
// how the cluster keeps itself.
var ofCluster = []string{
	"configuration", "electorate", "freed", "lease-length", "node-added", "node-removed", "ready", "token-created",
}

// ofFencing are kinds of events about fencing, beside those that say so.
var ofFencing = []string{"fenced", "node-held", "device-failed", "device-recovered"}

// KindOf is the kind of alert that an event makes.
func KindOf(e *pb.Event) string {
	switch kind := e.GetKind(); {
	case slices.Contains(ofCluster, kind):
		return Cluster
	case slices.Contains(ofFencing, kind), strings.HasPrefix(kind, "fencing-"):
		return Fencing
	case strings.HasPrefix(kind, "server-"):
		return Server
	case e.GetResource() != "":
		return Resource
	case e.GetNode() != "":
		return Node
	}
	return Cluster
}

// Wants reports whether an alert selects an event: its kind of alert, or its own.
// Without a selection those of Pacemaker count, and what happens to real servers.
func Wants(a *pb.Alert, e *pb.Event) bool {
	kind := KindOf(e)
	if len(a.GetSelect()) == 0 {
		return !slices.Contains(unselected, kind)
	}
	return slices.Contains(a.GetSelect(), kind) || slices.Contains(a.GetSelect(), e.GetKind())
}
