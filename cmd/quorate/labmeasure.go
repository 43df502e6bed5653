package main

import (
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/deploy/lab"
)

func newLabProbeCommand(a *app) *cobra.Command {
	var f labFlags
	var page string
	var duration time.Duration
	c := &cobra.Command{
		Use:   "probe [ADDRESS]",
		Short: "Ask an address from the client every 2 ms, and print the gaps",
		Long: "Ask an address from the client every 2 ms by ICMP, and a page by HTTP if one is named,\n" +
			"and print every gap over 5 ms. An answer that comes after 10 ms counts as lost.\n" +
			"It also tells for how long two hosts answered for the address.",
		Example: "lab probe\nlab probe 10.77.0.100 --http http://10.77.0.100/ --for 30s",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) error {
			address := lab.VIP
			if len(words) > 0 {
				var err error
				if address, err = netip.ParseAddr(words[0]); err != nil {
					return grammar.Errorf("%q is not an IP address", words[0])
				}
			}
			l, err := lab.Open(f.name)
			if err != nil {
				return err
			}
			return l.Watch(c.Context(), a.out, address, page, duration)
		},
	}
	f.addName(c)
	c.Flags().StringVar(&page, "http", "", "ask for this `URL` too")
	c.Flags().DurationVar(&duration, "for", 0, "end after this `TIME`; 0: on Ctrl-C")
	return c
}

func newLabBenchCommand(a *app) *cobra.Command {
	var f labFlags
	var runs int
	var withKeepalived bool
	var kinds []string
	for _, e := range lab.Events {
		kinds = append(kinds, string(e))
	}
	c := &cobra.Command{
		Use:   "bench EVENT...",
		Short: "Measure what a client notices of a failure",
		Long: "Measure what a client notices of " + strings.Join(kinds, ", ") + ".\n" +
			"It uses the lab of that name, or one of its own if there is none. gap_ms is the\n" +
			"longest time without an answer from the event until after the repair, double_ms the\n" +
			"time in which two nodes answered for the address.",
		Example:   "lab bench power-off --runs 10\nlab bench power-off move kill --runs 10 --keepalived\nlab bench leader-kill --runs 20 -o json",
		Args:      words(1, -1),
		ValidArgs: kinds,
		RunE: func(c *cobra.Command, words []string) error {
			b := lab.Bench{Name: f.name, Runs: runs, Keepalived: withKeepalived, JSON: a.output == "json"}
			var err error
			if b.Nodes, err = f.nodeNames(); err != nil {
				return err
			}
			for _, word := range words {
				e, err := lab.ParseEvent(word)
				if err != nil {
					return grammar.Errorf("%v", err)
				}
				b.Events = append(b.Events, e)
			}
			var progress io.Writer = io.Discard
			if !b.JSON || isTerminal(a.err) {
				progress = a.err
			}
			return b.Run(c.Context(), a.out, progress)
		},
	}
	f.addName(c)
	f.addNodes(c)
	c.Flags().IntVar(&runs, "runs", 5, "`N` of each event")
	c.Flags().BoolVar(&withKeepalived, "keepalived", false, "measure keepalived too, in labs of its own, when it is installed")
	return c
}

func newLabDemoCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show a cluster at work: a move, a lost owner, its return",
		Long: "Show a cluster at work, in a lab of its own: a planned move, the loss of an address's\n" +
			"owner, its return. It fails if anything is not as promised.",
		Example: "lab demo",
		Args:    words(0, 0),
		RunE:    func(c *cobra.Command, _ []string) error { return lab.Demo(c.Context(), a.out) },
	}
}
