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
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newQuorumCommand(a *app) *cobra.Command {
	status := &cobra.Command{
		Use:     "status",
		Aliases: []string{"config"},
		Short:   "Show who votes, and what may still fail before service stops",
		Example: "quorum status",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.get(c.Context())
			if err != nil {
				return err
			}
			return a.print(render.QuorumState(resp), func(w io.Writer) error {
				return render.Quorum(w, resp, a.now(), a.options())
			})
		},
	}
	return noun("quorum", "Show who votes", "quorum status", status.RunE, status, newUnblockCommand(a))
}

func newUnblockCommand(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "unblock",
		Short: "Let this node of a pair serve although its peer has not been heard since it started",
		Long: "After a start, a node of a pair takes nothing over until it has heard its peer, so that two nodes that boot\n" +
			"apart do not both serve. Use this when the peer is known to be off, or to serve nothing.",
		Example: "quorum unblock\nquorum unblock --force",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !force {
				if err := a.confirmUnblock(c.Context()); err != nil {
					return err
				}
			}
			return a.ask(c.Context(), changeTimeout, func(ctx context.Context, cl *client) error {
				_, err := cl.Unblock(ctx, &pb.UnblockRequest{})
				return err
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "do not ask")
	return c
}

// confirmUnblock has the peer's name typed, which is what must be sure to serve
// nothing.
func (a *app) confirmUnblock(ctx context.Context) error {
	resp, err := a.get(ctx)
	if err != nil {
		return err
	}
	peer := render.PeerName(resp)
	if resp.GetPair().GetPhase() != pb.PairPhase_PAIR_PHASE_WAITING || peer == "" {
		return errors.New("this node does not wait for its peer: see \"" + a.name + " quorum status\"")
	}
	fmt.Fprintf(a.err, "If %s serves anything, two nodes will serve it. Make sure that it is off or cut off.\nType %s to go on without it: ", peer, peer)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != peer {
		return grammar.Errorf("not confirmed, nothing was done").With("type the name of the peer, or use --force")
	}
	return nil
}
