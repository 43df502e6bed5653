package main

import (
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	pb "quorate/proto/quorate/v1"
)

func newOperationCommand(a *app) *cobra.Command {
	add := &cobra.Command{
		Use:               "add ID ACTION [NAME=VALUE]...",
		Short:             "Add an operation to a resource",
		Example:           "resource op add Web monitor interval=5m OCF_CHECK_LEVEL=10",
		Args:              words(2, -1),
		ValidArgsFunction: a.completes(resourceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			o, err := grammar.ParseOperation(words[1:])
			if err != nil {
				return err
			}
			u := &pb.UpdateResource{Id: words[0], SetOperations: []*pb.OperationSpec{o}}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
		},
	}
	remove := &cobra.Command{
		Use:               "remove ID ACTION [interval=TIME]",
		Aliases:           []string{"delete"},
		Short:             "Remove an operation from a resource",
		Example:           "resource op remove Web monitor interval=5m",
		Args:              words(2, -1),
		ValidArgsFunction: a.completes(resourceIDs),
		RunE:              func(c *cobra.Command, words []string) error { return a.removeOperation(c, words[0], words[1:]) },
	}
	return noun("op", "Change the operations of a resource, and their defaults", "resource op add Web monitor interval=5m", nil,
		a.changes(add), a.changes(remove), newDefaultsCommand(a, "resource op defaults", pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS))
}

// removeOperation removes the operation of that name and interval, or of that
// name alone when no interval is given.
func (a *app) removeOperation(c *cobra.Command, id string, words []string) error {
	o, err := grammar.ParseOperation(words)
	if err != nil {
		return err
	}
	r, err := a.resource(c.Context(), id)
	if err != nil {
		return err
	}
	named := len(words) > 1
	u := &pb.UpdateResource{Id: id}
	for _, have := range r.GetOperations() {
		if have.GetName() == o.GetName() && (!named || have.GetInterval().AsDuration() == o.GetInterval().AsDuration()) {
			u.UnsetOperations = append(u.UnsetOperations, &pb.OperationSpec{Name: have.GetName(), Interval: have.GetInterval()})
		}
	}
	if len(u.GetUnsetOperations()) == 0 {
		return notFound("op: resource %s has no operation %q", id, strings.Join(words, " "))
	}
	return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
}
