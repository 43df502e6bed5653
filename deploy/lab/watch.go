package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Watch probes an address, and a page unless it is empty, for a while (0:
// until ctx ends), prints every gap as it ends and a summary.
func (l *Lab) Watch(ctx context.Context, out io.Writer, address netip.Addr, page string, during time.Duration) error {
	var mu sync.Mutex
	began := now()
	watch, err := l.observe(context.WithoutCancel(ctx), address, page, func(g Gap) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(out, "%8.3f s  %s: %s\n", (g.From - began).Seconds(), g.Kind, g)
	})
	if err != nil {
		return err
	}
	if during == 0 {
		<-ctx.Done()
	} else if err := pause(ctx, during); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	seen, err := watch.stop()
	if err != nil {
		return err
	}
	for _, t := range seen.tallies {
		fmt.Fprintf(out, "%s: %d probes, %d lost (%d of them answered too late), longest gap %.1f ms%s\n",
			t.Kind, t.Sent, t.Lost, t.Late, ms(t.Longest), statuses(t))
	}
	for _, s := range seen.meter.Answered {
		fmt.Fprintf(out, "%8.3f s  %s answered for the address, until %.3f s\n", (s.From - began).Seconds(), s.Node, (s.To - began).Seconds())
	}
	fmt.Fprintf(out, "two hosts answered for it: %.1f ms\n", ms(seen.meter.Double))
	return nil
}
