package fork

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name        string
		asks, asked string // ids in order
		relation    Relation
		want        error
	}{
		{"neither ever forked", "", "", Same, nil},
		{"the same forks", "x y", "x y", Same, nil},
		{"one that forked catches up one that did not", "x", "", Ahead, nil},
		{"also after several forks", "x y z", "x", Ahead, nil},
		{"one that did not fork asks nothing", "", "x", Behind, ErrBehind},
		{"also after an earlier fork that both share", "x", "x y", Behind, ErrBehind},
		{"each forked", "x", "y", Split, ErrSplit},
		{"each forked after a fork that both share", "x y", "x z", Split, ErrSplit},
		{"each forked, one of them twice", "y", "x z", Split, ErrSplit},
		{"the same ids in another order", "x y", "y x", Split, ErrSplit},
	}
	for _, tt := range tests {
		asks, asked := strings.Fields(tt.asks), strings.Fields(tt.asked)
		if got := Compare(asks, asked); got != tt.relation {
			t.Errorf("%s: Compare(%q, %q) = %v, want %v", tt.name, tt.asks, tt.asked, got, tt.relation)
		}
		if err := Check(asks, asked); !errors.Is(err, tt.want) {
			t.Errorf("%s: Check(%q, %q) = %v, want %v", tt.name, tt.asks, tt.asked, err, tt.want)
		}
	}
}

func side(node string, forks int, running uint32, priority int64) *pb.Side {
	s := &pb.Side{Node: node, Running: running, Priority: priority}
	for range forks {
		s.Forks = append(s.Forks, &pb.Fork{})
	}
	return s
}

func TestSettle(t *testing.T) {
	tests := []struct {
		name string
		a, b *pb.Side
		want string
		why  string
	}{
		{"more forks win over all else", side("a", 1, 9, 9), side("b", 2, 0, 0), "b", "it went on alone more often (2 against 1)"},
		{"then more resources", side("a", 1, 3, 0), side("b", 1, 2, 9), "a", "it runs more resources (3 against 2)"},
		{"then the higher priority", side("a", 1, 2, -5), side("b", 1, 2, 0), "b", "its priority is higher (0 against -5)"},
		{"then the smaller id", side("b", 1, 2, 0), side("a", 1, 2, 0), "a", "the two are equal, and its id is the smaller one"},
	}
	for _, tt := range tests {
		for _, order := range [][2]*pb.Side{{tt.a, tt.b}, {tt.b, tt.a}} {
			if winner, why := Settle(order[0], order[1]); winner != tt.want || why != tt.why {
				t.Errorf("%s: %s wins because %s, want %s because %s", tt.name, winner, why, tt.want, tt.why)
			}
		}
	}
}

// configured is what both sides began with, after changes.
func configured(changes ...func(*pb.Configuration)) *pb.Configuration {
	c := &pb.Configuration{
		Properties: map[string]string{"fencing": "none"},
		Nodes:      []*pb.NodeConfiguration{{Name: "na"}, {Name: "nb"}},
		Resources: []*pb.Resource{
			{Id: "db", Agent: "systemd:db"},
			{Id: "vip", Agent: "vip", Parameters: map[string]string{"ip": "10.0.0.1"}},
		},
		Groups: []*pb.Group{{Id: "g", Members: []string{"vip", "db"}}},
		Constraints: []*pb.Constraint{{Id: "l", Kind: &pb.Constraint_Location{
			Location: &pb.Location{Resource: "vip", Node: "na", Score: 5},
		}}},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

func setProperty(name, value string) func(*pb.Configuration) {
	return func(c *pb.Configuration) { c.Properties[name] = value }
}

func addWeb(c *pb.Configuration) {
	c.Resources = append(c.Resources, &pb.Resource{
		Id: "web", Agent: "systemd:nginx", Meta: map[string]string{"priority": "3"},
		Operations: []*pb.OperationSpec{{
			Name: "monitor", Interval: durationpb.New(10 * time.Second), Timeout: durationpb.New(20 * time.Second),
			Options: map[string]string{"on-fail": "block"},
		}},
	})
}

func TestChanges(t *testing.T) {
	began := configured()
	tests := []struct {
		name          string
		loser, winner *pb.Configuration
		want          []string
	}{
		{"nothing", configured(), configured(), nil},
		{"what the winner alone changed is not lost", configured(), configured(addWeb, setProperty("fencing", "stop")), nil},
		{"a resource", configured(addWeb), configured(), []string{
			"resource web created (systemd:nginx)",
			"resource web meta priority=3",
			"resource web op monitor interval 10s=timeout 20s, on-fail block",
		}},
		{"a resource that both made", configured(addWeb), configured(addWeb), nil},
		{"a property, over the winner's", configured(setProperty("fencing", "stop")), configured(setProperty("fencing", "power")), []string{"property fencing=stop"}},
		{"a member", configured(func(c *pb.Configuration) {
			c.Nodes = append(c.Nodes, &pb.NodeConfiguration{Name: "nc"})
		}), configured(), []string{"node nc created (member)"}},
		{"deletions", configured(func(c *pb.Configuration) {
			c.Properties, c.Resources, c.Groups, c.Constraints = nil, c.Resources[1:], nil, nil
		}), configured(), []string{"constraint l deleted", "group g deleted", "property fencing unset", "resource db deleted"}},
		{"other values", configured(func(c *pb.Configuration) {
			c.Nodes[0].Standby, c.Nodes[1].Attributes = true, map[string]string{"rack": "7"}
			c.Resources[1].Parameters = map[string]string{"ip": "10.0.0.2"}
			c.Groups[0].Members = []string{"vip"}
			c.Constraints[0].GetLocation().Score = 7
			c.ResourceDefaults = map[string]string{"resource-stickiness": "100"}
		}), configured(), []string{
			"constraint l changed (vip on na, score 7)",
			"group g changed (vip)",
			"node na standby=true",
			"node nb attribute rack=7",
			"resource default resource-stickiness=100",
			"resource vip ip=10.0.0.2",
		}},
	}
	for _, tt := range tests {
		loser := &pb.Side{Forks: []*pb.Fork{{Id: "shared"}, {Id: "x", Configuration: began}}, Configuration: tt.loser}
		winner := &pb.Side{Forks: []*pb.Fork{{Id: "shared"}, {Id: "y", Configuration: began}}, Configuration: tt.winner}
		if got := Changes(loser, winner); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestChangesWhoseBeginningIsForgotten(t *testing.T) {
	loser := &pb.Side{Forks: []*pb.Fork{{Id: "x"}}, Configuration: configured(setProperty("fencing", "stop"))}
	winner := &pb.Side{Forks: []*pb.Fork{{Id: "y"}}, Configuration: configured(addWeb)}
	want := []string{
		"property fencing=stop",
		"resource web deleted",
		"resource web meta priority unset",
		"resource web op monitor interval 10s unset",
	}
	if got := Changes(loser, winner); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
