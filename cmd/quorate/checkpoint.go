package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newCheckpointCommand(a *app) *cobra.Command {
	list := newCheckpointListCommand(a)
	diff := hidden(newDiffCommand(a)) // as in pcs
	return noun("checkpoint", "See the configurations that were, and bring one back",
		"config checkpoint list\nconfig checkpoint restore 12", list.RunE,
		list, newCheckpointViewCommand(a), newCheckpointRestoreCommand(a), diff)
}

func newCheckpointListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the newest 100 configurations: when each was made, by whom and by what",
		Long: "List the newest 100 configurations, the present one last: when each was made, by whom\n" +
			"and by what. Every change of a person that leads to another configuration makes one.",
		Example: "config checkpoint list\nconfig checkpoint -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.checkpoints(c.Context(), 0)
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error {
				return render.Checkpoints(w, resp.GetCheckpoints(), a.now(), a.palette())
			}, "checkpoints")
		},
	}
}

func newCheckpointViewCommand(a *app) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:               "view NUMBER",
		Short:             "Print the configuration of a checkpoint, as \"config export\" does",
		Example:           "config checkpoint view 12\nconfig checkpoint view 12 --format commands",
		Args:              words(1, 1),
		ValidArgsFunction: a.completesCheckpoints(1),
		RunE: func(c *cobra.Command, words []string) error {
			number, err := checkpointNumber(words[0])
			if err != nil {
				return err
			}
			cfg, err := a.checkpoint(c.Context(), number)
			if err != nil {
				return err
			}
			return a.export(cfg, format)
		},
	}
	addFormat(c, &format)
	return c
}

func newCheckpointRestoreCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "restore NUMBER",
		Short: "Make the configuration what it was at a checkpoint",
		Long: "Make the configuration what it was at a checkpoint, as a whole, as \"config import\" does.\n" +
			"That is a change like any other: it makes a checkpoint of its own.",
		Example:           "config checkpoint restore 12\nconfig checkpoint restore 12 --wait",
		Args:              words(1, 1),
		ValidArgsFunction: a.completesCheckpoints(1),
		RunE: func(c *cobra.Command, words []string) error {
			number, err := checkpointNumber(words[0])
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{
				ReplaceConfiguration: &pb.ReplaceConfiguration{Checkpoint: number, Force: a.force},
			}})
		},
	}
	return a.changes(c)
}

func checkpointNumber(word string) (uint64, error) {
	number, err := strconv.ParseUint(word, 10, 64)
	if err != nil || number == 0 {
		return 0, grammar.Errorf("%q is not the number of a checkpoint", word).With("see %q", "config checkpoint list")
	}
	return number, nil
}

// checkpoints lists them, or asks for the configuration of one.
func (a *app) checkpoints(ctx context.Context, number uint64) (resp *pb.CheckpointsResponse, err error) {
	err = a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.Checkpoints(ctx, &pb.CheckpointsRequest{Number: number})
		return err
	})
	return resp, err
}

func (a *app) checkpoint(ctx context.Context, number uint64) (*pb.Configuration, error) {
	resp, err := a.checkpoints(ctx, number)
	return resp.GetConfiguration(), err
}

// completesCheckpoints offers the numbers of checkpoints for the first words,
// each with what it changed, and files beside them where others may stand.
func (a *app) completesCheckpoints(most int) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if len(words) >= most {
			return nil, directive
		}
		var offered []string
		err := a.ask(commandContext(c), completeTimeout, func(ctx context.Context, cl *client) error {
			resp, err := cl.Checkpoints(ctx, &pb.CheckpointsRequest{})
			for _, k := range resp.GetCheckpoints() {
				offered = append(offered, fmt.Sprintf("%d\t%s", k.GetNumber(), k.GetText()))
			}
			return err
		})
		if err != nil || most > 1 {
			directive = cobra.ShellCompDirectiveDefault
		}
		return offered, directive
	}
}
