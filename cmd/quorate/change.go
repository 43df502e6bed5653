package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

// reasonInterrupts is that of a refusal that --force overrides.
const reasonInterrupts = "INTERRUPTS"

// changes gives a command that changes what the cluster does --dry-run, --force
// and --wait. What it changes goes through [app.change].
func (a *app) changes(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.force, "force", false, "do not ask, whatever the change interrupts")
	return a.foresees(a.waits(c))
}

// foresees gives a command --dry-run.
func (a *app) foresees(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.dryRun, "dry-run", false, "change nothing, and show what would start, stop and move")
	return c
}

// change asks for edits, prints what the cluster says of them, and waits if
// --wait was given. What would interrupt more than the edits name is asked
// about, or refused where nobody can be asked.
func (a *app) change(c *cobra.Command, edits ...*pb.Edit) error {
	return a.changeIf(c, nil, edits...)
}

// changeIf is change, if the resources still have the revisions that were read.
func (a *app) changeIf(c *cobra.Command, revisions map[string]uint64, edits ...*pb.Edit) error {
	resp, err := a.request(c.Context(), &pb.ChangeRequest{Edits: edits, DryRun: a.dryRun, Force: a.force, Revisions: revisions})
	if interrupted := interruptions(err); interrupted != nil && a.attended() {
		if err := a.confirm(interrupted); err != nil {
			return err
		}
		resp, err = a.request(c.Context(), &pb.ChangeRequest{Edits: edits, Force: true, Revisions: revisions})
	}
	switch {
	case err != nil:
		return err
	case a.dryRun:
		return a.printDryRun(resp)
	}
	if err := a.printChange(resp); err != nil {
		return err
	}
	return a.waitFor(c.Context(), resp.GetIndex())
}

func (a *app) request(ctx context.Context, r *pb.ChangeRequest) (resp *pb.ChangeResponse, err error) {
	err = a.ask(ctx, changeTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.Change(ctx, r)
		return err
	})
	return resp, err
}

// interruptions returns what a change would interrupt, if it was refused for that.
func interruptions(err error) []string {
	s, ok := statusOf(err)
	if err == nil || !ok || errorInfo(s).GetReason() != reasonInterrupts {
		return nil
	}
	for _, d := range s.Details() {
		if f, ok := d.(*pb.Forecast); ok {
			return f.GetInterruptions()
		}
	}
	return []string{s.Message()}
}

// confirm asks whether a change shall be made all the same.
func (a *app) confirm(interrupted []string) error {
	fmt.Fprintln(a.err, "This change interrupts what it does not name:")
	for _, text := range interrupted {
		fmt.Fprintf(a.err, "  %s\n", text)
	}
	fmt.Fprint(a.err, "Make it all the same? [y/N] ")
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return grammar.Errorf("not confirmed, nothing was changed").With("--dry-run shows what would happen")
}
