package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// longestGap is what a demo accepts; it has promised less.
	longestGap = 3 * time.Second
	demoTime   = 85 * time.Second
)

// A demo shows a cluster at work to somebody who sees it for the first time.
type demo struct {
	out     io.Writer
	began   time.Time
	cluster *Cluster
	haproxy bool
	watch   *observation

	mu   sync.Mutex
	gaps []Gap // all that the client noticed so far
}

// Demo brings up a lab of its own, shows a planned move, the loss of an
// address's owner and its return, and prints what a client noticed of each.
// The error says which promise was not kept.
func Demo(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTime, fmt.Errorf("it did not end in %v", demoTime))
	defer cancel()
	d := &demo{out: out, began: time.Now()}
	d.haproxy = d.ensureHAProxy(ctx)
	spec := NewSpec(fmt.Sprintf("demo-%d", os.Getpid()), []string{"lvsm", "lvss", "web1"}, AgentCommand)
	spec = spec.WithWebServers()
	spec.Tied = true
	l, err := Up(ctx, spec)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.logs(l)
		}
		err = errors.Join(err, l.Down(context.WithoutCancel(ctx)))
	}()
	d.cluster = &Cluster{Lab: l, Said: d.typed}
	defer func() { err = errors.Join(err, d.cluster.Close()) }()
	if err := d.show(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = errors.Join(cause, err)
		}
		return err
	}
	d.say("")
	d.say("Done in %.0f s; all as promised. Everything the demo made is gone.", time.Since(d.began).Seconds())
	return nil
}

// AgentCommand is what a lab's nodes run.
var AgentCommand = []string{"quorate", "agent"}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

func (d *demo) title(format string, args ...any) {
	d.say("\n== "+format, args...)
}

func (d *demo) typed(host, command string) { d.say("%s# %s", host, command) }

// logs prints the end of what the agents wrote, for whoever must find out why.
func (d *demo) logs(l *Lab) {
	for _, n := range l.Spec.Nodes() {
		text, err := os.ReadFile(l.Log(n))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		d.say("\n-- the agent of %s said last:\n%s", n, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

func (d *demo) show(ctx context.Context) error {
	if err := d.build(ctx); err != nil {
		return err
	}
	page := ""
	if d.haproxy {
		page = "http://" + VIP.String() + "/"
	}
	var err error
	if d.watch, err = d.cluster.Lab.observe(ctx, VIP, page, d.noticed); err != nil {
		return err
	}
	for _, scene := range []func(context.Context) error{d.plannedMove, d.powerOff, d.manualReturn, d.preferredReturn} {
		if err := scene(ctx); err != nil {
			_, stopErr := d.watch.stop()
			return errors.Join(err, stopErr)
		}
	}
	return d.verdict()
}

func (d *demo) noticed(g Gap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gaps = append(d.gaps, g)
}

// build makes the cluster and what it keeps.
func (d *demo) build(ctx context.Context) error {
	d.title("Three nodes (lvsm, lvss, web1), two web servers and a client, as %s, in network namespaces", who())
	if err := d.cluster.Form(ctx, Shape{}); err != nil {
		return err
	}
	d.title("An address%s", map[bool]string{true: ", and an HAProxy in front of the web servers", false: ""}[d.haproxy])
	if err := d.cluster.CreateVIP(ctx); err != nil {
		return err
	}
	if d.haproxy {
		if err := d.cluster.CreateHAProxy(ctx); err != nil {
			return err
		}
	}
	v, err := d.cluster.Settled(ctx)
	if err != nil {
		return err
	}
	status, err := d.cluster.Type(ctx, v.Owners[vipResource], "pcs status")
	d.say("%s", indent(status))
	return err
}

func who() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return "an ordinary user"
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}
