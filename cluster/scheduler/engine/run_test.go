package engine

import (
	"strings"
	"testing"
)

func TestDecisions(t *testing.T) {
	tests := []struct {
		name, cluster string
		want          string // what is done, a line each; empty: nothing
	}{
		{"starts where it scores highest", "nodes n1 n2\na\na prefers n2 10", "start a n2"},
		{"stays where it scores as high as elsewhere with its stickiness", "nodes n1 n2\na on n1 resource-stickiness=10\na prefers n2 10", ""},
		{"moves from a node in standby", "nodes n1=standby n2\na on n1", "move a n1 n2"},
		{"spreads over the nodes", "nodes n1 n2\na\nb", "start a n1\nstart b n2"},
		{"is banned where it failed too often", "nodes n1 n2\na failed n1 migration-threshold=1\nattr n1 fail-count-a#monitor_10000=1", "recover a n1 n2"},
		{"recovers where it failed less often", "nodes n1 n2\na failed n1\nattr n1 fail-count-a#monitor_10000=1", "recover a n1"},
		{"is left alone if it is not managed", "nodes n1=standby n2\na on n1 is-managed=false", ""},
		{"S5: is blocked where its stop failed, without fencing", "nodes n1 n2\na stuck n1", ""},
		{"a failed stop is answered by fencing", "nodes n1 n2\nset stonith-enabled=true\nfence on n2\na stuck n1", "fence n1\nrecover a n1 n2"},

		{"runs with what it must run with", "nodes n1 n2\na\nb\nb prefers n2 10\na with b INFINITY", "start a n2\nstart b n2"},
		{"a dependent's wish counts for its primary", "nodes n1 n2\na\nb\na prefers n2 100\na with b INFINITY", "start a n2\nstart b n2"},
		{"keeps away from what it must not run with", "nodes n1 n2\na\nb\na prefers n1 10\nb prefers n1 5\nb with a -INFINITY", "start a n1\nstart b n2"},
		{"runs nowhere without what it must run with", "nodes n1 n2\na on n1\nb target-role=Stopped\na with b INFINITY", "stop a n1"},
		{"of two that exclude each other the one of priority runs", "nodes n1\na\nb priority=1\na with b -INFINITY", "start b n1"},

		{"a group goes together, in its order", "nodes n1 n2\na\nb\ngroup g a b\ng prefers n2 10", "start a n2\nstart b n2"},
		{"a failed member restarts those after it", "nodes n1 n2\na on n1\nb failed n1\nc on n1\ngroup g a b c", "recover b n1\nrestart c n1"},
		{"what comes after a start restarts", "nodes n1 n2\na\nb on n2\na then b", "start a n1\nrestart b n2"},
		{"an optional order restarts nothing", "nodes n1 n2\na\nb on n2\na then b Optional", "start a n1"},
		{"what cannot start keeps back what comes after it", "nodes n1\na target-role=Stopped\nb\na then b", "start b n1 blocked"},

		{"a clone runs on every node", "nodes n1 n2 n3\na on n1\nclone c a", "start a n2\nstart a n3"},
		{"clone-max limits it, and what runs stays", "nodes n1 n2 n3\na on n3\nclone c a clone-max=1", ""},
		{"interleaved clones are ordered node by node", "nodes n1 n2\na on n1\nb on n1\nclone c a\nclone d b interleave=true\nc then d", "start a n2\nstart b n2"},
		{"others restart when an instance starts anywhere", "nodes n1 n2\na on n1\nb on n1\nclone c a\nclone d b\nc then d", "start a n2\nrestart b n1\nstart b n2"},
		{"the instance with the best promotion score is promoted", "nodes n1 n2\na on n1 on n2\nscore a n1 5\nscore a n2 10\nclone c a promotable=true", "promote a n2"},
		{"without a promotion score none is promoted", "nodes n1 n2\na on n1 on n2\nclone c a promotable=true", ""},
		{"a better one takes the promotion over", "nodes n1 n2\na promoted n1 on n2\nscore a n1 5\nscore a n2 10\nclone c a promotable=true", "demote a n1\npromote a n2"},
		{"runs with the promoted instance", "nodes n1 n2\nb\na on n1 on n2\nscore a n2 10\nclone c a promotable=true\nb with c INFINITY Started Promoted", "start b n2\npromote a n2"},

		{"goes where there is room for it", "nodes n1 n2\nset placement-strategy=utilization\nattr n1 memory=10\nattr n2 memory=100\na memory=50", "start a n2"},
		{"runs nowhere without room", "nodes n1\nset placement-strategy=utilization\nattr n1 memory=10\na memory=50", ""},
		{"migrates if it can", "nodes n1=standby n2\na on n1 allow-migrate=true", "migrate a n1 n2"},
		{"starts nothing without quorum", "nodes n1 n2\nset quorum=false\na", "start a n1 blocked"},
		{"freeze lets run what runs", "nodes n1 n2\nset quorum=false no-quorum-policy=freeze\na on n1\nb", "start b n2 blocked"},
		{"a lost node is fenced before what ran there starts elsewhere", "nodes n1 n2=lost\nset stonith-enabled=true\nfence on n1\na on n2", "fence n2\nmove a n2 n1"},
		{"what runs twice is stopped and started once", "nodes n1 n2\na on n1 on n2", "restart a n1"},
		{"stop_only stops what runs twice", "nodes n1 n2\na on n1 on n2 multiple-active=stop_only", "stop a n1\nstop a n2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := Run(parse(t, tt.cluster))
			if got := strings.TrimSpace(summary(out)); got != tt.want {
				t.Errorf("Run(\n%s)\n got\n%s\nwant\n%s", tt.cluster, got, tt.want)
			}
		})
	}
}

