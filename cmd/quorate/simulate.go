package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// drawings are formats of a plan, beside those of every answer.
const drawings = "dot svg"

func newSimulateCommand(a *app) *cobra.Command {
	w := new(pb.WhatIf)
	var set []string
	var source cibSource
	c := &cobra.Command{
		Use:   "simulate [FILE]",
		Short: "Show what the cluster would do if things were otherwise; nothing is changed",
		Long: "Show what the cluster would do if things were otherwise: where resources would run, what\n" +
			"would be done for that, in which order, and why. FILE is a configuration that would be\n" +
			"imported (\"-\" reads standard input). Without one, and without flags: what is to be done now.\n" +
			"Every step is assumed to succeed, and nothing is changed. -o dot and -o svg draw the plan.\n\n" +
			"With --cib it is a Pacemaker cluster that is looked at, as Pacemaker would; no agent is asked.",
		Example: "simulate --node-down lvsm\nsimulate --standby lvsm --fail WebService@lvss\n" +
			"simulate --set symmetric-cluster=false -o json\nsimulate --node-down lvsm -o svg > plan.svg\n" +
			"simulate --cib cib.xml --node-down pcmk-1",
		Args:        words(0, 1),
		Annotations: map[string]string{formats: drawings},
		RunE: func(c *cobra.Command, files []string) error {
			if err := readWhatIf(w, set); err != nil {
				return err
			}
			if c.Flags().Changed("cib") {
				return a.simulateCIB(source, w, files)
			}
			if source.at != "" {
				return grammar.Errorf("--at: it is for --cib; a live cluster is looked at as it is now")
			}
			f, err := a.simulate(c.Context(), w, files)
			if err != nil {
				return err
			}
			return a.printForecast(f)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&w.NodeDown, "node-down", nil, "`NODE` is lost (several: again, or with commas)")
	f.StringSliceVar(&w.NodeUp, "node-up", nil, "`NODE` has started, takes work and runs nothing")
	f.StringSliceVar(&w.Standby, "standby", nil, "`NODE` is in standby")
	f.StringSliceVar(&w.Fail, "fail", nil, "`RESOURCE[@NODE]` fails where it runs, or at a start on NODE")
	f.StringVar(&w.Quorum, "quorum", "", "there is a quorum or not: `yes|no` (default: as many voters as are up)")
	f.StringVar(&source.file, "cib", "", "look at the Pacemaker cluster in `FILE` instead (\"-\": standard input)")
	f.StringVar(&source.at, "at", "", "with --cib: as of `TIME`, e.g. 2026-11-25T20:00:00Z")
	f.StringArrayVar(&set, "set", nil, "the property `NAME=VALUE` is set; an empty value removes")
	for _, flag := range []string{"node-down", "node-up", "standby"} {
		_ = c.RegisterFlagCompletionFunc(flag, a.completes(nodeNames))
	}
	_ = c.RegisterFlagCompletionFunc("fail", a.completes(resourceIDs))
	_ = c.RegisterFlagCompletionFunc("set", a.completes(propertyNames))
	_ = c.RegisterFlagCompletionFunc("quorum", cobra.FixedCompletions([]string{"yes", "no"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// readWhatIf checks what only the words can be wrong about.
func readWhatIf(w *pb.WhatIf, set []string) error {
	pairs, err := grammar.Pairs("property", set)
	if err != nil {
		return err
	}
	w.Set = make(map[string]string, len(pairs))
	for _, p := range pairs {
		w.Set[p.Name] = p.Value
	}
	if w.Quorum != "" && w.Quorum != "yes" && w.Quorum != "no" {
		return grammar.Errorf("--quorum: %q is neither yes nor no", w.Quorum).With("write yes or no")
	}
	for _, word := range w.Fail {
		if resource, node, named := strings.Cut(word, "@"); resource == "" || named && node == "" {
			return grammar.Errorf("--fail: %q is not RESOURCE or RESOURCE@NODE", word)
		}
	}
	for _, name := range w.NodeUp {
		if slices.Contains(w.NodeDown, name) {
			return grammar.Errorf("node %s cannot be both up and down", name)
		}
	}
	return nil
}

// simulate asks the agent, with the configuration of a file if one is given.
func (a *app) simulate(ctx context.Context, w *pb.WhatIf, files []string) (*pb.Forecast, error) {
	r := &pb.SimulateRequest{WhatIf: w}
	if len(files) > 0 {
		cfg, err := a.readConfiguration(files[0])
		if err != nil {
			return nil, err
		}
		r.Edits = []*pb.Edit{replacement(cfg, true)}
	}
	var resp *pb.SimulateResponse
	err := a.ask(ctx, readTimeout, func(ctx context.Context, c *client) (err error) {
		resp, err = c.Simulate(ctx, r)
		return err
	})
	return resp.GetForecast(), err
}
