package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Events draws what happened, oldest first. A failover has its phases below it.
func Events(w io.Writer, events []*pb.Event, now time.Time, p Palette) error {
	var b strings.Builder
	for _, e := range events {
		at := clock(now, e.GetAt().AsTime(), "15:04:05.000")
		fmt.Fprintf(&b, "%s  %s%s\n", p.Paint(Faint, at), p.Paint(severity(e.GetSeverity()), e.GetText()), p.Paint(Faint, by(e)))
		if phases := phases(e.GetPhases()); phases != "" {
			fmt.Fprintf(&b, "%s  %s\n", strings.Repeat(" ", len(at)), p.Paint(Faint, phases))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func severity(s pb.Severity) Style {
	switch s {
	case pb.Severity_SEVERITY_WARNING:
		return Warn
	case pb.Severity_SEVERITY_ERROR:
		return Bad
	default:
		return Plain
	}
}

func by(e *pb.Event) string {
	if e.GetActor() == "" {
		return ""
	}
	return " (" + e.GetActor() + ")"
}

// phases writes "silence 0 ms, testimony 447 ms, …", counted from the first sign.
func phases(list []*pb.Phase) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = fmt.Sprintf("%s %d ms", p.GetName(), p.GetAt().AsDuration().Milliseconds())
	}
	return strings.Join(parts, ", ")
}
