package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/document"
	"quorate/cmd/quorate/grammar"
	"quorate/resources/realserver"
)

func newRealServerCommand(a *app) *cobra.Command {
	return noun("realserver", "Make hosts without an agent real servers of a director",
		"realserver prepare --print 192.0.2.10", nil, newPrepareCommand(a))
}

// prepareFlags say what sort of real server a host becomes.
type prepareFlags struct {
	print, undo  bool
	forward, nic string
}

func newPrepareCommand(a *app) *cobra.Command {
	var f prepareFlags
	c := &cobra.Command{
		Use:   "prepare --print ADDRESS...",
		Short: "Print the shell lines that make a host a real server, and those that undo it",
		Long: "Print the shell lines that make a host without an agent a real server for the addresses of\n" +
			"virtual services: it takes what a director sends there, and tells no neighbour of them.\n" +
			"The lines may be run again, and are to be run at each boot. Nothing is run here:\n" +
			"pipe them to \"ssh root@HOST sh -e\".",
		Example: "realserver prepare --print 192.0.2.10\n" +
			"realserver prepare --print 192.0.2.10 2001:db8::10 --forward tunnel\n" +
			"realserver prepare --print --undo 192.0.2.10",
		Args: words(1, -1),
		RunE: func(_ *cobra.Command, addrs []string) error { return a.prepare(addrs, f) },
	}
	c.Flags().BoolVar(&f.print, "print", false, "print the lines; nothing else can be done with them")
	c.Flags().BoolVar(&f.undo, "undo", false, "print the lines that undo it")
	c.Flags().StringVar(&f.forward, "forward", "direct", "how the director reaches the host: `direct|tunnel`")
	c.Flags().StringVar(&f.nic, "nic", "", "set ARP for these `INTERFACES` alone, with commas between them")
	return c
}

func (a *app) prepare(addrs []string, f prepareFlags) error {
	if !f.print {
		return grammar.Errorf("the lines are for another host, and nothing is run here").With("add --print")
	}
	p, err := realserver.Prepare(map[string]string{"ip": strings.Join(addrs, " "), "forward": f.forward, "nic": f.nic})
	if err != nil {
		return grammar.Errorf("%v", err)
	}
	switch {
	case a.output == "json" || a.output == "yaml":
		return document.Value(a.out, a.output, p)
	case f.undo:
		_, err = fmt.Fprintln(a.out, strings.Join(p.Undo, "\n"))
	default:
		_, err = fmt.Fprintf(a.out, "# A real server for %s (%s). Run these lines at each boot; to undo them:\n#   %s\n%s\n",
			strings.Join(addrs, " and "), f.forward, strings.Join(p.Undo, "\n#   "), strings.Join(p.Lines, "\n"))
	}
	return err
}
