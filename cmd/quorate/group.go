package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newGroupCommand(a *app) *cobra.Command {
	return noun("group", "Keep resources together, started in order", "resource group add site VirtualIP Web", a.listGroups,
		newGroupAddCommand(a), newGroupRemoveCommand(a), newGroupListCommand(a))
}

func newGroupAddCommand(a *app) *cobra.Command {
	add := new(pb.AddToGroup)
	c := &cobra.Command{
		Use:               "add GROUP ID...",
		Short:             "Put resources into a group, which is made if need be",
		Example:           "resource group add site VirtualIP Web\nresource group add site Mail --after VirtualIP",
		Args:              words(2, -1),
		ValidArgsFunction: a.completes(groupIDs, resourceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			if add.GetBefore() != "" && add.GetAfter() != "" {
				return grammar.Errorf("--before and --after exclude each other")
			}
			add.Group, add.Resources = words[0], words[1:]
			return a.change(c, &pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: add}})
		},
	}
	c.Flags().StringVar(&add.Before, "before", "", "before the member `ID`")
	c.Flags().StringVar(&add.After, "after", "", "after the member `ID`")
	_ = c.RegisterFlagCompletionFunc("before", a.completes(resourceIDs))
	_ = c.RegisterFlagCompletionFunc("after", a.completes(resourceIDs))
	return a.changes(c)
}

func newGroupRemoveCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "remove GROUP [ID]...",
		Aliases:           []string{"delete"},
		Short:             "Take resources out of a group, or all; they stay in the cluster",
		Example:           "resource group remove site Web\nresource group remove site",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(groupIDs, resourceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			r := &pb.RemoveFromGroup{Group: words[0], Resources: words[1:]}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_RemoveFromGroup{RemoveFromGroup: r}})
		},
	}
	return a.changes(c)
}

// newUngroupCommand is pcs's other name for `group remove`.
func newUngroupCommand(a *app) *cobra.Command {
	c := newGroupRemoveCommand(a)
	c.Use, c.Aliases = "ungroup GROUP [ID]...", nil
	return c
}

func newGroupListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"show", "config"},
		Short:   "List the groups and their members in start order",
		Example: "resource group list",
		Args:    words(0, 0),
		RunE:    a.listGroups,
	}
}

func (a *app) listGroups(c *cobra.Command, _ []string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	groups := resp.GetState().GetGroups()
	return a.print(&pb.Configuration{Groups: groups}, func(w io.Writer) error {
		for _, g := range groups {
			fmt.Fprintf(w, "%s: %s\n", g.GetId(), strings.Join(g.GetMembers(), ", "))
		}
		return nil
	}, "groups")
}
