package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// live names the present configuration where a file or a checkpoint may stand.
const live = "live"

func newDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff [live | CHECKPOINT | FILE] CHECKPOINT | FILE",
		Short: "Show what differs between two configurations, or the present one and another",
		Long: "Show what differs between two configurations, each a file, the number of a checkpoint\n" +
			"or \"live\", the present one, which is the first if only one is named: a line with - is in\n" +
			"the first alone, one with + in the second. A file with such a name is written ./12.",
		Example:           "config diff web.yaml\nconfig diff 11 12\nconfig diff 11 live\nconfig diff old.yaml new.yaml -o json",
		Args:              words(1, 2),
		ValidArgsFunction: a.completesCheckpoints(2),
		RunE: func(c *cobra.Command, names []string) error {
			if len(names) == 1 {
				names = []string{live, names[0]}
			}
			before, err := a.configuration(c.Context(), names[0])
			if err != nil {
				return err
			}
			after, err := a.configuration(c.Context(), names[1])
			if err != nil {
				return err
			}
			return a.printDifference(state.Difference(before, after))
		},
	}
}

// configuration returns that of a file, of a checkpoint or the present one.
func (a *app) configuration(ctx context.Context, name string) (*pb.Configuration, error) {
	if name == live {
		resp, err := a.member(ctx)
		return state.Configuration(resp.GetState()), err
	}
	if number, err := strconv.ParseUint(name, 10, 64); err == nil {
		return a.checkpoint(ctx, number)
	}
	return a.readConfiguration(name)
}

func (a *app) printDifference(d *pb.ConfigurationChange) error {
	if d == nil {
		d = &pb.ConfigurationChange{Before: new(pb.Configuration), After: new(pb.Configuration)}
	}
	return a.print(d, func(w io.Writer) error {
		lines := differingLines(d)
		if len(lines) == 0 {
			fmt.Fprintln(w, "No difference.")
		}
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
		return nil
	})
}

// differingLines writes a change as the commands that only one of the two
// configurations has: a line with - goes, a line with + comes.
func differingLines(d *pb.ConfigurationChange) []string {
	gone, made := commandLines(d.GetBefore()), commandLines(d.GetAfter())
	var out []string
	for _, part := range []struct {
		sign       string
		list, both []string
	}{{"- ", gone, made}, {"+ ", made, gone}} {
		known := make(map[string]bool, len(part.both))
		for _, line := range part.both {
			known[line] = true
		}
		for _, line := range part.list {
			if !known[line] {
				out = append(out, part.sign+line)
			}
		}
	}
	return out
}

func commandLines(c *pb.Configuration) []string {
	return each(grammar.Commands(c), func(words []string) string {
		return strings.ReplaceAll(grammar.Shell(words), "\n", "\n  ")
	})
}
