package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/deploy/lab"
)

// labFlags are those of the commands that make a lab.
type labFlags struct {
	name  string
	nodes int
	names []string
	nets  int
	disk  int
	noRT  bool
	agent []string

	machine bool
	kernel  string
}

func newLabCommand(a *app) *cobra.Command {
	c := noun("lab", "Run whole clusters on this machine, break them and measure", "lab demo", nil,
		newLabUpCommand(a), newLabExecCommand(), newLabShellCommand(a), newLabFaultCommand(a),
		newLabStatusCommand(a), newLabProbeCommand(a), newLabBenchCommand(a), newLabSceneCommand(a), newLabCalmCommand(a), newLabTortureCommand(a), newLabDemoCommand(a), newLabDownCommand(),
	)
	for _, verb := range lab.Verbs {
		c.AddCommand(hidden(&cobra.Command{
			Use: verb, Short: "A process of a lab", DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, words []string) error { return lab.Inside(verb, words) },
		}))
	}
	return c
}

func (f *labFlags) addName(c *cobra.Command) {
	c.Flags().StringVar(&f.name, "name", "lab", "`NAME` of the lab")
	_ = c.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		names, _ := lab.Names()
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *labFlags) addNodes(c *cobra.Command) {
	c.Flags().IntVar(&f.nodes, "nodes", 3, "`N` nodes, n1, n2, …")
	c.Flags().StringSliceVar(&f.names, "names", nil, "`NAME,…` of the nodes instead")
	c.Flags().IntVar(&f.nets, "networks", 1, "`N` that every node is on: "+strings.Join(lab.Networks, ", "))
	c.Flags().IntVar(&f.disk, "disk", 0, "`MIB` of every node's own disk, in memory; 0: a part of the machine's")
	c.Flags().BoolVar(&f.noRT, "no-realtime", false, "keep the agents from real-time scheduling, which root's may have")
	c.Flags().StringSliceVar(&f.agent, "agent", lab.AgentCommand, "`COMMAND,…` that every node runs")
}

// nodeNames are those of the nodes to make.
func (f *labFlags) nodeNames() ([]string, error) {
	if len(f.names) > 0 {
		return f.names, nil
	}
	if f.nodes < 1 {
		return nil, grammar.Errorf("--nodes: %d is too few", f.nodes).With("write 1 or more")
	}
	var names []string
	for i := range f.nodes {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names, nil
}

// spec describes the lab to make.
func (f *labFlags) spec(names []string) lab.Spec {
	return lab.NewSpec(f.name, names, f.command()).Wired(f.nets).OnDisks(f.disk)
}

// command is what every node runs.
func (f *labFlags) command() []string {
	if f.noRT {
		return append(slices.Clone(withoutRealTime), f.agent...)
	}
	return f.agent
}

// withoutRealTime runs a command without the right to schedule itself in real
// time, which an ordinary user's lab has never.
var withoutRealTime = []string{"setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"}

func (f *labFlags) up(ctx context.Context) (*lab.Lab, error) {
	names, err := f.nodeNames()
	if err != nil {
		return nil, err
	}
	l, err := lab.Up(ctx, f.spec(names))
	if err != nil || !slices.Equal(f.agent, lab.AgentCommand) {
		return l, err
	}
	cluster := &lab.Cluster{Lab: l}
	return l, errors.Join(cluster.Ready(ctx), cluster.Close())
}

func newLabUpCommand(a *app) *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a lab: nodes with an agent each, and a client",
		Long: "Start a lab: nodes with an agent each, and a client, in network namespaces on this\n" +
			"machine. It needs no root where ordinary users may make user namespaces. It stays\n" +
			"until \"lab down\". The nodes' password for \"cluster auth\" is secret.\n\n" +
			"With --vm all of it is in an emulated machine (qemu), with Debian's kernel, which\n" +
			"has IPVS and may load modules. It sees this machine's files, keeps what it writes to\n" +
			"itself, and takes the other lab commands as if it were none.",
		Example: "lab up\nlab up --names lvsm,lvss,web1\nlab up --vm --names lvsm,lvss",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.machine && !lab.InMachine() {
				return f.upMachine(c.Context())
			}
			l, err := f.up(c.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "lab %s is up. An address that is free for its cluster: %s\n", l.Spec.Name, lab.VIP)
			return a.showLab(c.Context(), l)
		},
	}
	f.addName(c)
	f.addNodes(c)
	c.Flags().BoolVar(&f.machine, "vm", false, "in an emulated machine, with Debian's kernel")
	f.addKernel(c)
	return c
}

