package api

import (
	"fmt"
	"slices"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// orderWarnings are about the groups that a change makes or changes.
func (d *draft) orderWarnings() (list []string) {
	for _, g := range d.state.GetGroups() {
		if old := state.GroupByID(d.base, g.Id); !slices.Equal(old.GetMembers(), g.Members) || d.edited(g.Members) {
			list = append(list, d.tooEarly(d.state, g)...)
		}
	}
	return list
}

// edited reports whether any of some resources is another than before.
func (d *draft) edited(members []string) bool {
	return slices.ContainsFunc(members, func(id string) bool {
		return state.ResourceByID(d.state, id).GetRevision() != state.ResourceByID(d.base, id).GetRevision()
	})
}

// orderProblems are about all groups.
func (s *Server) orderProblems(st *pb.State) (list []string) {
	for _, g := range st.GetGroups() {
		list = append(list, s.tooEarly(st, g)...)
	}
	return list
}

// tooEarly says which members of a group start before one that they are of no use
// without.
func (s *Server) tooEarly(st *pb.State, g *pb.Group) (list []string) {
	for i, id := range g.Members {
		r := state.ResourceByID(st, id)
		kind, err := s.agents.Find(r.GetAgent())
		first, ok := kind.(resources.Forerunner)
		if err != nil || !ok {
			continue
		}
		for _, earlier := range g.Members[:i] {
			if why := first.Foreruns(r, state.ResourceByID(st, earlier)); why != "" {
				list = append(list, fmt.Sprintf("group %s starts %s before %s, and %s; use `quorate resource group add %s %s --before %s`",
					g.Id, earlier, id, why, g.Id, id, earlier))
			}
		}
	}
	return list
}
