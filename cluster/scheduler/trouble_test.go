package scheduler

import (
	"strings"
	"testing"
)

func TestAnIsolatedNodeHostsNothingWhileAnotherCan(t *testing.T) {
	checkPlans(t, []planCase{
		{"stops there first", "n1 isolated, n2 reaches; db on n1", "stop db n1\nstart db n2\n"},
		{"against stickiness and preference", "n1 isolated, n2 reaches; db on n1 resource-stickiness=INFINITY; db prefers n1=INFINITY", "stop db n1\nstart db n2\n"},
		{"starts nothing there", "n1 isolated, n2 reaches; db", "start db n2\n"},
		{"stays while nobody has confirmed that it reaches a target", "n1 isolated, n2 online; db on n1", ""},
		{"stays when all are isolated", "n1 isolated, n2 isolated; db on n1", ""},
		{"starts when all are isolated", "n1 isolated, n2 isolated; db", "start db n1\n"},
		{"stays when the other hosts nothing", "n1 isolated, n2 standby reaches; db on n1", ""},
		{"stays when the other is a witness", "n1 isolated, n2 witness reaches; db on n1", ""},
		{"stays when the other is gone", "n1 isolated, n2 gone reaches; db on n1", ""},
		{"stays when the other may not run it", "n1 isolated, n2 reaches; db on n1; db prefers n2=-INFINITY", ""},
		{"stays when it failed on the other", "n1 isolated, n2 reaches; db on n1 fails=n2:1000000", ""},
		{"each resource by its own nodes", "n1 isolated, n2 reaches; db on n1; web on n1; web prefers n2=-INFINITY", "stop db n1\nstart db n2\n"},
		{"a gone node's isolation is nobody's", "n1 gone isolated, n2 online; db on n2", ""},
		{"a move there waits", "n1 isolated, n2 reaches; db on n2 move=n1", ""},
	})
}

func TestAnObstacleKeepsAResourceOff(t *testing.T) {
	checkPlans(t, []planCase{
		{"moves what runs", "n1 online, n2 online; db on n1 hindered n1", "stop db n1\nstart db n2\n"},
		{"moves what failed by it", "n1 online, n2 online; db failed n1 hindered n1", "stop db n1\nstart db n2\n"},
		{"starts elsewhere", "n1 online, n2 online; db hindered n1", "start db n2\n"},
		{"is no matter of others", "n1 online, n2 online; db hindered n1; web on n1", "start db n2\n"},
		{"everywhere: stops", "n1 online, n2 online; db on n1 hindered n1 hindered n2", "stop db n1\n"},
	})
}

func TestTroubleIsExplained(t *testing.T) {
	tests := []struct{ state, want string }{
		{"n1 isolated, n2 reaches; db on n1", "db moves to n2: no other node may run it (n1: it reaches none of the ping targets (-INFINITY, quorum.ping))"},
		{"n1 online, n2 online; db on n1 hindered n1", "db moves to n2: no other node may run it (n1: interface eth0 has no carrier (-INFINITY, carrier-lost))"},
	}
	for _, tt := range tests {
		sentences, _ := Explain(parse(t, tt.state), noon, "db", "")
		if len(sentences) == 0 || !strings.HasPrefix(sentences[0], tt.want) {
			t.Errorf("Explain(%s)\n got %q\nwant %q first", tt.state, sentences, tt.want)
		}
	}
}