func (f *labFlags) addKernel(c *cobra.Command) {
	c.Flags().StringVar(&f.kernel, "kernel", "", "`FOLDER` with the unpacked kernel package for the machine; by default that of \"make deps\", else this machine's")
}

// upMachine boots a machine and has the same command run in it.
func (f *labFlags) upMachine(ctx context.Context) error {
	m, err := f.boot(ctx, f.name)
	if err != nil {
		return err
	}
	if err := m.Quorate(ctx, os.Args[1:]); err != nil {
		return errors.Join(labExit(err), m.Down(context.WithoutCancel(ctx)))
	}
	return nil
}

// boot boots a machine.
func (f *labFlags) boot(ctx context.Context, name string) (*lab.Machine, error) {
	kernels := []string{f.kernel}
	if f.kernel == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		kernels = []string{filepath.Join(filepath.Dir(program), "kernel"), filepath.Join(".build", "kernel")}
	}
	return lab.UpMachine(ctx, name, kernels...)
}

// inside has a command run where its lab is: in the lab's machine, if it has one.
func (f *labFlags) inside(c *cobra.Command) *cobra.Command {
	run := c.RunE
	c.RunE = func(c *cobra.Command, words []string) error {
		if m, ok := lab.FindMachine(f.name); ok {
			return labExit(m.Quorate(c.Context(), os.Args[1:]))
		}
		return run(c, words)
	}
	return c
}

func newLabExecCommand() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:     "exec HOST -- COMMAND...",
		Short:   "Run a command on a node, or on the client",
		Long:    "Run a command on a node, or on the client. It exits with the command's exit status.",
		Example: "lab exec n1 -- quorate status\nlab exec client -- curl http://10.77.0.100/",
		Args:    words(2, -1),
		RunE: func(c *cobra.Command, words []string) error {
			host, command := words[0], words[1:]
			if command[0] == "--" {
				command = command[1:]
			}
			if len(command) == 0 {
				return grammar.Errorf("no command after %q", host).With("write %q", c.UseLine())
			}
			l, err := lab.Open(f.name)
			if err != nil {
				return err
			}
			return labExit(l.Interactive(c.Context(), host, command))
		},
	}
	f.addName(c)
	c.Flags().SetInterspersed(false)
	c.ValidArgsFunction = f.completeHosts(1)
	return f.inside(c)
}

// A labExitError is the end of a command on a lab's host, which has said itself
// what there was to say. Its exit status becomes ours.
type labExitError struct{ *lab.ExitError }

func labExit(err error) error {
	var exit *lab.ExitError
	if errors.As(err, &exit) {
		return saidError{labExitError{exit}}
	}
	return err
}

func (f *labFlags) completeHosts(at int) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(words) != at-1 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return f.hosts(c, words, word)
	}
}

// hosts completes the name of one.
func (f *labFlags) hosts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	l, err := lab.Open(f.name)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for _, h := range l.Spec.Hosts {
		names = append(names, h.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func newLabShellCommand(a *app) *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use:   "shell [HOST]",
		Short: "Open a shell on the client, or on a node",
		Long: "Open a shell on the client, or on a node. A lab that is not up is started for it, and\n" +
			"ends with it.",
		Example: "lab shell\nlab shell n1",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) (err error) {
			l, err := lab.Open(f.name)
			if err != nil {
				if l, err = f.up(c.Context()); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, l.Down(context.WithoutCancel(c.Context()))) }()
			}
			host := lab.ClientName
			if len(words) > 0 {
				host = words[0]
			}
			if isTerminal(a.out) {
				fmt.Fprintf(a.out, labHint, a.name, f.name, l.Spec.Nodes()[0], lab.VIP)
			}
			return labExit(l.Interactive(c.Context(), host, []string{shell()}))
		},
	}
	f.addName(c)
	f.addNodes(c)
	return f.inside(c)
}

const labHint = "A shell in the lab. From another terminal: %[1]s lab exec --name %[2]s %[3]s -- %[1]s status\n" +
	"An address that is free for its cluster: %[4]s. Exit ends the shell.\n"

func shell() string {
	if s := os.Getenv("SHELL"); s != "" {
		return s
	}
	return "/bin/sh"
}

