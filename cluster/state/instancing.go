package state

import (
	"strconv"

	pb "quorate/proto/quorate/v1"
)

// Instancing is what a node is told of the clone that a resource is in; nil: it is
// in none. The names are those by which scripts know it (Pacemaker Explained 3.0,
// "Clone Resource Agent Requirements").
func Instancing(s *pb.State, resource, node string) *pb.Instancing {
	clone := CloneOf(s, resource)
	if clone == nil {
		return nil
	}
	most := strconv.Itoa(min(Copies(s, resource), hosts(s)))
	told := map[string]string{
		"clone": "0", "clone_max": most, "clone_node_max": "1", "globally_unique": "false",
		"interleave": cloneOption(clone, "interleave"), "ordered": cloneOption(clone, "ordered"), "notify": cloneOption(clone, "notify"),
	}
	i := &pb.Instancing{Told: told}
	if Promotable(s, resource) {
		i.Promotable = true
		i.Promoted = InstanceOf(s, resource, node).GetPromoted()
		promoted := strconv.Itoa(PromotedMax(s, resource))
		told["promotable"] = "true"
		told["promoted_max"], told["promoted_node_max"] = promoted, "1"
		told["master_max"], told["master_node_max"] = promoted, "1" // as scripts for Pacemaker before 2.1 read it
	}
	return i
}

// Notifies reports whether instances of a resource are told of what happens to others.
func Notifies(s *pb.State, resource string) bool {
	yes, err := ParseBool(cloneOption(CloneOf(s, resource), "notify"))
	return err == nil && yes
}

// hosts is how many nodes may host something.
func hosts(s *pb.State) int {
	n := 0
	for _, node := range s.Nodes {
		if node.Role != pb.Role_ROLE_WITNESS {
			n++
		}
	}
	return n
}
