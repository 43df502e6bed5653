package render

import (
	"fmt"
	"io"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Agent draws what a type of resource does and takes.
func Agent(w io.Writer, m *pb.AgentMetadata, p Palette) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", p.Paint(Strong, m.GetName()), m.GetSummary())
	if len(m.GetServes()) > 0 {
		fmt.Fprintf(&b, "Also known as %s\n", strings.Join(m.GetServes(), ", "))
	}
	if m.GetDescription() != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(m.GetDescription()))
	}
	if len(m.GetParameters()) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.Paint(Strong, "Parameters"))
	}
	t := Table{Indent: "  "}
	for _, q := range m.GetParameters() {
		t.Row(Cell{Text: q.GetName()}, Cell{Text: q.GetType()}, demand(q), Cell{q.GetSummary(), Plain})
	}
	_ = t.Write(&b, p) // a strings.Builder takes everything
	if len(m.GetOperations()) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.Paint(Strong, "Operations"))
	}
	t = Table{Indent: "  "}
	for _, o := range m.GetOperations() {
		interval, timeout := "", ""
		if d := o.GetInterval().AsDuration(); d > 0 {
			interval = "every " + span(d)
		}
		if d := o.GetTimeout().AsDuration(); d > 0 {
			timeout = "at most " + span(d)
		}
		t.Row(Text(o.GetName(), timeout, interval)...)
	}
	_ = t.Write(&b, p) // a strings.Builder takes everything
	_, err := io.WriteString(w, b.String())
	return err
}

// demand says whether a parameter must be given, or what holds without it.
func demand(q *pb.Parameter) Cell {
	switch {
	case q.GetRequired():
		return Cell{"required", Warn}
	case q.GetDefault() != "":
		return Cell{strings.TrimSpace("default " + q.GetDefault() + " " + q.GetUnit()), Plain}
	}
	return Cell{"", Plain}
}
