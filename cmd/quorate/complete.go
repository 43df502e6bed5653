package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	pb "quorate/proto/quorate/v1"
)

// completeTimeout is how long a shell waits for names.
const completeTimeout = 300 * time.Millisecond

// completes offers names that the running agent knows; nothing when it does
// not answer.
func (a *app) completes(sources ...func(*pb.GetResponse) []string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(commandContext(c)), completeTimeout)
		defer cancel()
		resp, err := a.get(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, source := range sources {
			names = append(names, source(resp)...)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// commandContext is the command's, or an empty one: completion may run without.
func commandContext(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// completesAgents offers the kinds of resources as the second word, and files
// after that.
func (a *app) completesAgents(at int) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(words) != at {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []string
		err := a.ask(commandContext(c), completeTimeout, func(ctx context.Context, cl *client) error {
			resp, err := cl.DescribeAgents(ctx, &pb.DescribeAgentsRequest{})
			for _, m := range resp.GetAgents() {
				names = append(names, m.GetName())
				names = append(names, m.GetServes()...)
			}
			names = append(names, resp.GetInstalled()...)
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func nodeNames(r *pb.GetResponse) []string {
	return each(r.GetState().GetNodes(), (*pb.Node).GetName)
}

func resourceIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetResources(), (*pb.Resource).GetId)
}

func groupIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetGroups(), (*pb.Group).GetId)
}

func cloneIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetClones(), (*pb.Clone).GetId)
}

func constraintIDs(r *pb.GetResponse) []string {
	return each(r.GetState().GetConstraints(), (*pb.Constraint).GetId)
}

// knownProperties are offered although nobody has set them yet.
var knownProperties = []string{
	"maintenance-mode", "no-quorum-policy", "quorum.ping", "stonith-enabled", "symmetric-cluster",
}

func propertyNames(r *pb.GetResponse) []string {
	names := slices.Concat(knownProperties, slices.Collect(maps.Keys(r.GetState().GetProperties())))
	slices.Sort(names)
	return slices.Compact(names)
}

func each[T, U any](list []T, f func(T) U) []U {
	made := make([]U, len(list))
	for i, e := range list {
		made[i] = f(e)
	}
	return made
}
