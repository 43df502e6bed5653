package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestInstancesAreToldOfEachOther(t *testing.T) {
	tests := []struct {
		name, cluster string
		want          string // the notifications, a line each: what, and the operations that it waits for
	}{
		{
			"of a start: before it those that run, after it all", "nodes n1 n2\na on n1\nclone c a notify=true",
			"pre_notify_start c\nnotify a:0 n1 after pre_notify_start c\nconfirmed-pre_notify_start c after pre_notify_start c, notify a:0 n1\n" +
				"post_notify_running c after running c, confirmed-pre_notify_start c\nnotify a:0 n1 after post_notify_running c\nnotify a:1 n2 after post_notify_running c\n" +
				"confirmed-post_notify_running c after post_notify_running c, notify a:0 n1, notify a:1 n2",
		},
		{
			"of a stop: after it those that are left", "nodes n1 n2=standby\na on n1 on n2\nclone c a notify=true",
			"pre_notify_stop c\nnotify a:0 n1 after pre_notify_stop c\nnotify a:1 n2 after pre_notify_stop c\nconfirmed-pre_notify_stop c after pre_notify_stop c, notify a:0 n1, notify a:1 n2\n" +
				"post_notify_stopped c after stopped c, confirmed-pre_notify_stop c\nnotify a:0 n1 after post_notify_stopped c\nconfirmed-post_notify_stopped c after post_notify_stopped c, notify a:0 n1",
		},
		{"not unless it is asked for", "nodes n1 n2\na on n1\nclone c a", ""},
		{"not if nothing happens", "nodes n1 n2\na on n1 on n2\nclone c a notify=true", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := Run(parse(t, tt.cluster))
			if got := notificationsText(out); got != tt.want {
				t.Errorf("Run(\n%s)\n got\n%s\nwant\n%s\nof\n%s", tt.cluster, got, tt.want, stepsText(out))
			}
		})
	}
}

// What is told of a demotion has been told before the next instance is promoted.
func TestAPromotionIsToldOfAfterTheDemotion(t *testing.T) {
	out := Run(parse(t, "nodes n1 n2\na promoted n1 on n2\nscore a n1 5\nscore a n2 10\nclone c a promotable=true notify=true"))
	told, before := -1, -1
	for i, s := range out.Steps {
		switch s.Operation {
		case "confirmed-post_notify_demoted":
			told = i
		case "pre_notify_promote":
			before = i
		}
	}
	if told < 0 || before < 0 || !follows(out.Steps, before, told) {
		t.Errorf("in\n%s", stepsText(out))
	}
}

func notificationsText(out *Outcome) string {
	name := func(s Step) string { return strings.TrimSpace(s.Operation + " " + s.Resource + " " + s.Node) }
	var lines []string
	for _, s := range out.Steps {
		if !strings.Contains(s.Operation, "notify") {
			continue
		}
		var after []string
		for _, k := range s.After {
			after = append(after, name(out.Steps[k]))
		}
		line := name(s)
		if len(after) > 0 {
			line = fmt.Sprintf("%s after %s", line, strings.Join(after, ", "))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
