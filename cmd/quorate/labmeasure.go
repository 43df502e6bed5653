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
	return f.inside(c)
}

func newLabBenchCommand(a *app) *cobra.Command {
	var f labFlags
	var b lab.Bench
	var owner string
	var kinds []string
	for _, e := range lab.Events {
		kinds = append(kinds, string(e))
	}
	c := &cobra.Command{
		Use:   "bench EVENT...",
		Short: "Measure what a client notices of a failure",
		Long: "Measure what a client notices of " + strings.Join(kinds, ", ") + ".\n" +
			"It uses the lab of that name, or one of its own if there is none. gap_ms is the\n" +
			"longest time without an answer from the event until after the repair; double_ms the\n" +
			"time in which two nodes answered for the address, and shared_ms in which two nodes\n" +
			"had it and their kernels let it speak. Name power-off first to have the others\n" +
			"compared with it.",
		Example: "lab bench power-off --runs 30 --owner leader\nlab bench power-off kill freeze --runs 20 -o json\n" +
			"lab bench power-off move kill --runs 10 --keepalived",
		Args:      words(1, -1),
		ValidArgs: kinds,
		RunE: func(c *cobra.Command, words []string) error {
			b.Name, b.JSON = f.name, a.output == "json"
			names, err := f.nodeNames()
			if err != nil {
				return err
			}
			b.Spec = f.spec(names)
			if b.Owner, err = lab.ParseRole(owner); err != nil {
				return grammar.Errorf("--owner: %v", err)
			}
			for _, word := range words {
				e, err := lab.ParseEvent(word)
				if err != nil {
					return grammar.Errorf("%v", err)
				}
				b.Events = append(b.Events, e)
			}
			return b.Run(c.Context(), a.out, a.progress())
		},
	}
	f.addName(c)
	f.addNodes(c)
	flags := c.Flags()
	flags.IntVar(&b.Runs, "runs", 5, "`N` of each event")
	flags.StringVar(&owner, "owner", "", "`leader|follower`: what the address's owner is, in every run")
	flags.DurationVar(&b.Hold, "hold", 0, "leave the fault for this `TIME` at least (freeze: 10s)")
	flags.StringVar(&b.Profile, "profile", "", "choose the timing `PROFILE` of the cluster: fast, lan, wan")
	flags.BoolVar(&b.Keepalived, "keepalived", false, "measure keepalived too, in labs of its own, when it is installed")
	return f.inside(c)
}

func newLabCalmCommand(a *app) *cobra.Command {
	var f labFlags
	var calm lab.Calm
	var minutes float64
	c := &cobra.Command{
		Use:   "calm",
		Short: "Look whether a busy machine is taken for a broken one",
		Long: "Look whether a busy machine is taken for a broken one: nothing fails, and the client\n" +
			"probes. It counts lost leases, failovers, leader changes, lost probes and the worst\n" +
			"delay of a beat, and fails if a lease was lost or anything moved. It uses the lab of\n" +
			"that name, or one of its own if there is none.",
		Example: "lab calm --minutes 10 --load \"stress-ng --cpu 4 --io 2 --vm 1\"\nlab calm --profile fast -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			calm.Name, calm.JSON = f.name, a.output == "json"
			calm.For = time.Duration(minutes * float64(time.Minute))
			names, err := f.nodeNames()
			if err != nil {
				return err
			}
			calm.Spec = f.spec(names)
			return calm.Run(c.Context(), a.out)
		},
	}
	f.addName(c)
	f.addNodes(c)
	flags := c.Flags()
	flags.Float64Var(&minutes, "minutes", 1, "look for `N` minutes")
	flags.StringVar(&calm.Load, "load", "", "a `COMMAND` that runs all the while, on the client")
	flags.StringVar(&calm.Profile, "profile", "", "choose the timing `PROFILE` of the cluster: fast, lan, wan")
	return f.inside(c)
}

func newLabTortureCommand(a *app) *cobra.Command {
	var f labFlags
	var t lab.Torture
	var minutes float64
	var pair, witness bool
	c := &cobra.Command{
		Use:   "torture",
		Short: "Let a nemesis loose on a cluster, and check all that it promises",
		Long: "Let a nemesis loose on a cluster, in a lab of its own: power failures, killed, frozen\n" +
			"and restarted agents, cables cut, cut one way, unplugged, flapping and lossy, busy\n" +
			"processors, full disks. A client probes, and a writer changes the configuration.\n" +
			"It fails if two nodes served an address at the same time, if the client had no answer\n" +
			"and no event of the cluster says why, if a change that was acknowledged is lost, if\n" +
			"all is not well again, or if anything is left behind. What the nemesis does comes\n" +
			"from the seed. It keeps a majority of the nodes able, unless it is --reckless.",
		Example: "lab torture --minutes 10\nlab torture --minutes 10 --pair --networks 2\nlab torture --nodes 2 --witness --seed 7 -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			t.JSON, t.For = a.output == "json", time.Duration(minutes*float64(time.Minute))
			if !c.Flags().Changed("seed") {
				t.Seed = uint64(time.Now().UnixNano() % 1e6)
			}
			var err error
			if t.Spec, t.Shape, err = f.tortured(pair, witness); err != nil {
				return err
			}
			return t.Run(c.Context(), a.out, a.progress())
		},
	}
	f.addNodes(c)
	flags := c.Flags()
	flags.Float64Var(&minutes, "minutes", 1, "go on for `N` minutes")
	flags.Uint64Var(&t.Seed, "seed", 0, "`N` that decides what the nemesis does; by default another one each time")
	flags.BoolVar(&pair, "pair", false, "two nodes, as the tutorials have them: no-quorum-policy=ignore, and a host to ping")
	flags.BoolVar(&witness, "witness", false, "one more node that votes and hosts nothing")
	flags.BoolVar(&t.Reckless, "reckless", false, "strike any number of nodes at once; gaps without a quorum are to be expected")
	flags.StringSliceVar(&t.Without, "without", nil, "leave out `DEED,…`: "+strings.Join(lab.Deeds(), ", "))
	flags.BoolVar(&t.HAProxy, "haproxy", false, "serve a page too, and have the client ask for it")
	flags.StringVar(&t.Profile, "profile", "", "choose the timing `PROFILE` of the cluster: fast, lan, wan")
	return c
}

// tortured is what to make: --pair and --witness decide about the nodes.
func (f *labFlags) tortured(pair, witness bool) (lab.Spec, lab.Shape, error) {
	if pair && len(f.names) == 0 {
		f.names = []string{"lvsm", "lvss"}
	}
	names, err := f.nodeNames()
	if err != nil {
		return lab.Spec{}, lab.Shape{}, err
	}
	var shape lab.Shape
	if pair {
		if len(names) != 2 || witness {
			return lab.Spec{}, shape, grammar.Errorf("--pair: two nodes and no witness make a pair").With("leave out --witness and --names")
		}
		shape = lab.Pair
		shape.Ping = lab.ClientAddress.String()
	}
	members := names
	if witness {
		shape.Witness = "witness"
		names = append(names, shape.Witness)
	}
	return lab.NewSpec(f.name, names, f.command()).Wired(f.nets, members...), shape, nil
}

// progress is where a long measurement tells how it goes on: not into a script.
func (a *app) progress() io.Writer {
	if a.output == "json" && !isTerminal(a.err) {
		return io.Discard
	}
	return a.err
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
