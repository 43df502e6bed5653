package main

import (
	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newCloneCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "clone ID [CLONE] [meta NAME=VALUE...]",
		Short: "Run a resource or group on several nodes at once",
		Long: "Run a resource or group on several nodes at once, as a clone named CLONE, or ID-clone:\n" +
			"on all nodes, or with clone-max on so many. Constraints on ID name the clone from then on.",
		Example:           "resource clone Web\nresource clone Web meta clone-max=2 interleave=true",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.CloneResource(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}

func newUncloneCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "unclone ID",
		Short: "Run what was cloned on one node again",
		Long: "Run what was cloned on one node again. ID is that of the clone or of what is in it. What\n" +
			"runs on several nodes is to run on one first, with clone-max=1.",
		Example:           "resource meta Web-clone clone-max=1 --wait\nresource unclone Web-clone",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(cloneIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u := &pb.UncloneResource{Id: words[0]}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UncloneResource{UncloneResource: u}})
		},
	}
	return a.changes(c)
}

func newPromotableCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "promotable ID [CLONE] [meta NAME=VALUE...]",
		Short: "Clone a resource or group whose instances can be promoted",
		Long: "Run a resource or group on several nodes at once, as a clone named CLONE, or ID-clone, and\n" +
			"promote one instance of it, or promoted-max: those to which their agent gives the greatest\n" +
			"promotion scores. The agent has to know the actions promote and demote.",
		Example:           "resource promotable Db\nresource promotable Db meta promoted-max=2 notify=true",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.PromoteResource(words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}
