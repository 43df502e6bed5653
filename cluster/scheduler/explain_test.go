package scheduler

import (
	"fmt"
	"strings"
	"testing"
)

// S6: every decision is explained, the deciding sentence first.
func TestExplain(t *testing.T) {
	for _, tt := range []struct{ name, state, resource, node, want string }{
		{
			"a dependent", "lvsm online, lvss online; VirtualIP on lvss; WebService on lvss; WebService with VirtualIP INFINITY; WebService prefers lvsm=50; default resource-stickiness=100",
			"WebService", "",
			"WebService runs on lvss: it is colocated with VirtualIP (INFINITY, colocation-WebService-VirtualIP-INFINITY)\n" +
				"lvsm would score +50 by location-WebService-lvsm-50, but VirtualIP does not run there (-INFINITY, colocation-WebService-VirtualIP-INFINITY), because lvss scores 200 (+100 by stickiness, +100 by colocation-WebService-VirtualIP-INFINITY)",
		},
		{
			"its primary", "lvsm online, lvss online; VirtualIP on lvss; WebService on lvss; WebService with VirtualIP INFINITY; WebService prefers lvsm=50; default resource-stickiness=100",
			"VirtualIP", "",
			"VirtualIP runs on lvss: lvss scores 200 (+100 by stickiness, +100 by colocation-WebService-VirtualIP-INFINITY); lvsm scores 50 (+50 by colocation-WebService-VirtualIP-INFINITY)\n" +
				"lvsm would score +50 by colocation-WebService-VirtualIP-INFINITY, but lvss scores 200 (+100 by stickiness, +100 by colocation-WebService-VirtualIP-INFINITY)",
		},
		{
			"a dependent whose primary a policy holds", "lvsm online, lvss online; VirtualIP on lvss failback=manual; WebService on lvss; WebService with VirtualIP INFINITY; WebService prefers lvsm=50; default resource-stickiness=10",
			"WebService", "lvsm",
			"lvsm would score +50 by location-WebService-lvsm-50, but VirtualIP does not run there (-INFINITY, colocation-WebService-VirtualIP-INFINITY), because failback manual keeps it from lvsm\n" +
				"WebService runs on lvss: it is colocated with VirtualIP (INFINITY, colocation-WebService-VirtualIP-INFINITY)",
		},
		{
			"a policy beside the scores", "n1 online, n2 online; db on n2 failback=manual; db prefers n1=50; default resource-stickiness=100", "db", "n1",
			"n1 would score +50 by location-db-n1-50, but n2 scores 100 (+100 by stickiness), and failback is manual\n" +
				"db runs on n2: n2 scores 100 (+100 by stickiness); n1 scores 50 (+50 by location-db-n1-50)",
		},
		{
			"a dependent whose primary cannot", "n1 online, n2 online; vip on n2; web on n2; web with vip INFINITY; vip prefers n1=-INFINITY", "web", "n1",
			"web cannot run on n1: vip does not run there (-INFINITY, colocation-web-vip-INFINITY), because vip may not run there: vip avoids n1 (-INFINITY, location-vip-n1--INFINITY)\n" +
				"web runs on n2: it is colocated with vip (INFINITY, colocation-web-vip-INFINITY)",
		},
		{
			"a move says why it leaves: standby", "n1 standby, n2 online, n3 online; db on n1; db prefers n2=5", "db", "n2",
			"db moves to n2: n1 is in standby, and n2 scores 5 (+5 by location-db-n2-5); n3 scores 0",
		},
		{
			"a move says why it leaves: failures", "n1 online, n2 online, n3 online; db on n1 migration-threshold=2 fails=n1:2", "db", "n2",
			"db moves to n2: it may not run on n1 (it failed there 2 times (migration-threshold is 2): no answer (-INFINITY, fail-count)), and n2 comes first of the nodes that score 0",
		},
		{
			"a move says why it leaves: the failure of what runs with it", "n1 online, n2 online, n3 online; vip on n1; web on n1 migration-threshold=1 fails=n1:1; web with vip INFINITY", "vip", "n2",
			"vip moves to n2: it may not run on n1 (web, which runs with it, may not run there: it failed there once (migration-threshold is 1): no answer (-INFINITY, colocation-web-vip-INFINITY)), and n2 comes first of the nodes that score 0",
		},
		{
			"failures that are forgiven so far", "n1 online; db on n1 fails=n1:2:5m", "db", "",
			"db runs on n1: it is the only node\ndb failed on n1 2 times, last at 2026-01-01 11:55:00: no answer",
		},
		{
			"why not there: it cannot", "n1 standby, n2 online; db on n2", "db", "n1",
			"db cannot run on n1: n1 is in standby\ndb runs on n2: no other node may run it (n1 is in standby)",
		},
		{
			"why not there: another is better", "n1 online, n2 online; db on n2; db prefers n2=10 n1=5", "db", "n1",
			"n1 would score +5 by location-db-n1-5, but n2 scores 10 (+10 by location-db-n2-10)\n" +
				"db runs on n2: n2 scores 10 (+10 by location-db-n2-10); n1 scores 5 (+5 by location-db-n1-5)",
		},
		{
			"why there", "n1 online, n2 online; db on n2; db prefers n2=10 n1=5", "db", "n2",
			"db runs on n2: n2 scores 10 (+10 by location-db-n2-10); n1 scores 5 (+5 by location-db-n1-5)",
		},
		{
			"an operator's move", "n1 online, n2 online; db on n1 move=n1", "db", "",
			"db runs on n1: moved here by an operator at 2026-01-01 11:59:00\ndb does not run on n2: n1 scores INFINITY (+INFINITY by move)",
		},
		{
			"a move under way", "n1 online, n2 online; db on n2; db prefers n1=50", "db", "",
			"db moves to n1: n1 scores 50 (+50 by location-db-n1-50); n2 scores 0\ndb does not run on n2: n1 scores 50 (+50 by location-db-n1-50)",
		},
		{
			"manual failback", "n1 online, n2 online; db on n2 failback=manual; db prefers n1=50", "db", "",
			"db runs on n2: failback manual keeps it from n1\nn1 would score +50 by location-db-n1-50, but failback manual keeps it from n1",
		},
		{
			"delayed failback", "n1 up=4m, n2 online; db on n2 failback=delay 10m; db prefers n1=50", "db", "n1",
			"n1 would score +50 by location-db-n1-50, but failback delay 10m keeps it from n1 until 2026-01-01 12:06:00\n" +
				"db runs on n2: failback delay 10m keeps it from n1 until 2026-01-01 12:06:00",
		},
		{
			"no node", "n1 standby, n2 online, n3 gone; db migration-threshold=2 fails=n2:2", "db", "",
			"db runs nowhere: no node may run it (n1 is in standby; n2: it failed there 2 times (migration-threshold is 2): no answer (-INFINITY, fail-count); n3 is gone)",
		},
		{"disabled", "n1 online; db on n1 target-role=Stopped", "db", "", "db is to be stopped: it is disabled (target-role=Stopped)"},
		{
			"the primary runs nowhere", "n1 online; vip target-role=Stopped; web on n1; web with vip INFINITY", "web", "",
			"web runs nowhere: vip, which it must run with, runs nowhere (colocation-web-vip-INFINITY)",
		},
		{
			"the first runs nowhere", "n1 online; vip target-role=Stopped; web on n1; vip then web", "web", "n1",
			"web runs nowhere: vip, which must start before it, runs nowhere (order-vip-web-mandatory)",
		},
		{"maintenance", "n1 online; db on n1; property maintenance-mode=true", "db", "", "db is left alone on n1: the cluster is in maintenance mode"},
		{"maintenance of what is stopped", "n1 online; db maintenance=true", "db", "", "db is left as it is, stopped: it is in maintenance"},
		{
			"S5: blocked", "n1 online, n2 online; db blocked n1", "db", "",
			"db is blocked on n1: its stop failed there\n" +
				"db is blocked: its stop on n1 failed: device is busy, so it may still be active there; stop it by hand, then run `quorate resource cleanup db`",
		},
		{
			"S4: orphaned", "n1 online, n2 gone; db orphaned n2", "db", "",
			"db starts on n1: no other node may run it (n2 is gone)\ndb cannot run on n2: n2 is gone\n" +
				"db waits until what ran on n2 may have ended: n2 is gone, and db may outlive its lease",
		},
		{
			"least to do", "n1 online, n2 online; a on n1; db", "db", "n2",
			"db starts on n2: n2 runs the fewest resources of the nodes that score 0",
		},
		{"first by name", "n1 online, n2 online; db", "db", "n2", "db does not run on n2: n1 comes first of the nodes that score 0\ndb starts on n1: n1 comes first of the nodes that score 0"},
		{"stays among equals", "n1 online, n2 online; db on n2", "db", "n2", "db runs on n2: it runs on n2, and no node scores higher (n1 scores 0 too)"},
		{
			"a group", "n1 online, n2 online; a on n2; b on n2; group g a b; g prefers n2=5", "g", "",
			"a runs on n2: n2 scores 5 (+5 by location-g-n2-5); n1 scores 0\na does not run on n1: n2 scores 5 (+5 by location-g-n2-5)\nb runs on n2: it is colocated with a (INFINITY, g)",
		},
		{
			"apart", "n1 online, n2 online; a on n1; b on n2; b with a -INFINITY", "b", "n1",
			"b cannot run on n1: a runs there (-INFINITY, colocation-b-a--INFINITY)\n" +
				"b runs on n2: no other node may run it (n1: a runs there (-INFINITY, colocation-b-a--INFINITY))",
		},
		{"what does not exist", "n1 online; db", "nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sentences, _ := Explain(parse(t, tt.state), noon, tt.resource, tt.node)
			if got := strings.Join(sentences, "\n"); got != tt.want {
				t.Errorf("%s\nwhy %s %s\n got %s\nwant %s", tt.state, tt.resource, tt.node, got, tt.want)
			}
		})
	}
}

