package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// DryRun draws what a change would do. Its lines are those that it would take
// out of the configuration, after a -, and those that it would add, after a +.
func DryRun(w io.Writer, f *pb.Forecast, lines []string, o Options) error {
	var b strings.Builder
	drawConfiguration(&b, lines, o)
	drawActions(&b, f, o)
	drawProblems(&b, f, o)
	if list := f.GetInterruptions(); len(list) > 0 {
		section(&b, o, "To be asked about, or forced with --force")
		for _, text := range list {
			fmt.Fprintf(&b, "  %s\n", o.Paint(Warn, text))
		}
	}
	return write(w, &b)
}

// Forecast draws what the cluster would do and where that ends. For the lines see DryRun.
func Forecast(w io.Writer, f *pb.Forecast, lines []string, o Options) error {
	var b strings.Builder
	drawConfiguration(&b, lines, o)
	drawActions(&b, f, o)
	drawSteps(&b, f, o)
	drawPlaces(&b, f, o)
	drawProblems(&b, f, o)
	drawNext(&b, f, o)
	return write(w, &b)
}

func write(w io.Writer, b *strings.Builder) error {
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func drawConfiguration(b *strings.Builder, lines []string, o Options) {
	if len(lines) == 0 {
		return
	}
	section(b, o, "Configuration")
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", o.Paint(signStyle(line), line))
	}
}

func signStyle(line string) Style {
	if strings.HasPrefix(line, "-") {
		return Bad
	}
	return Good
}

func drawActions(b *strings.Builder, f *pb.Forecast, o Options) {
	section(b, o, "What would happen")
	if len(f.GetActions())+len(f.GetFenced()) == 0 {
		fmt.Fprintln(b, "  nothing: all that runs would go on where it is")
		return
	}
	t := Table{Indent: "  "}
	for _, n := range f.GetFenced() {
		t.Row(Cell{"fence", Bad}, Cell{n, Strong})
	}
	for _, a := range f.GetActions() {
		if a.GetNode() != "" {
			continue // a fencing, which is in the list above
		}
		verb, style := a.GetAction(), actionStyle(a)
		if a.GetBlocked() {
			verb += " (blocked)"
		}
		t.Row(Cell{verb, style}, Cell{actor(a), Strong}, Cell{Text: way(a)}, Cell{a.GetReason(), Faint})
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func actionStyle(a *pb.Action) Style {
	switch {
	case a.GetAction() == "stop" || a.GetBlocked():
		return Bad
	case a.GetFrom() != "":
		return Warn
	}
	return Good
}

// actor is what an action is about: the instance, where it has a number.
func actor(a *pb.Action) string {
	if a.GetInstance() != "" {
		return a.GetInstance()
	}
	return a.GetResource()
}

// way says from where to where, with the roles where they matter.
func way(a *pb.Action) string {
	from, to := place(a.GetFrom(), a.GetFromRole()), place(a.GetTo(), a.GetToRole())
	switch {
	case from == "" || to == "" || from == to:
		return "on " + max(from, to)
	}
	return from + " → " + to
}

func place(node, role string) string {
	if node == "" || role == "" || role == "Started" || role == "Stopped" {
		return node
	}
	return node + " " + role
}

func drawSteps(b *strings.Builder, f *pb.Forecast, o Options) {
	if len(f.GetSteps()) == 0 {
		return
	}
	section(b, o, "Plan")
	t := Table{Indent: "  "}
	for i, s := range f.GetSteps() {
		after := make([]string, len(s.GetAfter()))
		for j, n := range s.GetAfter() {
			after[j] = fmt.Sprint(n + 1)
		}
		note := ""
		if len(after) > 0 {
			note = "after " + strings.Join(after, ", ")
		}
		t.Row(Cell{Text: fmt.Sprint(i + 1)}, Cell{Text: s.GetOperation()}, Cell{s.GetResource(), Strong}, Cell{Text: onNode(s.GetNode())}, Cell{note, Faint})
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func onNode(node string) string {
	if node == "" {
		return ""
	}
	return "on " + node
}

// drawPlaces draws where everything ends.
func drawPlaces(b *strings.Builder, f *pb.Forecast, o Options) {
	section(b, o, "Where it would run then")
	t := Table{Indent: "  "}
	for _, p := range f.GetPlacements() {
		var at []string
		for _, k := range p.GetPlaces() {
			at = append(at, place(k.GetNode(), k.GetRole()))
		}
		if len(at) == 0 {
			t.Row(Cell{Text: p.GetResource()}, Cell{"stopped", Bad}, Cell{p.GetReason(), Faint})
			continue
		}
		t.Row(Cell{Text: p.GetResource()}, Cell{strings.Join(at, ", "), Strong})
	}
	if len(f.GetPlacements()) == 0 {
		fmt.Fprintln(b, "  there are no resources")
	}
	_ = t.Write(b, o.Palette) // a strings.Builder takes everything
}

func drawProblems(b *strings.Builder, f *pb.Forecast, o Options) {
	if len(f.GetProblems()) == 0 {
		return
	}
	section(b, o, "Problems there would be")
	for _, p := range f.GetProblems() {
		fmt.Fprintf(b, "  %s\n", o.Paint(Bad, p))
	}
}

// drawNext says when it may be otherwise, as --at takes it.
func drawNext(b *strings.Builder, f *pb.Forecast, o Options) {
	if f.GetNext() == nil {
		return
	}
	section(b, o, "Time alone may change this")
	fmt.Fprintf(b, "  from %s on\n", f.GetNext().AsTime().Format(time.RFC3339))
}
