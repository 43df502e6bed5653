package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newServerDrainCommand(a *app) *cobra.Command {
	o := &pb.OrderServersRequest{Mode: pb.ServerMode_SERVER_MODE_DRAIN}
	var wait, kill bool
	var deadline durationFlag
	c := &cobra.Command{
		Use:   "drain SERVER",
		Short: "Give a server no new connection, and let those that are open finish",
		Long: "Give a server no new connection, and let those that are open finish. With --wait or\n" +
			"--deadline it is told how many are left, until there is none. At the deadline those that\n" +
			"are left go on, and the command fails; with --kill the server is disabled, which ends them.",
		Example: "server drain 10.0.0.21 --service 192.0.2.10:80\n" +
			"server drain web1 --resource Web --deadline 5m --kill",
		RunE: func(c *cobra.Command, names []string) error {
			if kill && deadline == 0 {
				return grammar.Errorf("--kill ends connections at a deadline").With("give --deadline, or use \"server disable\"")
			}
			o.Server = names[0]
			resp, err := a.give(c.Context(), o)
			if err != nil {
				return err
			}
			if err := a.printEach(resp, func(w io.Writer) error { return a.printOrder(w, o, resp) }); err != nil || o.GetDryRun() || !wait && deadline == 0 {
				return err
			}
			d := &drain{app: a, targets: resp.GetTargets(), deadline: time.Duration(deadline)}
			left, err := d.run(c.Context())
			if err != nil || left == 0 {
				return err
			}
			if !kill {
				return fmt.Errorf("%s left after %s; they go on, and no new one comes: \"%s server disable\" ends them",
					plural(left, "connection"), grammar.FormatDuration(d.deadline), a.name)
			}
			return a.kill(c, o, left)
		},
	}
	a.orders(c, o)
	f := c.Flags()
	f.BoolVar(&wait, "wait", false, "tell how many connections are left, until there is none")
	f.Var(&deadline, "deadline", "how long they may take, for example 5m; implies --wait")
	f.BoolVar(&kill, "kill", false, "at the deadline end those that are left, by disabling the server")
	return c
}

// kill disables what was drained, under the same conditions.
func (a *app) kill(c *cobra.Command, o *pb.OrderServersRequest, left uint64) error {
	fmt.Fprintf(a.err, "%s left at the deadline: the server is disabled\n", plural(left, "connection"))
	o.Mode = pb.ServerMode_SERVER_MODE_DISABLED
	resp, err := a.give(c.Context(), o)
	if err != nil {
		return err
	}
	return a.printEach(resp, func(w io.Writer) error { return a.printOrder(w, o, resp) })
}

// A drain watches servers until their last connection has ended.
type drain struct {
	*app
	targets  []*pb.ServerTarget
	deadline time.Duration // 0: none
}

// lookAgain is how often the connections are counted.
const lookAgain = 500 * time.Millisecond

// run tells how many connections are left whenever that has changed, and returns
// how many there are at the end.
func (d *drain) run(ctx context.Context) (left uint64, err error) {
	end := time.Now().Add(d.deadline)
	told := make(map[string]uint64)
	for over := false; ; over = d.deadline > 0 && !time.Now().Before(end) {
		if left, err = d.count(ctx, told); err != nil || left == 0 || over {
			return left, err
		}
		wait := lookAgain
		if d.deadline > 0 {
			wait = min(wait, time.Until(end))
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// count adds up the connections of all servers.
func (d *drain) count(ctx context.Context, told map[string]uint64) (left uint64, err error) {
	for _, t := range d.targets {
		n, err := d.look(ctx, t, told)
		if err != nil {
			return 0, err
		}
		left += n
	}
	return left, nil
}

// look counts the connections of one server, on all nodes that run its resource,
// and tells of those numbers that are news.
func (d *drain) look(ctx context.Context, t *pb.ServerTarget, told map[string]uint64) (left uint64, err error) {
	resp, err := d.servers(ctx, &pb.ListServersRequest{Resource: t.GetResource(), Service: t.GetService(), Server: t.GetServer()})
	if err != nil {
		return 0, failedError{err} // the order was given
	}
	for _, b := range resp.GetBalances() {
		if b.GetError() != "" {
			return 0, fmt.Errorf("%s does not tell of its servers: %s; the drain goes on", b.GetNode(), b.GetError())
		}
		for _, s := range b.GetServices() {
			for _, e := range s.GetServers() {
				left += e.GetOpen()
				if err := d.tell(b.GetNode(), s.GetName(), e, told); err != nil {
					return 0, err
				}
			}
		}
	}
	return left, nil
}

// tell prints how many connections a server has left, if that is news. One that gets
// connections is not drained any more.
func (d *drain) tell(node, service string, e *pb.BalancedServer, told map[string]uint64) error {
	if e.GetState() == pb.ServerState_SERVER_STATE_UP {
		return fmt.Errorf("%s in %s is not drained on %s: the resource has moved there, or somebody has enabled it", e.GetName(), service, node)
	}
	key := node + " " + service + " " + e.GetName()
	if before, known := told[key]; known && before == e.GetOpen() {
		return nil
	}
	told[key] = e.GetOpen()
	return d.printProgress(&pb.Progress{Node: node, Text: fmt.Sprintf("%s in %s: %s left", e.GetName(), service, plural(e.GetOpen(), "connection"))})
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// durationFlag is a time as pcs takes it; a number is seconds.
type durationFlag time.Duration

func (f *durationFlag) String() string {
	if *f == 0 {
		return ""
	}
	return grammar.FormatDuration(time.Duration(*f))
}

// Set reads a time.
func (f *durationFlag) Set(word string) error {
	d, err := grammar.ParseDuration("--deadline", word)
	if err == nil && d <= 0 {
		err = grammar.Errorf("--deadline: %q is no time", word).With("write for example 5m")
	}
	*f = durationFlag(d)
	return err
}

// Type names the value in help.
func (*durationFlag) Type() string { return "TIME" }
