package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newAgentsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "agents [PART]",
		Aliases: []string{"list"},
		Short:   "List the types that resources can have",
		Example: "resource agents\nresource agents IPaddr",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.agents(c.Context(), "")
			if err != nil {
				return err
			}
			if len(words) > 0 {
				resp.Agents = slices.DeleteFunc(resp.GetAgents(), func(m *pb.AgentMetadata) bool {
					all := strings.Join(append([]string{m.GetName(), m.GetSummary()}, m.GetServes()...), " ")
					return !strings.Contains(strings.ToLower(all), strings.ToLower(words[0]))
				})
			}
			return a.print(resp, func(w io.Writer) error {
				var t render.Table
				for _, m := range resp.GetAgents() {
					t.Row(render.Text(m.GetName(), m.GetSummary(), strings.Join(m.GetServes(), ", "))...)
				}
				return t.Write(w, a.palette())
			})
		},
	}
}

func newDescribeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "describe TYPE",
		Short:             "Show what a type of resource does and takes",
		Example:           "resource describe ocf:heartbeat:IPaddr2",
		Args:              words(1, 1),
		ValidArgsFunction: a.completesAgents(0),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.agents(c.Context(), words[0])
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error {
				for _, m := range resp.GetAgents() {
					if err := render.Agent(w, m, a.palette()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (a *app) agents(ctx context.Context, name string) (resp *pb.DescribeAgentsResponse, err error) {
	err = a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.DescribeAgents(ctx, &pb.DescribeAgentsRequest{Name: name})
		return err
	})
	return resp, err
}
