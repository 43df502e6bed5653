package ipvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/check"
)

const (
	drain   = pb.ServerMode_SERVER_MODE_DRAIN
	disable = pb.ServerMode_SERVER_MODE_DISABLED
	ready   = pb.ServerMode_SERVER_MODE_READY
)

func wish(service, server string, mode pb.ServerMode, weight int) *pb.ServerOrder {
	o := &pb.ServerOrder{Service: service, Server: server, Mode: mode}
	if weight >= 0 {
		o.Weight = proto.Uint32(uint32(weight))
	}
	return o
}

func TestTheWorseOfCheckAndOrderCounts(t *testing.T) {
	const text = "virtual 10.0.0.1:80 QUIESCENT; check tcp; real 10.0.0.21 weight=3; real 10.0.0.22; sorry 10.0.0.30"
	const up, down = false, true
	tests := []struct {
		name            string
		mode            pb.ServerMode
		weight          int // -1: none
		down            bool
		want, quiescent string // by quiescent=no and yes
	}{
		{"nothing is ordered", 0, -1, up, "21:3 22:1", "21:3 22:1"},
		{"drained", drain, -1, up, "21:0 22:1", "21:0 22:1"},
		{"drained whatever the weight", drain, 9, up, "21:0 22:1", "21:0 22:1"},
		{"disabled", disable, -1, up, "22:1", "22:1"},
		{"another weight", 0, 9, up, "21:9 22:1", "21:9 22:1"},
		{"no weight", ready, 0, up, "21:0 22:1", "21:0 22:1"},
		{"down", 0, -1, down, "22:1", "21:0 22:1"},
		{"enabled, and down all the same", ready, 9, down, "22:1", "21:0 22:1"},
		{"drained and down", drain, -1, down, "22:1", "21:0 22:1"},
		{"disabled and down", disable, -1, down, "22:1", "22:1"},
	}
	for _, tt := range tests {
		for option, want := range map[string]string{"quiescent=no": tt.want, "quiescent=yes": tt.quiescent} {
			c := configured(t, strings.Replace(text, "QUIESCENT", option, 1))
			health, orders := Health{}, resources.Orders{}
			if tt.down {
				health[Question{netip.MustParseAddrPort("10.0.0.21:80"), c.Virtuals[0].Checks[0]}] = true
			}
			orders.Put([]*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.21:80", tt.mode, tt.weight)})
			if got := weights(c.Services(health, orders, Standing{})[0]); got != want {
				t.Errorf("%s, %s: got %s, want %s", tt.name, option, got, want)
			}
		}
	}
}

func TestTheSorryServerServesWhenAllAreDrained(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80; real 10.0.0.21; sorry 10.0.0.30")
	orders := resources.Orders{}
	orders.Put([]*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.21:80", drain, -1)})
	if got, want := weights(c.Services(nil, orders, Standing{})[0]), "21:0 30:1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func weights(s Service) string {
	var all []string
	for _, server := range s.Servers {
		all = append(all, fmt.Sprintf("%d:%d", server.Address.Addr().As4()[3], server.Weight))
	}
	return strings.Join(all, " ")
}

func TestAnOrderIsForOneServiceOfAServer(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80 10.0.0.1:443; real 10.0.0.21\nvirtual fwmark:5; real 10.0.0.21")
	orders := resources.Orders{}
	orders.Put([]*pb.ServerOrder{
		wish("tcp 10.0.0.1:443", "10.0.0.21:443", drain, -1), wish("mark 5", "10.0.0.21", 0, 7),
	})
	for i, want := range []string{"21:1", "21:0", "21:7"} {
		if got := weights(c.Services(nil, orders, Standing{})[i]); got != want {
			t.Errorf("%s: got %s, want %s", c.Keys()[i], got, want)
		}
	}
	for o, want := range map[*pb.ServerOrder]bool{
		wish("tcp 10.0.0.1:80", "10.0.0.21:80", drain, -1): true, wish("mark 5", "10.0.0.21", drain, -1): true,
		wish("tcp 10.0.0.1:80", "10.0.0.21", drain, -1): false, wish("tcp 10.0.0.9:80", "10.0.0.21:80", drain, -1): false,
	} {
		if c.has(o) != want {
			t.Errorf("has(%v) = %v", o, !want)
		}
	}
}

// A table that is adopted has weight 0 for who is drained, which says nothing about
// its health.
func TestADrainedServerIsNotAssumedToBeDown(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80; check tcp; real 10.0.0.21; real 10.0.0.22")
	orders := resources.Orders{}
	orders.Put([]*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.21:80", drain, -1)})
	targets := c.Questions(c.Services(nil, orders, Standing{}), orders)
	if got := targets[0].Assume; got != check.Unknown {
		t.Errorf("the drained server is assumed to be %v", got)
	}
	if got := targets[1].Assume; got != check.Up {
		t.Errorf("the other one is assumed to be %v", got)
	}
}

func TestWhoeverIsHashedToADrainedServerIsToldOf(t *testing.T) {
	c := configured(t, "virtual 10.0.0.1:80 scheduler=sh; real 10.0.0.21\nvirtual 10.0.0.2:80 scheduler=sh flags=fallback; real 10.0.0.21")
	notes := c.notes([]*pb.ServerOrder{wish("tcp 10.0.0.1:80", "10.0.0.21:80", drain, -1), wish("tcp 10.0.0.2:80", "10.0.0.21:80", drain, -1)})
	if len(notes) != 1 || !strings.Contains(notes[0], "tcp 10.0.0.1:80") {
		t.Errorf("notes: %q", notes)
	}
}
