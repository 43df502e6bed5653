package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"
)

// A Bench says what to measure.
type Bench struct {
	Name       string // of a running lab to use; if there is none, one is made and taken down again
	Spec       Spec   // of a lab that is made
	Events     []Event
	Runs       int           // of each event
	Owner      Role          // of the address's owner in every run
	Hold       time.Duration // that a fault lasts at least; 0: 10 s of a freeze, and as long as the failover of others
	Profile    string        // of the cluster's timing; empty: as it is
	Keepalived bool
	JSON       bool // one object per event, on a line each; a table otherwise
}

// advertIntervals are how keepalived is configured beside Quorate: its default, and
// as fast as is usual.
var advertIntervals = []string{"1", "0.1"}

// Run measures and prints. progress gets a line for every run.
func (b Bench) Run(ctx context.Context, out, progress io.Writer) error {
	if b.Runs < 1 {
		return fmt.Errorf("runs: %d; use 1 or more", b.Runs)
	}
	report := newReporter(out, progress, b.JSON)
	defer report.close()
	if err := b.quorate(ctx, report); err != nil {
		return err
	}
	if !b.Keepalived {
		return nil
	}
	if !installed("keepalived") {
		fmt.Fprintln(progress, "keepalived is not installed: nothing to compare with")
		return nil
	}
	for _, interval := range advertIntervals {
		if err := b.keepalived(ctx, interval, report); err != nil {
			return err
		}
	}
	return nil
}

// installed tells whether there is a program, also where an ordinary user does not look.
func installed(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	_, err := lookup(program, []string{"PATH=/usr/local/sbin:/usr/sbin:/sbin"})
	return err == nil
}

func (b Bench) quorate(ctx context.Context, report *reporter) (err error) {
	l, end, err := openOrUp(ctx, b.Name, b.Spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	c := &Cluster{Lab: l}
	defer func() { err = errors.Join(err, c.Close()) }()
	q, err := newQuorate(ctx, c, Shape{Profile: b.Profile})
	if err != nil {
		return err
	}
	if _, err := q.Settled(ctx); err != nil {
		return err
	}
	if !b.JSON {
		idle, err := measureIdle(ctx, l)
		if err != nil {
			return err
		}
		report.idle(idle)
	}
	return b.each(ctx, l, q, report)
}

func (b Bench) keepalived(ctx context.Context, interval string, report *reporter) (err error) {
	spec := keepalivedSpec(fmt.Sprintf("keepalived-%d", os.Getpid()), b.Spec.Nodes(), interval)
	spec.Tied = true
	l, err := Up(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Down(context.WithoutCancel(ctx))) }()
	return b.each(ctx, l, &keepalived{l, interval}, report)
}

func (b Bench) each(ctx context.Context, l *Lab, c contestant, report *reporter) error {
	base := 0.0 // power-off's median
	for _, e := range b.Events {
		if e == EventLeaderKill && c.name() != "" {
			continue // keepalived has no leader beside the owner
		}
		t := task{Event: e, Owner: b.Owner, Hold: b.Hold}
		if e == EventFreeze && t.Hold == 0 {
			t.Hold = freezeTime
		}
		r, err := bench(ctx, l, c, t, b.Runs, func(i int, run Run) { report.ran(c, e, i, run) })
		if err != nil {
			return err
		}
		if e == EventPowerOff {
			base = r.Median
		} else if base > 0 {
			r.Ratio = math.Round(100*r.Median/base) / 100
		}
		if c.name() == "" {
			r.Profile = b.Profile
		}
		report.result(r)
	}
	return nil
}

// freezeTime is longer than any lease, and than most people's patience.
const freezeTime = 10 * time.Second

// idleTime is how long an idle agent is watched.
const idleTime = 5 * time.Second

// An idleUse is what the busiest and the largest of a lab's agents use while
// nothing happens.
type idleUse struct {
	cpu    float64 // of one core, in percent
	memory int64   // bytes
}

func measureIdle(ctx context.Context, l *Lab) (idleUse, error) {
	before, err := l.Status(ctx)
	if err != nil {
		return idleUse{}, err
	}
	began := now()
	if err := pause(ctx, idleTime); err != nil {
		return idleUse{}, err
	}
	after, err := l.Status(ctx)
	if err != nil {
		return idleUse{}, err
	}
	took := now() - began
	var u idleUse
	for i := range after {
		used := after[i].Agent.CPU - before[i].Agent.CPU
		u.cpu = max(u.cpu, round(100*float64(used)/float64(took)))
		u.memory = max(u.memory, after[i].Agent.Memory)
	}
	return u, nil
}

// A reporter prints results as they come.
type reporter struct {
	progress io.Writer
	json     *json.Encoder // nil: a table
	table    *tabwriter.Writer
}

func newReporter(out, progress io.Writer, asJSON bool) *reporter {
	if asJSON {
		return &reporter{progress: progress, json: json.NewEncoder(out)}
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "EVENT\tRUNS\tMEDIAN ms\tMAX ms\tPER POWER-OFF\tTWO ANSWERED ms\tTWO SERVED ms\tOWNER LED\tSYSTEM")
	return &reporter{progress: progress, table: t}
}

func (r *reporter) idle(u idleUse) {
	fmt.Fprintf(r.progress, "idle agent: %.1f %% of a core, %d MiB\n", u.cpu, u.memory>>20)
}

func (r *reporter) ran(c contestant, e Event, i int, run Run) {
	led := ""
	if run.OwnerWasLeader {
		led = ", the owner was leader"
	}
	fmt.Fprintf(r.progress, "%s, run %d: gap %.1f ms, two answered %.1f ms, two served %.1f ms%s (%s)\n",
		e, i+1, run.Gap, run.Double, run.Shared, led, system(c.name()))
	for _, g := range run.gaps {
		if len(run.gaps) > 1 || g.Late > 0 {
			fmt.Fprintf(r.progress, "  from %+.0f ms: %s\n", ms(g.From-run.cause), g)
		}
	}
}

func system(name string) string {
	if name == "" {
		return "quorate"
	}
	return name
}

func (r *reporter) result(result Result) {
	if r.json != nil {
		_ = r.json.Encode(result) // a reader that left needs no more
		return
	}
	led := 0
	for _, run := range result.Runs {
		if run.OwnerWasLeader {
			led++
		}
	}
	ratio := "-"
	if result.Ratio > 0 {
		ratio = fmt.Sprint(result.Ratio)
	}
	fmt.Fprintln(r.table, strings.Join([]string{
		string(result.Event), fmt.Sprint(len(result.Runs)), fmt.Sprint(result.Median), fmt.Sprint(result.Max), ratio,
		fmt.Sprint(result.Double), fmt.Sprint(result.Shared), fmt.Sprintf("%d of %d", led, len(result.Runs)), system(result.System),
	}, "\t"))
}

func (r *reporter) close() {
	if r.table != nil {
		_ = r.table.Flush()
	}
}
