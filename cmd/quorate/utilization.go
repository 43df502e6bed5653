package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newNodeUtilizationCommand(a *app) *cobra.Command {
	return newUtilizationCommand(a, grammar.SetNodeUtilization, a.nodeUtilization, &cobra.Command{
		Use:   "utilization [NODE [NAME=[AMOUNT]...]]",
		Short: "Show or set what nodes have to give to resources",
		Long: "Show or set what nodes have to give to resources, in names of your own. It counts with the\n" +
			"property placement-strategy. An empty amount removes.",
		Example:           "node utilization\nnode utilization lvsm cpu=4 memory=8192",
		ValidArgsFunction: a.completes(nodeNames),
	})
}

func newResourceUtilizationCommand(a *app) *cobra.Command {
	return newUtilizationCommand(a, grammar.SetResourceUtilization, a.resourceUtilization, &cobra.Command{
		Use:   "utilization [ID [NAME=[AMOUNT]...]]",
		Short: "Show or set what resources take of a node",
		Long: "Show or set what resources take of what their node has to give. It counts with the\n" +
			"property placement-strategy. An empty amount removes.",
		Example:           "resource utilization\nresource utilization Web cpu=2 memory=",
		ValidArgsFunction: a.completes(resourceIDs),
	})
}

// newUtilizationCommand sets amounts with two words or more, and else shows them.
func newUtilizationCommand(a *app, set func([]string) (*pb.Edit, error), show func(*pb.State, []string) (*pb.Configuration, error), c *cobra.Command) *cobra.Command {
	c.RunE = func(c *cobra.Command, words []string) error {
		if len(words) > 1 {
			edit, err := set(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		}
		resp, err := a.member(c.Context())
		if err != nil {
			return err
		}
		cfg, err := show(resp.GetState(), words)
		if err != nil {
			return err
		}
		return a.printUtilization(cfg)
	}
	return a.changes(c)
}

func (a *app) nodeUtilization(s *pb.State, only []string) (*pb.Configuration, error) {
	cfg := new(pb.Configuration)
	for _, n := range s.GetNodes() {
		if len(only) == 0 || n.GetName() == only[0] {
			cfg.Nodes = append(cfg.Nodes, &pb.NodeConfiguration{Name: n.GetName(), Utilization: n.GetUtilization()})
		}
	}
	if len(only) > 0 && len(cfg.GetNodes()) == 0 {
		return nil, notFound("node: there is no node %q", only[0])
	}
	return cfg, nil
}

func (a *app) resourceUtilization(s *pb.State, only []string) (*pb.Configuration, error) {
	list, err := selected(s, only)
	if err != nil {
		return nil, err
	}
	return &pb.Configuration{Resources: each(list, func(r *pb.Resource) *pb.Resource {
		return &pb.Resource{Id: r.GetId(), Utilization: r.GetUtilization()}
	})}, nil
}

func (a *app) printUtilization(cfg *pb.Configuration) error {
	field := "resources"
	if len(cfg.GetNodes()) > 0 {
		field = "nodes"
	}
	return a.print(cfg, func(w io.Writer) error {
		amounts := make(map[string]map[string]string)
		for _, n := range cfg.GetNodes() {
			amounts[n.GetName()] = n.GetUtilization()
		}
		for _, r := range cfg.GetResources() {
			amounts[r.GetId()] = r.GetUtilization()
		}
		for _, owner := range slices.Sorted(maps.Keys(amounts)) {
			for _, name := range slices.Sorted(maps.Keys(amounts[owner])) {
				fmt.Fprintf(w, "%s: %s=%s\n", owner, name, amounts[owner][name])
			}
		}
		return nil
	}, field)
}
