package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
)

// newRootCommand makes the tree of commands, one file a noun.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   a.name,
		Short: "Keep addresses and services running on a few machines",
		Long: "Quorate keeps addresses and services running on a few machines that agree by\n" +
			"Raft on what runs where. The commands are those of pcs.",
		Example:       "cluster setup web lvsm lvss web1 --start\nresource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5\nstatus",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },

		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.checkOutput(c) },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if e, ok := errors.AsType[*grammar.Error](err); ok {
			return e // of our own flags, which say what is wrong themselves
		}
		return grammar.Errorf("%v", err).With("see %q", c.CommandPath()+" --help")
	})
	a.addFlags(root)
	root.AddCommand(
		newClusterCommand(a),
		newHostCommand(a),
		newNodeCommand(a),
		newResourceCommand(a),
		newServerCommand(a),
		newRealServerCommand(a),
		newConstraintCommand(a),
		newStonithCommand(a),
		newAlertCommand(a),
		newPropertyCommand(a),
		newStatusCommand(a),
		newQuorumCommand(a),
		newConfigCommand(a),
		newEventsCommand(a),
		newWhyCommand(a),
		newSimulateCommand(a),
		newCheckCommand(a),
		newGenhashCommand(a),
		newAgentCommand(),
		newWardenCommand(),
		newLabCommand(a),
	)
	finish(root)
	return root
}

func (a *app) addFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&a.socket, "socket", a.socket, "unix `PATH` of the agent on this machine (QUORATE_SOCKET)")
	f.StringVar(&a.server, "server", a.server, "ask the member at `HOST[:PORT]` instead (QUORATE_SERVER)")
	f.StringVar(&a.ca, "ca", a.ca, "`FILE` with the cluster's CA certificate, for --server (QUORATE_CA)")
	f.StringVar(&a.cert, "cert", a.cert, "`FILE` with your certificate, for --server (QUORATE_CERT)")
	f.StringVar(&a.key, "key", a.key, "`FILE` with its key, for --server (QUORATE_KEY)")
	f.StringVarP(&a.output, "output", "o", "table", "`FORMAT` of what is printed: table, json or yaml")
	_ = root.RegisterFlagCompletionFunc("output", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return outputs(c), cobra.ShellCompDirectiveNoFileComp
	})
}

// finish gives every command below c the program's name in its examples.
func finish(c *cobra.Command) {
	for _, sub := range c.Commands() {
		finish(sub)
	}
	if c.Example == "" || strings.HasPrefix(c.Example, " ") {
		return // of others, written out
	}
	lines := strings.Split(c.Example, "\n")
	for i, line := range lines {
		lines[i] = "  " + c.Root().Name() + " " + line
	}
	c.Example = strings.Join(lines, "\n")
}

// noSuchCommand refuses words where only the name of a command may stand.
func noSuchCommand(c *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	e := grammar.Errorf("%q is not a command of %q", words[0], c.CommandPath())
	if s := c.SuggestionsFor(words[0]); len(s) > 0 {
		nearest := s[max(0, slices.IndexFunc(s, func(name string) bool { return strings.HasPrefix(name, words[0]) }))]
		return e.With("did you mean %q?", c.CommandPath()+" "+nearest)
	}
	return e.With("see %q", c.CommandPath()+" --help")
}

// noun makes a command that holds others. Without one it does what bare does.
func noun(use, short, example string, bare func(*cobra.Command, []string) error, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: example, Args: noSuchCommand, RunE: bare}
	if bare == nil {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	c.AddCommand(verbs...)
	return c
}

// words says how many a command takes; most < 0 is any number.
func words(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		usage := strings.TrimSuffix(c.UseLine(), " [flags]")
		switch {
		case len(got) < least:
			return grammar.Errorf("%q needs more words", c.CommandPath()).With("write %q", usage)
		case most >= 0 && len(got) > most:
			return grammar.Errorf("%q is one word too many", got[most]).With("write %q", usage)
		}
		return nil
	}
}

// hidden marks an old spelling: it works, but help does not show it.
func hidden(c *cobra.Command) *cobra.Command {
	c.Hidden = true
	return c
}
