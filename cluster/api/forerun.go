package api

import (
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/constraint"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// orderWarnings are about the groups and orders that a change makes or changes.
func (d *draft) orderWarnings() (list []string) {
	for _, g := range d.state.GetGroups() {
		if old := state.GroupByID(d.base, g.Id); !slices.Equal(old.GetMembers(), g.Members) || d.edited(g.Members) {
			list = append(list, d.groupTooEarly(d.state, g)...)
		}
	}
	for _, c := range d.state.GetConstraints() {
		if !proto.Equal(c, state.ConstraintByID(d.base, c.Id)) {
			list = append(list, d.orderTooEarly(d.state, c)...)
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

// A found is what was found of a configuration, which is not looked for again before
// the configuration is another: a status is asked for after every change of the state.
type found struct {
	mu   sync.Mutex
	of   uint64 // index of the configuration; 0: none was looked at
	list []string
}

// orderProblems are about all groups and orders.
func (s *Server) orderProblems(st *pb.State) []string {
	s.early.mu.Lock()
	defer s.early.mu.Unlock()
	if s.early.of == 0 || s.early.of != st.GetConfigurationIndex() {
		s.early.of, s.early.list = st.GetConfigurationIndex(), s.tooEarly(st)
	}
	return s.early.list
}

func (s *Server) tooEarly(st *pb.State) (list []string) {
	for _, g := range st.GetGroups() {
		list = append(list, s.groupTooEarly(st, g)...)
	}
	for _, c := range st.GetConstraints() {
		list = append(list, s.orderTooEarly(st, c)...)
	}
	return list
}

// groupTooEarly says which members of a group start before one that they are of no use
// without.
func (s *Server) groupTooEarly(st *pb.State, g *pb.Group) (list []string) {
	for i, id := range g.Members {
		foreruns := s.forerunner(st, id)
		for _, earlier := range g.Members[:i] {
			if why := foreruns(earlier); why != "" {
				list = append(list, fmt.Sprintf("group %s starts %s before %s, and %s; use `quorate resource group add %s %s --before %s`",
					g.Id, earlier, id, why, g.Id, id, earlier))
			}
		}
	}
	return list
}

// orderTooEarly says the same of an order of starts.
func (s *Server) orderTooEarly(st *pb.State, c *pb.Constraint) (list []string) {
	for _, o := range constraint.Orders(c.GetOrder()) {
		if c.GetOrder() == nil || o.FirstAction != pb.OrderAction_ORDER_ACTION_START || o.ThenAction != pb.OrderAction_ORDER_ACTION_START {
			continue
		}
		for _, id := range state.Members(st, o.Then) {
			foreruns := s.forerunner(st, id)
			for _, earlier := range state.Members(st, o.First) {
				if why := foreruns(earlier); why != "" {
					list = append(list, fmt.Sprintf("constraint %s starts %s before %s, and %s; delete it, and use `quorate constraint order %s then %s`",
						c.Id, earlier, id, why, id, earlier))
				}
			}
		}
	}
	return list
}

// forerunner returns what says why a resource should start before another one; it is
// empty where it need not.
func (s *Server) forerunner(st *pb.State, id string) func(other string) string {
	r := state.ResourceByID(st, id)
	kind, err := s.agents.Find(r.GetAgent())
	first, ok := kind.(resources.Forerunner)
	return func(other string) string {
		if err != nil || !ok {
			return ""
		}
		return first.Foreruns(r, state.ResourceByID(st, other))
	}
}
