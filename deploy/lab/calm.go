package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Calm is a time in which nothing fails but the machine has much to do: how
// much of that does a cluster take for a failure?
type Calm struct {
	Name    string // of a running lab to use; if there is none, one is made and taken down again
	Spec    Spec   // of a lab that is made
	Shape   Shape  // of its cluster
	Profile string // of its timing; empty: as it is
	For     time.Duration
	Load    string // a command that runs beside it; empty: none
	JSON    bool
}

// A CalmReport says what was not calm.
type CalmReport struct {
	Profile       string     `json:"profile,omitempty"`
	Load          string     `json:"load,omitempty"`
	Seconds       float64    `json:"seconds"`
	Lapses        uint64     `json:"lapses"` // leases lost, of all nodes
	Failovers     int        `json:"failovers"`
	Moves         int        `json:"moves"`
	LeaderChanges int        `json:"leader_changes"`
	Probes        int        `json:"probes"`
	Lost          int        `json:"lost_probes"` // that nobody answered
	Late          int        `json:"late_probes"` // that were answered after more than 10 ms
	Gap           float64    `json:"gap_ms"`      // the longest time without an answer in time
	Double        float64    `json:"double_ms"`
	Shared        float64    `json:"shared_ms"`
	Nodes         []CalmNode `json:"nodes"`
	Events        []string   `json:"events,omitempty"` // whatever was told meanwhile
}

// CalmNode is what one node counted.
type CalmNode struct {
	Node    string  `json:"node"`
	Lapses  uint64  `json:"lapses"`
	Worst   float64 `json:"worst_beat_delay_ms"` // since its agent started
	Threads string  `json:"threads"`             // how those that beat are scheduled
}

// Run watches, and prints what it saw. The error says that it was not calm.
func (c Calm) Run(ctx context.Context, out io.Writer) (err error) {
	l, end, err := openOrUp(ctx, c.Name, c.Spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	cluster := &Cluster{Lab: l}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	shape := c.Shape
	shape.Profile = c.Profile
	q, err := newQuorate(ctx, cluster, shape)
	if err == nil {
		_, err = q.Settled(ctx)
	}
	if err != nil {
		return err
	}
	report, err := c.watch(ctx, q)
	if err != nil {
		return err
	}
	if err := report.print(out, c.JSON); err != nil {
		return err
	}
	return report.verdict()
}

// openOrUp opens a running lab or, if there is none of that name, makes one.
// The returned function ends what it made.
func openOrUp(ctx context.Context, name string, made Spec) (l *Lab, end func() error, err error) {
	if l, err = Open(name); err == nil {
		return l, func() error { return nil }, nil
	}
	made.Name, made.Tied = fmt.Sprintf("%s-%d", name, os.Getpid()), true
	if l, err = Up(ctx, made); err != nil {
		return nil, nil, err
	}
	return l, func() error { return l.Down(context.WithoutCancel(ctx)) }, nil
}

// watch runs the load and looks for as long as it is to last.
func (c Calm) watch(ctx context.Context, q *quorate) (CalmReport, error) {
	began := now()
	tale := newChronicle(q.Cluster, time.Second)
	for _, n := range q.Lab.Spec.Nodes() {
		tale.look(ctx, n)
	}
	seen, err := c.during(ctx, q, tale)
	if err != nil {
		return CalmReport{}, err
	}
	events := tale.since(began)
	icmp := seen.tallies[0]
	r := CalmReport{
		Profile: c.Profile, Load: c.Load, Seconds: round((now() - began).Seconds()),
		Failovers: count(events, "failover"), Moves: count(events, "move"), LeaderChanges: tale.leaderChanges(),
		Probes: icmp.Sent, Lost: icmp.Lost - icmp.Late, Late: icmp.Late, Gap: ms(icmp.Longest),
		Double: ms(seen.meter.Double), Shared: ms(seen.meter.Shared),
	}
	for _, n := range tale.tales() {
		r.Lapses += n.Lapses
		r.Nodes = append(r.Nodes, CalmNode{n.Node, n.Lapses, ms(n.Worst), n.Threads})
	}
	for _, e := range events {
		r.Events = append(r.Events, fmt.Sprintf("%.1f s: %s", (e.At-began).Seconds(), e.Text))
	}
	return r, nil
}

func (c Calm) during(ctx context.Context, q *quorate, tale *chronicle) (observed, error) {
	watch, err := q.Lab.observe(ctx, q.vip, "", nil)
	if err != nil {
		return observed{}, err
	}
	busy, stop := context.WithTimeout(ctx, c.For)
	defer stop()
	g, loaded := errgroup.WithContext(busy)
	g.Go(func() error { return tale.Run(loaded) })
	if c.Load != "" {
		g.Go(func() error { return load(loaded, q.Lab, c.Load) })
	}
	g.Go(func() error { <-loaded.Done(); return nil })
	err = g.Wait()
	seen, stopErr := watch.stop()
	return seen, errors.Join(err, ctx.Err(), stopErr)
}

// load runs a command on the client until ctx ends. All of a lab's hosts share
// the machine's processors.
func load(ctx context.Context, l *Lab, command string) error {
	var errs strings.Builder
	err := l.ExecIO(ctx, ClientName, []string{"sh", "-c", "cd /tmp && exec " + command}, nil, io.Discard, &errs)
	switch {
	case ctx.Err() != nil:
		return nil // as long as it was to be
	case err == nil:
		return fmt.Errorf("load %q: it ended before the time; give it no end of its own", command)
	}
	return fmt.Errorf("load: %w: %s", err, strings.TrimSpace(errs.String()))
}

func (r CalmReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, "%.0f s%s%s\n", r.Seconds, labelled(", profile ", r.Profile), labelled(", under ", r.Load))
	fmt.Fprintf(out, "lost leases %d, failovers %d, moves %d, leader changes %d\n", r.Lapses, r.Failovers, r.Moves, r.LeaderChanges)
	fmt.Fprintf(out, "client: %d probes, %d lost, %d late, longest gap %.1f ms\n", r.Probes, r.Lost, r.Late, r.Gap)
	fmt.Fprintf(out, "two nodes answered %.1f ms, two served %.1f ms\n", r.Double, r.Shared)
	for _, n := range r.Nodes {
		fmt.Fprintf(out, "  %s: worst beat delay %.1f ms, %s; lost its lease %d times\n", n.Node, n.Worst, n.Threads, n.Lapses)
	}
	for _, e := range r.Events {
		fmt.Fprintf(out, "  %s\n", e)
	}
	return nil
}

func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// verdict: a change of leader is counted, and moves nothing.
func (r CalmReport) verdict() error {
	if r.Lapses > 0 || r.Failovers > 0 || r.Moves > 0 || r.Shared > 0 {
		return fmt.Errorf("it was not calm: %d lost leases, %d failovers, %d moves, two served for %.1f ms", r.Lapses, r.Failovers, r.Moves, r.Shared)
	}
	return nil
}