func newLabFaultCommand(a *app) *cobra.Command {
	var f labFlags
	var t lab.Trouble
	var kinds []string
	for _, k := range lab.Faults {
		kinds = append(kinds, string(k))
	}
	c := &cobra.Command{
		Use:   "fault " + strings.Join(kinds, "|") + " HOST",
		Short: "Break a node, or heal it",
		Long: "Break a node, or heal it:\n\n" +
			"  power-off  silent at once, its processes gone, its disk kept\n" +
			"  cut        nothing passes its cables; it still sees a carrier\n" +
			"  unplug     its cables are out, and it sees that\n" +
			"  flap       its cables are out and in again, three times in 600 ms\n" +
			"  lose       a share of what its cables carry is lost (--percent)\n" +
			"  freeze     its agent stands still (SIGSTOP)\n" +
			"  kill       its agent is killed (SIGKILL); what the agent started lives on\n" +
			"  terminate  its agent is asked to end (SIGTERM), and does\n" +
			"  fill       its disk is full, if it has one of its own (lab up --disk)\n" +
			"  heal       all of that undone\n\n" +
			"With --network a fault of cables is of that network alone, and so is heal. With\n" +
			"--way only what the host sends (out) or gets (in) is cut or lost, with --peer only\n" +
			"what passes between the two.",
		Example: "lab fault power-off n1\nlab fault cut n1 --network cable\nlab fault cut n1 --peer n2\n" +
			"lab fault lose n1 --percent 20 --way out\nlab fault heal n1",
		Args: words(2, 2),
		RunE: func(c *cobra.Command, words []string) error {
			kind, err := lab.ParseFault(words[0])
			if err != nil {
				return grammar.Errorf("%v", err)
			}
			l, err := lab.Open(f.name)
			if err != nil {
				return err
			}
			t.Fault, t.Host = kind, words[1]
			done, err := l.Strike(c.Context(), t)
			for _, s := range done {
				fmt.Fprintf(a.out, "+%6.1f ms  %s: %s\n", float64(s.At-done[0].At)/float64(time.Millisecond), words[1], s.Text)
			}
			if err == nil && len(done) == 0 {
				fmt.Fprintf(a.out, "%s: nothing to heal\n", words[1])
			}
			return err
		},
	}
	f.addName(c)
	f.addTrouble(c, &t)
	hosts := f.completeHosts(2)
	c.ValidArgsFunction = func(c *cobra.Command, words []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(words) == 0 {
			return kinds, cobra.ShellCompDirectiveNoFileComp
		}
		return hosts(c, words, word)
	}
	return f.inside(c)
}

// addTrouble adds what confines a fault.
func (f *labFlags) addTrouble(c *cobra.Command, t *lab.Trouble) {
	flags := c.Flags()
	flags.StringVar(&t.Network, "network", "", "the cable to this `NETWORK` alone")
	flags.StringVar((*string)(&t.Way), "way", "", "`in|out`: this direction alone, as the host sees it")
	flags.StringVar(&t.Peer, "peer", "", "what passes to and from this `HOST` alone")
	flags.IntVar(&t.Percent, "percent", 0, "`N` of what is lost")
	for name, values := range map[string][]string{"network": lab.Networks, "way": {string(lab.In), string(lab.Out)}} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	_ = c.RegisterFlagCompletionFunc("peer", f.hosts)
}

func newLabStatusCommand(a *app) *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use: "status", Short: "Show what every host of a lab is doing", Example: "lab status\nlab status -o json", Args: words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := lab.Open(f.name)
			if err != nil {
				return err
			}
			return a.showLab(c.Context(), l)
		},
	}
	f.addName(c)
	return f.inside(c)
}

func (a *app) showLab(ctx context.Context, l *lab.Lab) error {
	hosts, err := l.Status(ctx)
	if err != nil {
		return err
	}
	if a.output == "json" {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return e.Encode(hosts)
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tADDRESS\tPOWER\tLINK\tAGENT\tLOG")
	for _, h := range hosts {
		power, agent, log := "on", h.Agent.State, h.Log
		if !h.Power {
			power, agent = "off", "-"
		}
		if h.Agent.Ended != "" {
			agent += " (" + h.Agent.Ended + ")"
		}
		if h.Agent.State == "none" {
			agent, log = "-", "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Address, power, links(h), agent, log)
	}
	return t.Flush()
}

// links are a host's cables in one cell.
func links(h lab.HostStatus) string {
	if len(h.Links) == 1 && len(h.Links[0].Drops) == 0 {
		return h.Link
	}
	var all []string
	for _, l := range h.Links {
		all = append(all, l.Network+" "+l.State)
		all = append(all, l.Drops...)
	}
	return strings.Join(all, ", ")
}

func newLabDownCommand() *cobra.Command {
	var f labFlags
	c := &cobra.Command{
		Use: "down", Short: "End a lab, and remove all that it made", Example: "lab down", Args: words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if m, ok := lab.FindMachine(f.name); ok {
				return m.Down(c.Context())
			}
			l, err := lab.Open(f.name)
			if err != nil {
				return err
			}
			return l.Down(c.Context())
		},
	}
	f.addName(c)
	return c
}
