package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newClusterCommand(a *app) *cobra.Command {
	return noun("cluster", "Make a cluster, and start and stop it", "cluster status", nil,
		newAuthCommand(a), newSetupCommand(a), newStartCommand(a), newStopCommand(a),
		newClusterStatusCommand(a), newDestroyCommand(a),
		newEnableCommand(a, "enable", "Let nodes take work again after a boot", false),
		newEnableCommand(a, "disable", "Let nodes wait for \"cluster start\" after a boot", true),
		newTokenCommand(a), newJoinCommand(a), newCertificateCommand(a), newPasswordCommand(a),
		newClusterNodeCommand(a),
		hidden(newModeCommand(a, standby)), hidden(newModeCommand(a, unstandby)),
	)
}

func newSetupCommand(a *app) *cobra.Command {
	var name, transport, profile string
	var witnesses []string
	var start, enable, force bool
	c := &cobra.Command{
		Use:   "setup NAME NODE [addr=ADDRESS]...",
		Short: "Make a cluster of nodes, this one among them",
		Long: "Make a cluster of nodes, this one among them. They must trust each other first:\n" +
			"see \"cluster auth\". The old spelling, with --name, works too.",
		Example: "cluster setup web lvsm lvss web1\ncluster setup web lvsm addr=10.0.0.1 addr=10.1.0.1 lvss addr=10.0.0.2 --start --wait\ncluster setup web lvsm lvss tiny --witness tiny --start\ncluster setup --name web lvsm lvss",
		RunE: func(c *cobra.Command, words []string) error {
			if force {
				return grammar.Errorf("--force: a node that is in a cluster is never taken out of it by another's setup").
					With("run %q on that node first", a.name+" cluster destroy")
			}
			r, skipped, err := grammar.Setup(name, words)
			if err != nil {
				return err
			}
			if transport != "" {
				skipped = append(skipped, "--transport")
			}
			if len(skipped) > 0 {
				a.warn("%s: these are corosync's and mean nothing here; skipped", strings.Join(skipped, ", "))
			}
			if profile != "" {
				r.Properties = map[string]string{"profile": profile}
			}
			r.Start, r.Witnesses = start, witnesses
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.Setup(ctx, r)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "`NAME` of the cluster, if it is not the first word")
	f.StringSliceVar(&witnesses, "witness", nil, "`NODE` of those named that votes and hosts nothing")
	f.BoolVar(&start, "start", false, "start all nodes afterwards")
	f.StringVar(&profile, "profile", "", "how fast the cluster is: `fast|lan|wan` (default lan)")
	f.BoolVar(&enable, "enable", false, "take work after a boot; this is the default")
	f.StringVar(&transport, "transport", "", "corosync's; skipped")
	f.BoolVar(&force, "force", false, "refused: says what to do instead")
	_ = f.MarkHidden("transport")
	_ = f.MarkHidden("force")
	return a.waits(c)
}

// someNodes adds --all to a command that acts on nodes, and refuses it beside names.
func someNodes(a *app, c *cobra.Command, all *bool) *cobra.Command {
	c.Flags().BoolVar(all, "all", false, "every node")
	c.ValidArgsFunction = a.completes(nodeNames)
	c.Args = func(_ *cobra.Command, words []string) error {
		if *all && len(words) > 0 {
			return grammar.Errorf("--all and the name %q exclude each other", words[0])
		}
		return nil
	}
	return c
}

func newStartCommand(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     "start [--all | NODE...]",
		Short:   "Let nodes take work: this one, the named ones or all",
		Example: "cluster start --all\ncluster start lvsm",
		RunE: func(c *cobra.Command, nodes []string) error {
			if a.dryRun {
				return a.updateNodes(c, nodes, all, setStopped(false))
			}
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.Start(ctx, &pb.StartRequest{Nodes: nodes, All: all})
			})
		},
	}
	return a.foresees(a.waits(someNodes(a, c, &all)))
}

// setStopped is what starting or stopping a node comes to, for a dry run.
func setStopped(stopped bool) func(*pb.UpdateNode) {
	return func(u *pb.UpdateNode) { u.Stopped = &stopped }
}

func newStopCommand(a *app) *cobra.Command {
	var all, force bool
	timeout := waitFlag{}
	c := &cobra.Command{
		Use:     "stop [--all | NODE...]",
		Short:   "Let nodes hand their work over and idle: this one, the named ones or all",
		Example: "cluster stop lvsm\ncluster stop --all --timeout 2m",
		RunE: func(c *cobra.Command, nodes []string) error {
			if a.dryRun {
				return a.updateNodes(c, nodes, all, setStopped(true))
			}
			r := &pb.StopRequest{Nodes: nodes, All: all}
			if timeout.d > 0 {
				r.Timeout = durationpb.New(timeout.d)
			}
			return a.workWithin(c.Context(), lineTimeout+timeout.d, func(ctx context.Context, cl *client) (progress, error) {
				return cl.Stop(ctx, r)
			})
		},
	}
	c.Flags().Var(&timeout, "timeout", "for handing work over, at most `TIME` (default 1m)")
	c.Flags().BoolVar(&force, "force", false, "accepted from pcs; a stop always hands work over first")
	_ = c.Flags().MarkHidden("force")
	return a.foresees(a.waits(someNodes(a, c, &all)))
}

func newEnableCommand(a *app, verb, short string, disabled bool) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     verb + " [--all | NODE...]",
		Short:   short,
		Example: "cluster " + verb + " --all\ncluster " + verb + " lvsm",
		RunE: func(c *cobra.Command, names []string) error {
			return a.updateNodes(c, names, all, func(u *pb.UpdateNode) { u.Disabled = &disabled })
		},
	}
	return a.changes(someNodes(a, c, &all))
}

func newClusterStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show the quorum and the nodes",
		Example: "cluster status",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.status(c, render.Nodes, pb.ServerDetail_SERVER_DETAIL_NONE)
		},
	}
}

func newDestroyCommand(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "destroy [--all]",
		Short: "Make this node, or all, forget the cluster",
		Long: "Make this node, or with --all every node, stop what it runs, leave the cluster and\n" +
			"delete the cluster's data. Nothing of it can be brought back.",
		Example: "cluster destroy\ncluster destroy --all",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if a.dryRun {
				return a.updateNodes(c, nil, all, setStopped(true))
			}
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.Destroy(ctx, &pb.DestroyRequest{All: all})
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every node of the cluster")
	return a.foresees(c)
}

func newTokenCommand(a *app) *cobra.Command {
	var role roleFlags
	lifetime := waitFlag{time.Hour}
	c := &cobra.Command{
		Use:     "token",
		Short:   "Make a one-time token with which a node joins",
		Example: "cluster token\ncluster token --witness --lifetime 10m",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := role.parse()
			if err != nil {
				return err
			}
			var resp *pb.CreateTokenResponse
			err = a.ask(c.Context(), changeTimeout, func(ctx context.Context, cl *client) (err error) {
				resp, err = cl.CreateToken(ctx, &pb.CreateTokenRequest{Lifetime: durationpb.New(lifetime.d), Role: r})
				return err
			})
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error {
				fmt.Fprintln(w, resp.GetToken())
				fmt.Fprintf(a.err, "It works once, until %s, with \"%s cluster join TOKEN\" on the new node.\n",
					resp.GetExpiresAt().AsTime().In(a.now().Location()).Format("15:04:05"), a.name)
				return nil
			})
		},
	}
	c.Flags().Var(&lifetime, "lifetime", "for which `TIME` it works")
	role.add(c)
	return c
}
