package main

import (
	"io"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/render"
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
	return noun("quorum", "Show who votes", "quorum status", status.RunE, status)
}
