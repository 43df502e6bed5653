package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

func is(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s is %s, not %s as promised", what, got, want)
	}
	return nil
}

// tell waits until all is settled and tells what has happened since.
func (d *demo) tell(ctx context.Context, since time.Duration, right func(owner string) error) error {
	v, err := d.cluster.Settled(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	if err := right(v.Owners[vipResource]); err != nil {
		return err
	}
	return d.report(ctx, since, v.Owners[vipResource])
}

// tellWithout is tell while a node has no power.
func (d *demo) tellWithout(ctx context.Context, since time.Duration, dead string) error {
	resources := []string{vipResource}
	if d.haproxy {
		resources = append(resources, webService)
	}
	var v View
	var err error
	for _, r := range resources {
		if v, err = d.cluster.AwaitOwner(ctx, r, dead, func(o string) bool { return o != dead }); err != nil {
			return err
		}
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	return d.report(ctx, since, v.Owners[vipResource])
}

// report prints the client's gaps and the phases of every failover and move since.
func (d *demo) report(ctx context.Context, since time.Duration, owner string) error {
	v, err := d.cluster.View(ctx, owner)
	if err != nil {
		return err
	}
	d.say("  %s has it.", owner)
	for _, e := range v.GetState().GetEvents() {
		if len(e.GetPhases()) > 0 && e.GetAt().AsTime().After(time.Now().Add(since-now())) {
			d.timeline(e)
		}
	}
	return d.gapsSince(since)
}

// phaseNames are the phases of an event in words.
var phaseNames = map[string]string{
	"silence": "its silence was noticed", "testimony": "a majority testified to it", "elected": "a leader was elected",
	"gone": "its lease was known to have ended", "planned": "planned", "stopped": "stopped where it was",
	"started": "started", "announced": "announced to the network",
}

func (d *demo) timeline(e *pb.Event) {
	d.say("  %s", e.GetText())
	for _, p := range e.GetPhases() {
		name := phaseNames[p.GetName()]
		if name == "" {
			name = p.GetName()
		}
		d.say("    %5d ms  %s", p.GetAt().AsDuration().Milliseconds(), name)
	}
}

// gapsSince prints the longest gap of each kind and checks it.
func (d *demo) gapsSince(since time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	longest, silence := map[string]Gap{}, map[string]time.Duration{}
	for _, g := range d.gaps {
		if g.To <= since {
			continue
		}
		if g.Length() > longest[g.Kind].Length() {
			longest[g.Kind] = g
		}
		silence[g.Kind] = max(silence[g.Kind], g.Silence())
	}
	kinds := []string{"icmp"}
	if d.haproxy {
		kinds = append(kinds, "http")
	}
	words := map[string]string{"icmp": "ping", "http": "HTTP"}
	for _, kind := range kinds {
		if silence[kind] > longestGap {
			return fmt.Errorf("client had no answer (%s) for %v, longer than %v", words[kind], silence[kind], longestGap)
		}
		d.say("  client, %-4s  %s", words[kind], longest[kind])
	}
	return nil
}

// verdict ends the watching and checks what must hold for the whole of it.
func (d *demo) verdict() error {
	seen, err := d.watch.stop()
	if err != nil {
		return err
	}
	d.title("All in all")
	for _, t := range seen.tallies {
		d.say("  %s: %d probes, %d lost in %d gaps%s", t.Kind, t.Sent, t.Lost, len(t.Gaps), statuses(t))
		if n := len(t.Gaps); n > 0 && t.Gaps[n-1].lasts() {
			return fmt.Errorf("client had no answer (%s) for the last %v", t.Kind, t.Gaps[n-1].Length())
		}
	}
	d.say("  two nodes answered for the address: %d ms", seen.meter.Double.Milliseconds())
	if seen.meter.Double > 0 {
		return fmt.Errorf("two nodes answered for the address for %v", seen.meter.Double)
	}
	return nil
}

func statuses(t Tally) string {
	var parts []string
	for status, n := range t.Answers {
		if status != "200" {
			parts = append(parts, fmt.Sprintf("%d times %s", n, status))
		}
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
