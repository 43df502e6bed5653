package scheduler

import (
	"slices"
	"strings"
	"testing"
)

func TestAFailureLeadsToWhatItsOperationSays(t *testing.T) {
	checkPlans(t, []planCase{
		{"block: nothing is done", "n1 online, n2 online; db failed n1 on-fail=n1:block", ""},
		{"block: nor when it is disabled", "n1 online, n2 online; db failed n1 on-fail=n1:block target-role=Stopped", ""},
		{"block: nor after its failure-timeout", "n1 online, n2 online; db failed n1 on-fail=n1:block failure-timeout=60s", ""},
		{"block: others go on", "n1 online, n2 standby; db failed n1 on-fail=n1:block; web", "start web n1\n"},
		{"block: no more when its node is gone", "n1 gone, n2 online; db failed n1 on-fail=n1:block orphaned n1", ""},
		{"block: what stopped since starts again", "n1 online; db on-fail=n1:block", "start db n1\n"},
		{"block: of a clone the instance alone", "n1 online, n2 online; clone c db; db failed n1 on-fail=n1:block on n2 ", ""},
		{"stop: it stops, and starts nowhere", "n1 online, n2 online; db failed n1 on-fail=n1:stop", "stop db n1\n"},
		{"stop: nor later", "n1 online, n2 online; db on-fail=n1:stop", ""},
		{"stop: until it has expired", "n1 online; db on-fail=n1:stop failure-timeout=60s", "start db n1\n"},
		{"stop: of a clone the instance alone", "n1 online, n2 online; clone c db; db failed n1 on n2 on-fail=n1:stop", "stop db n1\n"},
		{"standby: all leave the node", "n1 online, n2 online; db failed n1 on-fail=n1:standby; web on n1", "stop db n1\nstart db n2\nstop web n1\nstart web n2\n"},
		{"standby: until it has expired", "n1 online, n2 standby; db on-fail=n1:standby failure-timeout=60s", "start db n1\n"},
		{"fence: it waits for that", "n1 online, n2 online; fencing n1; db failed n1 on-fail=n1:fence", ""},
		{"fence: not when that was called off", "n1 online, n2 online; db failed n1 on-fail=n1:fence", "stop db n1\nstart db n1\n"},
		{"demote: it is demoted, and promoted anew", scored + dbs + "db promoted n1 on n2 on n3 on-fail=n1:demote", "demote db n1\npromote db n1\n"},
		{"demote: what is demoted already is not", scored + dbs + "db on n1 on n2 on n3 on-fail=n1:demote", "promote db n1\n"},
	})
}

func TestWhatAFailureLedToIsToldWithTheWayOut(t *testing.T) {
	tests := []struct{ state, want string }{
		{"n1 online, n2 online; db failed n1 on-fail=n1:block", "db is blocked: it failed on n1: no answer, and is left as it is (on-fail=block); mend it, then run `quorate resource cleanup db`"},
		{"n1 online, n2 online; db on-fail=n1:stop", "db is stopped: it failed on n1: no answer, and is not started again (on-fail=stop) until `quorate resource cleanup db`"},
		{"n1 online, n2 online; db on n2 on-fail=n1:standby", "n1 hosts nothing since db failed there (on-fail=standby): no answer; `quorate resource cleanup db node=n1` ends that"},
		{"n1 online, n2 online; fencing n1; db failed n1 on-fail=n1:fence", "db failed on n1: no answer, which is to be fenced for it (on-fail=fence): n1 is being fenced; if you know that n1 is off, run `quorate stonith confirm n1`"},
	}
	for _, tt := range tests {
		if p := Schedule(parse(t, tt.state), noon); !slices.Contains(p.Problems, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", tt.state, p.Problems, tt.want)
		}
	}
	if s, _ := Explain(parse(t, "n1 online, n2 online; db on-fail=n1:stop"), noon, "db", ""); !strings.Contains(s[0], "it failed on n1 (on-fail=stop)") {
		t.Errorf("why: %q", s)
	}
}
