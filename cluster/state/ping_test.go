package state

import (
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestAPingTargetIsNoAddressOfTheCluster(t *testing.T) {
	vip := func(ip string) *pb.Edit {
		return &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: "vip", SetParameters: map[string]string{"ip": ip}}}}
	}
	ping := func(targets string) *pb.Edit { return setOptions(ofCluster, "quorum.ping", targets) }
	tests := []struct {
		name  string
		edits []*pb.Edit
		want  string // the refusal; empty: none
	}{
		{"hosts outside", []*pb.Edit{vip("192.0.2.10"), ping("192.0.2.1,192.0.2.2")}, ""},
		{"a resource's", []*pb.Edit{vip("192.0.2.10"), ping("192.0.2.1,192.0.2.10")}, "property quorum.ping: 192.0.2.10 is the address of resource vip"},
		{"a changed resource's", []*pb.Edit{ping("192.0.2.10"), vip("192.0.2.10")}, "192.0.2.10 is the address of resource vip"},
		{"a node's", []*pb.Edit{ping("10.0.0.7")}, "10.0.0.7 is an address of node na"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			if err := c.propose(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "a", Addresses: []string{"10.0.0.7:7480", "n1:7480"}}}}}); err != nil {
				t.Fatal(err)
			}
			err := c.propose(change(tt.edits...))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What a node brings in with its address must not keep people from other changes.
func TestANodeWithATargetsAddressBlocksNoOtherChange(t *testing.T) {
	c := newCluster(t)
	for _, command := range []*pb.Command{
		change(setOptions(ofCluster, "quorum.ping", "10.0.0.7")),
		{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "a", Addresses: []string{"10.0.0.7:7480"}}}}},
		change(setOptions(ofCluster, "maintenance-mode", "true")),
	} {
		if err := c.propose(command); err != nil {
			t.Fatal(err)
		}
	}
}
