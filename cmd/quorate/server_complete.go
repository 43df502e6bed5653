package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	pb "quorate/proto/quorate/v1"
)

// A serverSource picks the names that a command may take next from what is there.
type serverSource func(c *cobra.Command, words []string, all []*pb.BalanceStatus) []string

// completesServers offers names that the nodes tell; nothing when they do not.
func (a *app) completesServers(source serverSource) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		err := a.ask(context.WithoutCancel(commandContext(c)), completeTimeout, func(ctx context.Context, cl *client) error {
			resp, err := cl.servers.List(ctx, &pb.ListServersRequest{})
			names = source(c, words, resp.GetBalances())
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}

// listWords are a resource, then a service of it.
func listWords(_ *cobra.Command, words []string, all []*pb.BalanceStatus) []string {
	var names []string
	for _, b := range all {
		switch {
		case len(words) == 0:
			names = append(names, b.GetResource())
		case len(words) == 1 && b.GetResource() == words[0]:
			names = append(names, each(b.GetServices(), (*pb.BalancedService).GetName)...)
		}
	}
	return names
}

// serverWord is a server, of the resource and service that the flags name.
func serverWord(c *cobra.Command, words []string, all []*pb.BalanceStatus) []string {
	if len(words) > 0 {
		return nil
	}
	resource, service := flagWord(c, "resource"), flagWord(c, "service")
	var names []string
	for _, b := range all {
		for _, s := range b.GetServices() {
			if (resource == "" || resource == b.GetResource()) && (service == "" || service == s.GetName()) {
				names = append(names, each(s.GetServers(), (*pb.BalancedServer).GetName)...)
			}
		}
	}
	return names
}

// serviceFlag is a service of the resource that the flags name.
func serviceFlag(c *cobra.Command, _ []string, all []*pb.BalanceStatus) []string {
	resource := flagWord(c, "resource")
	var names []string
	for _, b := range all {
		if resource == "" || resource == b.GetResource() {
			names = append(names, each(b.GetServices(), (*pb.BalancedService).GetName)...)
		}
	}
	return names
}

func flagWord(c *cobra.Command, name string) string {
	word, err := c.Flags().GetString(name)
	if err != nil {
		return ""
	}
	return word
}
