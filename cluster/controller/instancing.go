package controller

import (
	"strconv"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// instancing is what a node is told of the clone that a resource is in; nil: it is
// in none. The names are those by which scripts know it (Pacemaker Explained 3.0,
// "Clone Resource Agent Requirements").
func instancing(st *pb.State, resource, node string) *pb.Instancing {
	clone := state.CloneOf(st, resource)
	if clone == nil {
		return nil
	}
	most := strconv.Itoa(min(state.Copies(st, resource), hosts(st)))
	told := map[string]string{
		"clone": "0", "clone_max": most, "clone_node_max": "1", "globally_unique": "false",
		"interleave": option(clone, "interleave"), "ordered": option(clone, "ordered"), "notify": option(clone, "notify"),
	}
	i := &pb.Instancing{Told: told}
	if state.Promotable(st, resource) {
		i.Promotable = true
		i.Promoted = state.InstanceOf(st, resource, node).GetPromoted()
		promoted := strconv.Itoa(state.PromotedMax(st, resource))
		told["promotable"] = "true"
		told["promoted_max"], told["promoted_node_max"] = promoted, "1"
		told["master_max"], told["master_node_max"] = promoted, "1" // as scripts for Pacemaker before 2.1 read it
	}
	return i
}

func option(c *pb.Clone, name string) string {
	if v, set := c.GetMeta()[name]; set {
		return v
	}
	return "false"
}

// hosts is how many nodes may host something.
func hosts(st *pb.State) int {
	n := 0
	for _, node := range st.Nodes {
		if node.Role != pb.Role_ROLE_WITNESS {
			n++
		}
	}
	return n
}
