package node

import (
	"time"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// An expected is a resource of which this node has to hear something first.
type expected struct {
	resource *pb.Resource
	agent    resources.Rehearser
}

// rehearse is how long to wait before a node that does not stand is asked again.
const rehearse = time.Second

// standings are how far this node is for the resources that need it, and when that
// may be otherwise. It has heard nothing of the time before it was admitted: it may
// have been cut off.
func (t *reporter) standings(n *pb.Node) (list []*pb.Standing, wait time.Duration) {
	if t.epoch != n.Epoch {
		t.epoch, t.admitted = n.Epoch, time.Now()
	}
	wait = idle
	for _, x := range t.awaited {
		r := x.agent.Rehearse(x.resource)
		if r == nil {
			continue
		}
		left := r.Length - min(time.Since(r.Since), time.Since(t.admitted))
		stands := !r.Since.IsZero()
		list = append(list, &pb.Standing{Resource: x.resource.Id, Ready: stands && left <= 0, Text: r.Text})
		switch {
		case !stands:
			wait = min(wait, rehearse)
		case left > 0:
			wait = min(wait, left)
		}
	}
	return list, wait
}

// sameStandings reports whether the state says of a node what it would report.
func sameStandings(n *pb.Node, list []*pb.Standing) bool {
	if len(list) != len(n.Standings) {
		return false
	}
	for _, s := range list {
		known := state.StandingOf(n, s.Resource)
		if known == nil || !proto.Equal(s, &pb.Standing{Resource: known.Resource, Ready: known.Ready, Text: known.Text}) {
			return false
		}
	}
	return true
}
