package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "quorate/proto/quorate/v1"
)

// debugTimeout is how long a person waits for an agent by hand; its own timeout is
// mostly shorter.
const debugTimeout = time.Hour

// newDebugCommand makes a command that has the agent of this node do something about a
// resource once.
func newDebugCommand(a *app, verb, short string, action pb.OperationKind) *cobra.Command {
	r := &pb.RunByHandRequest{Action: action}
	c := &cobra.Command{
		Use:   "debug-" + verb + " ID",
		Short: short,
		Long: short + ".\n\n" +
			"The node that answers does it, whatever the cluster plans, and what the agent's script says\n" +
			"is shown. What was started or promoted so is left alone by the cluster until \"resource\n" +
			"debug-stop\" or \"resource cleanup\" gives it back. It is refused where two nodes could then\n" +
			"run it, or where the cluster would undo it, unless --force is given.",
		Example:           "resource debug-" + verb + " Web\nresource debug-" + verb + " Web --full",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(resourceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			r.Resource = words[0]
			return a.debug(c.Context(), r)
		},
	}
	c.Flags().BoolVar(&r.Trace, "full", false, "show each command that the script runs")
	if action == pb.OperationKind_OPERATION_KIND_MONITOR {
		c.Long = short + ".\n\nThe exit status is 0 if it runs."
		return c
	}
	c.Flags().BoolVar(&r.Force, "force", false, "also if two nodes may then run it, or the cluster would undo it")
	return c
}

func (a *app) debug(ctx context.Context, r *pb.RunByHandRequest) error {
	var answer *pb.RunByHandResponse
	err := a.ask(ctx, debugTimeout, func(ctx context.Context, cl *client) (err error) {
		answer, err = cl.RunByHand(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	if err := a.print(answer, func(w io.Writer) error {
		printDebug(w, answer)
		return nil
	}); err != nil {
		return err
	}
	if answer.GetOutcome() != pb.Outcome_OUTCOME_DONE {
		return errSaid
	}
	return nil
}

// printDebug shows what the agent did, and all that its script said.
func printDebug(w io.Writer, r *pb.RunByHandResponse) {
	for line := range strings.Lines(r.GetOutput()) {
		fmt.Fprintf(w, "> %s\n", strings.TrimRight(line, "\r\n"))
	}
	verb := strings.ToLower(strings.TrimPrefix(r.GetAction().String(), "OPERATION_KIND_"))
	what := fmt.Sprintf("%s of %s on %s", verb, r.GetResource(), r.GetNode())
	took := r.GetTook().AsDuration().Round(time.Millisecond)
	if state := r.GetState(); state != "" {
		what = fmt.Sprintf("%s is %s on %s", r.GetResource(), state, r.GetNode())
	}
	switch {
	case r.GetError() != "" && r.GetState() == "":
		fmt.Fprintf(w, "%s failed after %v: %s\n", what, took, r.GetError())
	case r.GetError() != "":
		fmt.Fprintf(w, "%s: %s\n", what, r.GetError())
	case r.GetState() != "":
		fmt.Fprintf(w, "%s\n", what)
	default:
		fmt.Fprintf(w, "%s done in %v\n", what, took)
	}
}
