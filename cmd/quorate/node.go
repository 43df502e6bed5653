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

func newNodeCommand(a *app) *cobra.Command {
	return noun("node", "Take nodes out of service, and describe them", "node standby lvsm", nil,
		newModeCommand(a, standby), newModeCommand(a, unstandby),
		newModeCommand(a, maintenance), newModeCommand(a, unmaintenance),
		newAttributeCommand(a), newNodeUtilizationCommand(a), newAddressCommand(a))
}

// A mode is a switch on a node.
type mode struct {
	verb, short string
	set         func(*pb.UpdateNode)
}

func truth(b bool) *bool { return &b }

var (
	standby = mode{"standby", "Let nodes host nothing", func(u *pb.UpdateNode) { u.Standby = truth(true) }}

	unstandby = mode{"unstandby", "Let nodes host again", func(u *pb.UpdateNode) { u.Standby = truth(false) }}

	maintenance = mode{"maintenance", "Leave alone what runs on nodes", func(u *pb.UpdateNode) { u.Maintenance = truth(true) }}

	unmaintenance = mode{"unmaintenance", "Look after nodes again", func(u *pb.UpdateNode) { u.Maintenance = truth(false) }}
)

func newModeCommand(a *app, m mode) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     m.verb + " [--all | NODE...]",
		Short:   m.short + ": this one, the named ones or all",
		Example: "node " + m.verb + " lvsm\nnode " + m.verb + " lvsm --wait=2m",
		RunE: func(c *cobra.Command, names []string) error {
			return a.updateNodes(c, names, all, m.set)
		},
	}
	return a.changes(someNodes(a, c, &all))
}

// updateNodes changes the named nodes, all, or the one that answers.
func (a *app) updateNodes(c *cobra.Command, names []string, all bool, set func(*pb.UpdateNode)) error {
	if len(names) == 0 {
		resp, err := a.member(c.Context())
		if err != nil {
			return err
		}
		names = []string{resp.GetNodeName()}
		if all {
			names = nodeNames(resp)
		}
	}
	var edits []*pb.Edit
	for _, name := range names {
		u := &pb.UpdateNode{Name: name}
		set(u)
		edits = append(edits, &pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: u}})
	}
	return a.change(c, edits...)
}

func newAttributeCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "attribute [NODE [NAME=[VALUE]...]]",
		Short:             "Show or set attributes of nodes; an empty value removes one",
		Example:           "node attribute\nnode attribute lvsm rack=1 zone=",
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) < 2 {
				return a.showAttributes(c, words)
			}
			edit, err := grammar.SetAttributes(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}

func (a *app) showAttributes(c *cobra.Command, only []string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	var list []*pb.NodeAttributes
	for _, n := range resp.GetState().GetNodes() {
		if len(only) == 0 || n.GetName() == only[0] {
			list = append(list, &pb.NodeAttributes{Name: n.GetName(), Attributes: n.GetAttributes(), Transient: n.GetTransient()})
		}
	}
	if len(only) > 0 && len(list) == 0 {
		return notFound("node: there is no node %q", only[0])
	}
	return a.print(&pb.NodeAttributesList{Nodes: list}, func(w io.Writer) error {
		for _, n := range list {
			for _, name := range slices.Sorted(maps.Keys(n.GetAttributes())) {
				fmt.Fprintf(w, "%s: %s=%s\n", n.GetName(), name, n.GetAttributes()[name])
			}
			for _, name := range slices.Sorted(maps.Keys(n.GetTransient())) {
				fmt.Fprintf(w, "%s: %s=%s (until it goes)\n", n.GetName(), name, n.GetTransient()[name])
			}
		}
		return nil
	})
}
