package state

import (
	"cmp"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// The queries below return nil for what is not there. What they return is part
// of the state and must not be modified.

// NodeByID returns a node by its UUID.
func NodeByID(s *pb.State, id string) *pb.Node {
	for _, n := range s.GetNodes() { // sorted by name, and few
		if n.Id == id {
			return n
		}
	}
	return nil
}

// NodeByName returns a node by the name that people use.
func NodeByName(s *pb.State, name string) *pb.Node {
	return get(s.GetNodes(), name, byName)
}

// NodeName returns the name of a node for people; of a former node, the id.
func NodeName(s *pb.State, id string) string {
	if n := NodeByID(s, id); n != nil {
		return n.Name
	}
	return id
}

// ResourceByID returns a resource, also one that is being deleted.
func ResourceByID(s *pb.State, id string) *pb.Resource {
	return get(s.GetResources(), id, byID)
}

// GroupByID returns a group.
func GroupByID(s *pb.State, id string) *pb.Group {
	return get(s.GetGroups(), id, byID)
}

// GroupOf returns the group that a resource is a member of.
func GroupOf(s *pb.State, resource string) *pb.Group {
	for _, g := range s.GetGroups() {
		if slices.Contains(g.Members, resource) {
			return g
		}
	}
	return nil
}

// CloneByID returns a clone.
func CloneByID(s *pb.State, id string) *pb.Clone {
	return get(s.GetClones(), id, byID)
}

// CloneOf returns the clone that a resource or group is in, if only through its
// group.
func CloneOf(s *pb.State, id string) *pb.Clone {
	if len(s.GetClones()) == 0 {
		return nil
	}
	group := GroupOf(s, id).GetId()
	for _, c := range s.Clones {
		if c.Member == id || group != "" && c.Member == group {
			return c
		}
	}
	return nil
}

// Members returns the ids of a group's members in start order, or the id of a
// resource alone; of a clone those of what it multiplies; nil when there is none
// of them.
func Members(s *pb.State, id string) []string {
	if c := CloneByID(s, id); c != nil {
		id = c.Member
	}
	if g := GroupByID(s, id); g != nil {
		return g.Members
	}
	if ResourceByID(s, id) != nil {
		return []string{id}
	}
	return nil
}

// ConstraintByID returns a constraint.
func ConstraintByID(s *pb.State, id string) *pb.Constraint {
	return get(s.GetConstraints(), id, byID)
}

// AssignmentOf returns who owns a resource; of a cloned one, the first who does.
func AssignmentOf(s *pb.State, resource string) *pb.Assignment {
	if list := AssignmentsOf(s, resource); len(list) > 0 {
		return list[0]
	}
	return nil
}

// AssignmentsOf returns all who own a resource: several only of a cloned one.
func AssignmentsOf(s *pb.State, resource string) []*pb.Assignment {
	list := s.GetAssignments()
	from, _ := slices.BinarySearchFunc(list, place{resource, ""}, byOwner)
	to := from
	for to < len(list) && list[to].Resource == resource {
		to++
	}
	return list[from:to]
}

// AssignmentAt returns the right of a node to a resource.
func AssignmentAt(s *pb.State, resource, node string) *pb.Assignment {
	return get(s.GetAssignments(), place{resource, node}, byOwner)
}

// InstanceOf returns what is known of a resource on a node. Nil means that
// nothing was learned of it there yet.
func InstanceOf(s *pb.State, resource, node string) *pb.Instance {
	return get(s.GetInstances(), place{resource, node}, byPlace)
}

// OperationByID returns an operation whose result is not yet known.
func OperationByID(s *pb.State, id uint64) *pb.Operation {
	return get(s.GetOperations(), id, byNumber)
}

// OperationOn returns the operation of a resource under way on a node; there is
// at most one.
func OperationOn(s *pb.State, resource, node string) *pb.Operation {
	for _, o := range s.GetOperations() {
		if o.Resource == resource && o.Node == node {
			return o
		}
	}
	return nil
}

// Votes reports whether leases are counted by this node.
func Votes(s *pb.State, node string) bool {
	return slices.Contains(s.GetElectorate().GetVoters(), node)
}

// place is the key of an assignment and of an instance.
type place struct{ resource, node string }

func byID[T interface{ GetId() string }](e T, id string) int { return strings.Compare(e.GetId(), id) }

func byName(n *pb.Node, name string) int { return strings.Compare(n.Name, name) }

func byOwner(a *pb.Assignment, p place) int {
	return cmp.Or(strings.Compare(a.Resource, p.resource), strings.Compare(a.Node, p.node))
}

func byNumber(o *pb.Operation, id uint64) int { return cmp.Compare(o.Id, id) }

func byPlace(i *pb.Instance, p place) int {
	return cmp.Or(strings.Compare(i.Resource, p.resource), strings.Compare(i.Node, p.node))
}

func get[T, K any](list []T, key K, compare func(T, K) int) (found T) {
	if i, ok := slices.BinarySearchFunc(list, key, compare); ok {
		found = list[i]
	}
	return found
}
