package state

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func transient(epoch uint64, set map[string]string) *pb.Command {
	return &pb.Command{Body: &pb.Command_SetTransient{SetTransient: &pb.SetTransient{Node: "a", Epoch: epoch, Set: set}}}
}

func TestTransientAttributesLastUntilTheNodeGoes(t *testing.T) {
	tests := []struct {
		name, then string
		want       map[string]string
	}{
		{"as long as it is there", "", map[string]string{"master-db": "10"}},
		{"over a restart of its agent", "admit a", map[string]string{"master-db": "10"}},
		{"not over a boot", "admit a boot=boot2", nil},
		{"not over its end", "gone a b=450ms c=460ms", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			for _, set := range []map[string]string{{"master-db": "5", "#health-cpu": "red"}, {"master-db": "10", "#health-cpu": ""}} {
				if err := c.propose(transient(1, set)); err != nil {
					t.Fatal(err)
				}
			}
			c.run(tt.then)
			if got := NodeByID(c.state(), "a").Transient; !maps.Equal(got, tt.want) {
				t.Errorf("it has %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTransientAttributesThatMakeNoSenseAreRefused(t *testing.T) {
	many := make(map[string]string)
	for i := range mostTransient + 1 {
		many[fmt.Sprintf("a%d", i)] = "1"
	}
	tests := []struct {
		name  string
		epoch uint64
		set   map[string]string
		want  string
	}{
		{"of an older epoch", 0, map[string]string{"a": "1"}, "not admitted at epoch 0"},
		{"without a name", 1, map[string]string{"": "1"}, "node attribute"},
		{"with a name of two words", 1, map[string]string{"a b": "1"}, "node attribute"},
		{"with a novel as value", 1, map[string]string{"a": strings.Repeat("x", longestTransient+1)}, "one line"},
		{"with two lines as value", 1, map[string]string{"a": "x\ny"}, "one line"},
		{"too many", 1, many, "all that a node may have"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			err := c.propose(transient(tt.epoch, tt.set))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}