func TestReasonsNameTheDecidingRule(t *testing.T) {
	tests := []struct {
		name, cluster, resource string
		want                    string
	}{
		{"a location", "nodes n1 n2\na\na prefers n2 10", "a", "a starts on n2: n2 scores 10 (10, location-1); n1 scores 0"},
		{"a colocation", "nodes n1 n2\na\nb prefers=1\nb prefers n2 10\na with b INFINITY", "a", "a starts on n2: it is colocated with b (INFINITY, colocation-1)"},
		{"stickiness", "nodes n1 n2\na on n1 resource-stickiness=10\na prefers n2 5", "a", "a runs on n1: n1 scores 10 (it runs there (10, stickiness)); n2 scores 5 (5, location-1)"},
		{"the only node", "nodes n1\na", "a", "a starts on n1: it is the only node"},
		{"no node", "nodes n1=standby n2\na\na prefers n2 -INFINITY", "a", "a runs nowhere: no node may run it (n1 is in standby; n2: -INFINITY, location-1)"},
		{"a primary without a node", "nodes n1\na\nb target-role=Stopped\na with b INFINITY", "a", "a runs nowhere: b, which it must run with, runs nowhere (INFINITY, colocation-1)"},
		{"an operator's wish", "nodes n1\na target-role=Stopped", "a", "a is to be stopped: target-role is Stopped"},
		{"failures", "nodes n1\na failed n1 migration-threshold=1\nattr n1 fail-count-a#monitor_10000=1", "a", "a runs nowhere: no node may run it (n1: it failed there as often as migration-threshold allows (-INFINITY, fail-count))"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, i := range Run(parse(t, tt.cluster)).Instances {
				if i.Resource == tt.resource && i.Reason != tt.want {
					t.Errorf("Run(\n%s)\n got %q\nwant %q", tt.cluster, i.Reason, tt.want)
				}
			}
		})
	}
}

func TestActionsNameWhatMakesThemNecessary(t *testing.T) {
	out := Run(parse(t, "nodes n1 n2\na\nb on n2\na then b"))
	for _, a := range out.Actions {
		if want := "a must start first (order-1)"; a.Resource == "b" && a.Reason != want {
			t.Errorf("got %q, want %q", a.Reason, want)
		}
	}
}

func TestATypingErrorInCloneMaxIsToldOfAndLimited(t *testing.T) {
	out := Run(parse(t, "nodes n1 n2\na\nclone c a clone-max=99999999999999999999"))
	if len(out.Instances) != mostInstances || len(out.Problems) != 1 || !strings.Contains(out.Problems[0], "clone-max of c is 99999999999999999999") {
		t.Errorf("%d instances, problems %q", len(out.Instances), out.Problems)
	}
	if got, want := strings.TrimSpace(summary(out)), "start a n1\nstart a n2"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
