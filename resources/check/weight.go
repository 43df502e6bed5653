package check

import (
	"context"
	"net/netip"
)

// A Weight is what a check says of its server's weight. The zero Weight says nothing.
type Weight struct {
	Value   int
	Instead bool // of the server's own; else it is added to that
}

// Change is by how much a server's own weight changes.
func (w Weight) Change(own int) int {
	if w.Instead {
		return w.Value - own
	}
	return w.Value
}

// heaviest is the most that a weight can be, and that a check can say.
const heaviest = 65535

// An answer is the outcome of one attempt.
type answer struct {
	text   string
	weight Weight
	err    error // why it is not the wanted one
}

// A weigher asks once, as a probe does, and may say a weight.
type weigher func(ctx context.Context, at netip.AddrPort) answer

// weigher is that of the check; nil: it says no weight.
func (c Check) weigher() weigher {
	if !c.Weighs() {
		return nil
	}
	return kinds[c.Kind].weigh(c)
}

// Weighs reports whether the check may say a weight.
func (c Check) Weighs() bool { return kinds[c.Kind].weigh != nil && (c.Dynamic || c.Weight != 0) }

// ask asks once.
func (w *watch) ask(ctx context.Context) answer {
	if w.weigh != nil {
		a := w.weigh(ctx, w.at)
		a.err = plain(a.err)
		return a
	}
	text, err := w.probe(ctx, w.at)
	return answer{text: text, err: plain(err)}
}
