package main

import (
	"context"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newClusterNodeCommand(a *app) *cobra.Command {
	return noun("node", "Add nodes to the cluster and remove them", "cluster node add web2 addr=10.0.0.4", nil,
		newNodeAddCommand(a), newNodeRemoveCommand(a))
}

func newNodeAddCommand(a *app) *cobra.Command {
	var role roleFlags
	var start, enable bool
	c := &cobra.Command{
		Use:     "add NODE [addr=ADDRESS]...",
		Short:   "Add a node; see \"cluster auth\"",
		Example: "cluster node add web2\ncluster node add tiny addr=10.0.0.9 --witness --start",
		Args:    words(1, -1),
		RunE: func(c *cobra.Command, words []string) error {
			hosts, err := grammar.Hosts(words)
			if err != nil {
				return err
			}
			if len(hosts) != 1 {
				return grammar.Errorf("%d nodes are named", len(hosts)).With("add one at a time")
			}
			r, err := role.parse()
			if err != nil {
				return err
			}
			err = a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.AddNode(ctx, &pb.AddNodeRequest{Host: hosts[0], Role: r})
			})
			if err != nil || !start {
				return err
			}
			return a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
				return cl.Start(ctx, &pb.StartRequest{Nodes: []string{hosts[0].GetName()}})
			})
		},
	}
	role.add(c)
	c.Flags().BoolVar(&start, "start", false, "start the node afterwards")
	c.Flags().BoolVar(&enable, "enable", false, "take work after a boot; this is the default")
	return a.waits(c)
}

// roleFlags say what a new node is: --role, and --witness as its short form.
type roleFlags struct {
	role    string
	witness bool
}

func (r *roleFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&r.role, "role", "", "`ROLE`: voter (the default), witness (votes, hosts nothing) or replica (hosts, does not vote)")
	c.Flags().BoolVar(&r.witness, "witness", false, "the same as --role witness")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"voter", "witness", "replica"}, cobra.ShellCompDirectiveNoFileComp))
}

func (r *roleFlags) parse() (pb.Role, error) {
	role, err := grammar.ParseRole(r.role)
	if err != nil || !r.witness {
		return role, err
	}
	if r.role != "" && role != pb.Role_ROLE_WITNESS {
		return 0, grammar.Errorf("--witness and --role %s exclude each other", r.role)
	}
	return pb.Role_ROLE_WITNESS, nil
}

func newNodeRemoveCommand(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:               "remove NODE...",
		Aliases:           []string{"delete"},
		Short:             "Remove nodes from the cluster",
		Example:           "cluster node remove web2\ncluster node remove web2 --force",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, names []string) error {
			if a.dryRun {
				return a.updateNodes(c, names, false, setStopped(true))
			}
			for _, name := range names {
				err := a.work(c.Context(), func(ctx context.Context, cl *client) (progress, error) {
					return cl.RemoveNode(ctx, &pb.RemoveNodeRequest{Name: name, Force: force})
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&force, "force", false, "although it does not answer")
	return a.foresees(a.waits(c))
}
