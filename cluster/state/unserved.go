package state

import pb "quorate/proto/quorate/v1"

// What the schema can say already and no scheduler of live clusters obeys yet is
// refused, not kept.

func checkServed(c *pb.Constraint) error {
	l, t, o := c.GetLocation(), c.GetColocation(), c.GetOrder()
	switch {
	case l.GetRule() != nil:
		return unserved("location", "location rules are", "name the nodes")
	case l.GetScoreAttribute() != "" || l.GetDiscovery() != pb.Discovery_DISCOVERY_ALWAYS:
		return unserved("location", "score-attribute and resource-discovery are", "leave them out")
	case len(t.GetSets())+len(o.GetSets()) > 0:
		return unserved("constraint", "resource sets are", "write one constraint a pair")
	case t.GetNodeAttribute() != "" || t != nil && t.Influence != nil:
		return unserved("colocation", "node-attribute and influence are", "leave them out")
	case o.GetFirstAction() != o.GetThenAction() || o.GetFirstAction() != pb.OrderAction_ORDER_ACTION_START || o.GetAnyInstance():
		return unserved("order", "orders of stops and require-all are", "order starts")
	default:
		return nil
	}
}

func checkNoUtilization(field string, utilization map[string]string) error {
	if len(utilization) > 0 {
		return unserved(field, "utilization is", "leave it out")
	}
	return nil
}

func unserved(field, what, fix string) error {
	return refuse(Invalid, field, fix, "%s not available in this version", what)
}
