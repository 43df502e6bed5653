package main

import (
	"context"
	"fmt"
	"io"
	"maps"
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
		Short:   "List the types that resources can have, scripts and units of this node too",
		Example: "resource agents\nresource agents IPaddr",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.agents(c.Context(), "")
			if err != nil {
				return err
			}
			if len(words) > 0 {
				keepAgents(resp, strings.ToLower(words[0]))
			}
			return a.print(resp, func(w io.Writer) error {
				var t render.Table
				for _, m := range resp.GetAgents() {
					t.Row(render.Text(m.GetName(), m.GetSummary(), strings.Join(m.GetServes(), ", "))...)
				}
				for _, name := range resp.GetInstalled() {
					t.Row(render.Text(name, installedAs(name)+" on "+resp.GetNode(), "")...)
				}
				return t.Write(w, a.palette())
			})
		},
	}
}

// installedAs says what a type is that is not built in.
func installedAs(name string) string {
	if strings.HasPrefix(name, "systemd:") {
		return "unit"
	}
	return "script"
}

// keepAgents keeps those that have a part in their names or summary.
func keepAgents(resp *pb.DescribeAgentsResponse, part string) {
	resp.Agents = slices.DeleteFunc(resp.GetAgents(), func(m *pb.AgentMetadata) bool {
		all := strings.Join(append([]string{m.GetName(), m.GetSummary()}, m.GetServes()...), " ")
		return !strings.Contains(strings.ToLower(all), part)
	})
	resp.Installed = slices.DeleteFunc(resp.GetInstalled(), func(name string) bool {
		return !strings.Contains(strings.ToLower(name), part)
	})
}

func newStandardsCommand(a *app) *cobra.Command {
	return a.lists("standards", "List the standards of the types that resources can have here",
		func(name string) string {
			standard, _, _ := strings.Cut(name, ":")
			return standard
		})
}

func newProvidersCommand(a *app) *cobra.Command {
	return a.lists("providers", "List the providers of OCF scripts here",
		func(name string) string {
			parts := strings.Split(name, ":")
			if len(parts) != 3 || parts[0] != "ocf" {
				return ""
			}
			return parts[1]
		})
}

// lists makes a command that prints a part of the types' full names, as the node
// that answers has them.
func (a *app) lists(use, short string, part func(name string) string) *cobra.Command {
	return &cobra.Command{
		Use:     use,
		Short:   short,
		Example: "resource " + use,
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.agents(c.Context(), "")
			if err != nil {
				return err
			}
			parts := make(map[string]bool)
			for _, name := range fullNames(resp) {
				parts[part(name)] = true
			}
			delete(parts, "")
			for _, p := range slices.Sorted(maps.Keys(parts)) {
				if _, err := fmt.Fprintln(a.out, p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// fullNames returns the names of all types that say their standard.
func fullNames(resp *pb.DescribeAgentsResponse) []string {
	names := slices.Clone(resp.GetInstalled())
	for _, m := range resp.GetAgents() {
		names = append(append(names, m.GetName()), m.GetServes()...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, ":") })
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
