package render

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"quorate/cluster/alert"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// Alerts draws the alerts, each with its recipients below it.
func Alerts(w io.Writer, s *pb.State, now time.Time, o Options) error {
	if len(s.GetAlerts()) == 0 {
		_, err := fmt.Fprintf(w, "Nobody is told of anything; make an alert with %q.\n", o.Program+" alert create path=mail")
		return err
	}
	var t Table
	for _, a := range s.GetAlerts() {
		condition := Cell{}
		if len(a.GetRecipients()) == 0 {
			condition = alertCondition(s, a.GetId(), "", now)
			if a.GetPath() == alert.Mail {
				condition = Cell{"has no recipient", Warn}
			}
		}
		if off(a.GetMeta()) {
			condition = Cell{"disabled", Faint}
		}
		t.Row(Cell{a.GetId(), Strong}, Cell{Text: a.GetPath()}, condition)
		for _, line := range alertLines(a) {
			t.Line(Faint, "  "+line)
		}
		for _, r := range a.GetRecipients() {
			condition := alertCondition(s, a.GetId(), r.GetId(), now)
			if off(r.GetMeta()) {
				condition = Cell{"disabled", Faint}
			}
			t.Row(Cell{Text: "  " + r.GetId()}, Cell{Text: r.GetValue()}, condition)
			for _, line := range pairsOf(r.GetDescription(), r.GetOptions(), r.GetMeta()) {
				t.Line(Faint, "    "+line)
			}
		}
	}
	return t.Write(w, o.Palette)
}

func off(meta map[string]string) bool { return meta["enabled"] == "false" }

// alertLines say what there is beside an alert's name and program.
func alertLines(a *pb.Alert) []string {
	lines := pairsOf(a.GetDescription(), a.GetOptions(), a.GetMeta())
	if len(a.GetSelect()) > 0 {
		lines = append(lines, "of "+strings.Join(a.GetSelect(), ", "))
	}
	if len(a.GetResources()) > 0 {
		lines = append(lines, "about "+strings.Join(a.GetResources(), ", "))
	}
	return lines
}

func pairsOf(description string, options, meta map[string]string) (lines []string) {
	if description != "" {
		lines = append(lines, description)
	}
	for _, m := range []struct {
		what   string
		values map[string]string
	}{{"options", options}, {"meta", meta}} {
		if len(m.values) > 0 {
			line := m.what
			for _, name := range slices.Sorted(maps.Keys(m.values)) {
				line += " " + name + "=" + m.values[name]
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func alertCondition(s *pb.State, alert, recipient string, now time.Time) Cell {
	c := state.AlertConditionOf(s, alert, recipient)
	switch {
	case c == nil:
		return Cell{"not told anything yet", Faint}
	case c.GetError() != "":
		return Cell{fmt.Sprintf("does not work since %s ago: %s", since(now, c.GetSince()), c.GetError()), Bad}
	}
	return Cell{"works, by " + cmp.Or(NodeName(s, c.GetNode()), "a node"), Good}
}
