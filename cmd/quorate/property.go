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

const clusterScope = pb.OptionScope_OPTION_SCOPE_CLUSTER

func newPropertyCommand(a *app) *cobra.Command {
	list := &cobra.Command{
		Use:               "list [NAME]...",
		Aliases:           []string{"show", "config"},
		Short:             "List the properties that are set",
		Example:           "property list\nproperty list no-quorum-policy",
		ValidArgsFunction: a.completes(propertyNames),
		RunE:              func(c *cobra.Command, names []string) error { return a.listOptions(c, clusterScope, names) },
	}
	return noun("property", "Set what holds for the whole cluster", "property set no-quorum-policy=stop", list.RunE,
		list, newPropertySetCommand(a), newPropertyUnsetCommand(a))
}

func newPropertySetCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "set NAME=[VALUE]...",
		Short:             "Set properties; an empty value removes",
		Example:           "property set no-quorum-policy=stop\nproperty set stonith-enabled=false",
		ValidArgsFunction: a.completes(propertyNames),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.SetOptions(clusterScope, words)
			if err != nil {
				return err
			}
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}

func newPropertyUnsetCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "unset NAME...",
		Short:             "Remove properties, so that their defaults hold",
		Example:           "property unset no-quorum-policy",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(propertyNames),
		RunE: func(c *cobra.Command, names []string) error {
			return a.change(c, grammar.UnsetOptions(clusterScope, names))
		},
	}
	return a.changes(c)
}

// newDefaultsCommand makes `resource defaults` and `resource op defaults`.
func newDefaultsCommand(a *app, path string, scope pb.OptionScope) *cobra.Command {
	example := path + " update resource-stickiness=100 failback=manual"
	if scope == pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS {
		example = path + " update timeout=60s"
	}
	set := func(c *cobra.Command, words []string) error {
		edit, err := grammar.SetOptions(scope, words)
		if err != nil {
			return err
		}
		return a.change(c, edit)
	}
	c := &cobra.Command{
		Use:     "defaults [NAME=[VALUE]...]",
		Short:   "Show or set what holds for all that do not say otherwise",
		Example: path + "\n" + example,
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 0 {
				return a.listOptions(c, scope, nil)
			}
			return set(c, words)
		},
	}
	update := &cobra.Command{Use: "update NAME=[VALUE]...", Short: "Set defaults; an empty value removes", Example: example, RunE: set}
	list := &cobra.Command{
		Use: "list", Aliases: []string{"show", "config"}, Short: "List the defaults that are set", Example: path + " list", Args: words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return a.listOptions(c, scope, nil) },
	}
	c.AddCommand(a.changes(update), list, newDefaultSetRefusal(path))
	return a.changes(c)
}

// newDefaultSetRefusal answers `defaults set create … rule …`, which pcs has,
// with what to write instead.
func newDefaultSetRefusal(path string) *cobra.Command {
	return hidden(&cobra.Command{
		Use:     "set create [meta NAME=VALUE...] [rule EXPRESSION]",
		Short:   "Not supported: there is one set, without a rule",
		Example: path + " list",
		RunE: func(*cobra.Command, []string) error {
			return grammar.Errorf("sets of defaults, and rules on them, are not available in this version").
				With("write %s update NAME=VALUE, or set the option on each resource that a rule would be about", path)
		},
	})
}

func (a *app) listOptions(c *cobra.Command, scope pb.OptionScope, only []string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	cfg, set, field := optionsIn(resp.GetState(), scope)
	if len(only) > 0 {
		maps.DeleteFunc(set, func(name, _ string) bool { return !slices.Contains(only, name) })
	}
	return a.print(cfg, func(w io.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(w, "%s=%s\n", name, set[name])
		}
		if len(set) == 0 {
			fmt.Fprintln(a.err, "None is set: the defaults hold.")
		}
		return nil
	}, field)
}

// optionsIn returns the options of a scope, the configuration that holds that
// very map, and the name of its field.
func optionsIn(s *pb.State, scope pb.OptionScope) (c *pb.Configuration, set map[string]string, field string) {
	c = new(pb.Configuration)
	switch scope {
	case pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS:
		c.ResourceDefaults = maps.Clone(s.GetResourceDefaults())
		return c, c.ResourceDefaults, "resource_defaults"
	case pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS:
		c.OperationDefaults = maps.Clone(s.GetOperationDefaults())
		return c, c.OperationDefaults, "operation_defaults"
	default:
		c.Properties = maps.Clone(s.GetProperties())
		return c, c.Properties, "properties"
	}
}
