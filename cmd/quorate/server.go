package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newServerCommand(a *app) *cobra.Command {
	list := newServerListCommand(a)
	return noun("server", "See the servers behind directors and proxies, and take them out of service",
		"server list\nserver drain 10.0.0.21 --deadline 5m\nserver enable 10.0.0.21", list.RunE,
		list, newServerDrainCommand(a),
		newServerModeCommand(a, "disable", "Take a server out at once: its connections end", pb.ServerMode_SERVER_MODE_DISABLED),
		newServerModeCommand(a, "enable", "Let a server serve again, as its checks allow", pb.ServerMode_SERVER_MODE_READY),
		newServerWeightCommand(a))
}

func newServerListCommand(a *app) *cobra.Command {
	var counts bool
	c := &cobra.Command{
		Use:   "list [RESOURCE [SERVICE]]",
		Short: "Show services with their servers: state, weight, connections, checks",
		Long: "Show the virtual services of IPVS directors and the backends of HAProxys with their\n" +
			"servers. The nodes that run them are asked. A service may be named without its protocol\n" +
			"or port.",
		Example:           "server list\nserver list lb 192.0.2.10:80 -o json\nserver list --counts",
		Args:              words(0, 2),
		ValidArgsFunction: a.completesServers(listWords),
		RunE: func(c *cobra.Command, names []string) error {
			names = append(slices.Clone(names), "", "")
			r := &pb.ListServersRequest{Resource: names[0], Service: names[1]}
			if counts {
				r.Detail = pb.ServerDetail_SERVER_DETAIL_COUNTS
			}
			resp, err := a.servers(c.Context(), r)
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error { return render.Servers(w, resp.GetBalances(), a.options()) })
		},
	}
	c.Flags().BoolVar(&counts, "counts", false, "services only, with how many of their servers are well")
	return c
}

// servers asks for services and servers.
func (a *app) servers(ctx context.Context, r *pb.ListServersRequest) (resp *pb.ListServersResponse, err error) {
	err = a.ask(ctx, 2*readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.servers.List(ctx, r)
		return err
	})
	return resp, err
}

// orders gives a command the flags that say which server is meant, and for how long.
func (a *app) orders(c *cobra.Command, o *pb.OrderServersRequest) *cobra.Command {
	f := c.Flags()
	f.StringVar(&o.Service, "service", "", "the `SERVICE` that the server is in, or a backend")
	f.StringVar(&o.Resource, "resource", "", "the `RESOURCE` that the server is behind")
	f.BoolVar(&o.All, "all", false, "in all services that have the server")
	f.BoolVar(&o.Kept, "kept", false, "until it is taken back, wherever the resource runs")
	f.BoolVar(&o.Temporary, "temporary", false, "until the resource stops or moves (the default); what is kept stays so")
	f.BoolVar(&o.DryRun, "dry-run", false, "change nothing, and show which servers are meant")
	c.Args = words(1, 1)
	c.ValidArgsFunction = a.completesServers(serverWord)
	_ = c.RegisterFlagCompletionFunc("service", a.completesServers(serviceFlag))
	_ = c.RegisterFlagCompletionFunc("resource", a.completes(resourceIDs))
	return c
}

func newServerModeCommand(a *app, verb, short string, mode pb.ServerMode) *cobra.Command {
	o := &pb.OrderServersRequest{Mode: mode}
	c := &cobra.Command{
		Use:   verb + " SERVER",
		Short: short,
		Example: "server " + verb + " 10.0.0.21 --service 192.0.2.10:80\n" +
			"server " + verb + " web1 --resource Web --kept --wait",
		RunE: func(c *cobra.Command, names []string) error {
			o.Server = names[0]
			return a.order(c, o)
		},
	}
	return a.waits(a.orders(c, o))
}

func newServerWeightCommand(a *app) *cobra.Command {
	o := &pb.OrderServersRequest{}
	c := &cobra.Command{
		Use:     "weight SERVER WEIGHT|default",
		Short:   "Give a server another weight, or the configured one again",
		Example: "server weight 10.0.0.21 5 --service 192.0.2.10:80\nserver weight 10.0.0.21 default",
		RunE: func(c *cobra.Command, names []string) error {
			weight, reset, err := grammar.ParseWeight(names[1])
			if err != nil {
				return err
			}
			o.Server, o.ResetWeight = names[0], reset
			if !reset {
				o.Weight = proto.Uint32(weight)
			}
			return a.order(c, o)
		},
	}
	a.orders(c, o)
	c.Args = words(2, 2)
	return a.waits(c)
}

// order gives an order, prints whom it found, and waits for what is kept.
func (a *app) order(c *cobra.Command, o *pb.OrderServersRequest) error {
	resp, err := a.give(c.Context(), o)
	if err != nil {
		return err
	}
	if err := a.print(resp, func(w io.Writer) error { return a.printOrder(w, o, resp) }); err != nil {
		return err
	}
	if resp.GetIndex() == 0 {
		return nil
	}
	return a.waitFor(c.Context(), resp.GetIndex())
}

func (a *app) give(ctx context.Context, o *pb.OrderServersRequest) (resp *pb.OrderServersResponse, err error) {
	err = a.ask(ctx, changeTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.servers.Order(ctx, o)
		return err
	})
	return resp, err
}

func (a *app) printOrder(w io.Writer, o *pb.OrderServersRequest, resp *pb.OrderServersResponse) error {
	prefix := ""
	if o.GetDryRun() {
		prefix = "not done: "
	}
	for _, t := range resp.GetTargets() {
		if _, err := fmt.Fprintf(w, "%s%s in %s of %s %s\n", prefix, t.GetServer(), t.GetService(), t.GetResource(), said(o)); err != nil {
			return err
		}
	}
	for _, note := range resp.GetNotes() {
		a.warn("%s", note)
	}
	return nil
}

// said is what an order does, after the name of a server.
func said(o *pb.OrderServersRequest) string {
	text := map[pb.ServerMode]string{
		pb.ServerMode_SERVER_MODE_READY: "serves again, as its checks allow", pb.ServerMode_SERVER_MODE_DISABLED: "is disabled",
		pb.ServerMode_SERVER_MODE_DRAIN: "gets no new connection",
	}[o.GetMode()]
	switch {
	case o.Weight != nil:
		text = fmt.Sprintf("has weight %d", o.GetWeight())
	case o.GetResetWeight():
		text = "has its configured weight"
	}
	switch {
	case o.GetKept():
		return text + ", until that is taken back"
	case o.GetMode() == pb.ServerMode_SERVER_MODE_READY || o.GetResetWeight():
		return text
	default:
		return text + ", until the resource stops or moves"
	}
}
