package state

import (
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func create(c *pb.Constraint) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
}

func located(l *pb.Location) *pb.Edit {
	return create(&pb.Constraint{Kind: &pb.Constraint_Location{Location: l}})
}

func colocated(c *pb.Colocation) *pb.Edit {
	return create(&pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: c}})
}

func ordered(o *pb.Order) *pb.Edit {
	return create(&pb.Constraint{Kind: &pb.Constraint_Order{Order: o}})
}

func TestWhatNoSchedulerObeysIsRefused(t *testing.T) {
	sets := []*pb.ResourceSet{{Resources: []string{"vip", "db"}}}
	for want, e := range map[string]*pb.Edit{
		"location rules":    located(&pb.Location{Resource: "vip", Rule: &pb.Rule{}}),
		"resource-discover": located(&pb.Location{Resource: "vip", Node: "na", Discovery: pb.Discovery_DISCOVERY_NEVER}),
		"resource sets":     colocated(&pb.Colocation{Sets: sets}),
		"resource sets are": ordered(&pb.Order{Sets: sets}),
		"influence":         colocated(&pb.Colocation{Resource: "vip", With: "db", Influence: new(bool)}),
		"orders of stops":   ordered(&pb.Order{First: "vip", Then: "db", ThenAction: pb.OrderAction_ORDER_ACTION_STOP}),
		"utilization":       {Kind: &pb.Edit_UpdateNode{UpdateNode: &pb.UpdateNode{Name: "na", SetUtilization: map[string]string{"cpu": "1"}}}},
	} {
		if err := newCluster(t).propose(change(e)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v answered %v, want %q", e, err, want)
		}
	}
}
