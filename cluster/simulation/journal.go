package simulation

import (
	"context"
	"log/slog"
	"strings"
)

// A journal puts what a machine logs into the timeline.
type journal struct {
	machine *machine
	attrs   string
}

// Enabled implements slog.Handler.
func (j journal) Enabled(_ context.Context, l slog.Level) bool { return l >= j.machine.world.level }

// Handle implements slog.Handler.
func (j journal) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(j.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.String())
		return true
	})
	j.machine.world.note("%s: %s", j.machine.id, b.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (j journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		j.attrs += " " + a.String()
	}
	return j
}

// WithGroup implements slog.Handler.
func (j journal) WithGroup(string) slog.Handler { return j }
