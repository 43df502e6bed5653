package state

import (
	"fmt"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// standings returns what a node says of how far it is, by resource, and tells of
// those that it is ready for now.
func (d *draft) standings(n *pb.Node, said []*pb.Standing) []*pb.Standing {
	var list []*pb.Standing
	for _, s := range said {
		if ResourceByID(d.State, s.GetResource()) == nil || slices.ContainsFunc(list, func(k *pb.Standing) bool { return k.Resource == s.Resource }) {
			continue
		}
		now := &pb.Standing{Resource: s.Resource, Ready: s.Ready, Text: s.Text, Since: d.at}
		if before := StandingOf(n, s.Resource); before != nil && before.Ready == s.Ready {
			now.Since = before.Since
		} else if s.Ready {
			d.record(&pb.Event{
				Kind: "ready", Node: n.Name, Resource: s.Resource, Severity: pb.Severity_SEVERITY_INFO,
				Text: fmt.Sprintf("%s is ready to take %s over: %s", n.Name, s.Resource, s.Text),
			})
		}
		list = append(list, now)
	}
	slices.SortFunc(list, func(a, b *pb.Standing) int { return strings.Compare(a.Resource, b.Resource) })
	return list
}

// StandingOf returns how far a node is for a resource, or nil.
func StandingOf(n *pb.Node, resource string) *pb.Standing {
	i, found := slices.BinarySearchFunc(n.GetStandings(), resource, func(s *pb.Standing, resource string) int { return strings.Compare(s.Resource, resource) })
	if !found {
		return nil
	}
	return n.Standings[i]
}