func TestScoresSayWhereTheyComeFrom(t *testing.T) {
	state := `n1 online, n2 standby, n3 gone, n4 witness, n5 stopped, n6 new, n7 maintenance
		db on n1 migration-threshold=3 fails=n1:1 resource-stickiness=2 failback=manual
		web on n1; web with db 500000; web prefers n1=10; db prefers n1=-1`
	want := []string{
		"n1 -1 location-db-n1--1, 0 fail-count, 2 stickiness, 5 colocation-web-db-500000",
		"n2 -1000000 standby", "n3 -1000000 gone", "n4 -1000000 witness", "n5 -1000000 stopped",
		"n6 -1000000 not-admitted", "n7 -1000000 maintenance",
	}
	_, scores := Explain(parse(t, state), noon, "db", "")
	for i, s := range scores {
		var parts []string
		for _, r := range s.Reasons {
			parts = append(parts, fmt.Sprintf("%d %s", r.Score, r.Source))
		}
		if got := s.Node + " " + strings.Join(parts, ", "); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct{ name, state, want string }{
		{"none", "n1 online; db on n1", ""},
		{"none for what is disabled", "n1 standby; db target-role=Stopped", ""},
		{"S5: a failed stop, and the command that unblocks", "n1 online; db blocked n1",
			"db is blocked: its stop on n1 failed: device is busy, so it may still be active there; stop it by hand, then run `quorate resource cleanup db`"},
		{"S5: a failed stop that a watchdog mends", "n1 online; db guarded n1",
			"db is blocked: its stop on n1 failed: device is busy; the watchdog of n1 resets it (fencing=watchdog), and db starts elsewhere then"},
		{"nowhere", "n1 standby; db", "db runs nowhere: no node may run it (n1 is in standby)"},
		{"given up", "n1 online, n2 online; db on n2 migration-threshold=1 failure-timeout=1h fails=n1:1:20m",
			"db may not run on n1: it failed there once (migration-threshold is 1): no answer; `quorate resource cleanup db` gives it another chance, or time at 2026-01-01 12:40:00"},
		{"banned", "n1 online, n2 online; db on n2 banned n1",
			"db may not run on n1: another try there would end as the last one: no program; `quorate resource cleanup db` gives it another chance"},
		{"banned everywhere", "n1 online, n2 online; db fatal n1",
			"db runs nowhere: no node may run it (n1: another try there would end as the last one: no program (-INFINITY, banned); n2: a try anywhere would end as the last one on n1: no program (-INFINITY, banned))"},
		{"failed, but left alone", "n1 online; db failed n1; property maintenance-mode=true", "db failed on n1, but is left alone: the cluster is in maintenance mode"},
		{"to be deleted, but left alone", "n1 online; db on n1 deleting is-managed=false", "db is to be deleted, but is left alone: it is not managed (is-managed=false)"},
		{"waits for another", "n1 online, n2 gone; vip orphaned n2; web; vip then web",
			"vip waits until what ran on n2 may have ended: n2 is gone, and vip may outlive its lease\nweb waits for vip, which must start before it (order-vip-web-mandatory)"},
		{"contradictory orders", "n1 online; a on n1; b on n1; a then b; b then a", "order order-b-a-mandatory is ignored: b already starts after a"},
		{"members of a group that are to be apart", "n1 online; a on n1; b on n1; group g a b; b with a -5", "colocation colocation-b-a--5 is ignored: group g keeps b and a together"},
		{"contradictory colocations", "n1 online; a on n1; b on n1; b with a INFINITY; a with b -5", "colocation colocation-a-b--5 is ignored: the place of b follows that of a already"},
		{"the worst first", "n1 online, n2 standby; a on n1 fails=n1:0; b blocked n1; c; c prefers n1=-INFINITY",
			"b is blocked: its stop on n1 failed: device is busy, so it may still be active there; stop it by hand, then run `quorate resource cleanup b`\n" +
				"c runs nowhere: no node may run it (n1: c avoids n1 (-INFINITY, location-c-n1--INFINITY); n2 is in standby)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(Schedule(parse(t, tt.state), noon).Problems, "\n"); got != tt.want {
				t.Errorf("Schedule(%s).Problems\n got %s\nwant %s", tt.state, got, tt.want)
			}
		})
	}
}
