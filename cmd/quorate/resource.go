package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newResourceCommand(a *app) *cobra.Command {
	status := newResourceStatusCommand(a)
	return noun("resource", "Make resources, change them, and see how they are",
		"resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5\nresource status", status.RunE,
		status, newResourceShowCommand(a), newResourceConfigCommand(a),
		newCreateCommand(a), newUpdateCommand(a), newMetaCommand(a), newDeleteCommand(a), newOperationCommand(a),
		newSwitchCommand(a, "enable", "Let resources run", "target-role", ""),
		newSwitchCommand(a, "disable", "Stop resources and keep them stopped", "target-role", "Stopped"),
		newSwitchCommand(a, "manage", "Look after resources again", "is-managed", ""),
		newSwitchCommand(a, "unmanage", "Leave resources as they are", "is-managed", "false"),
		newMoveCommand(a), newBanCommand(a), newClearCommand(a), newFailbackCommand(a),
		newRestartCommand(a), newReloadCommand(a), newCleanupCommand(a), newFailcountCommand(a),
		newDebugCommand(a, "start", "Start a resource on this node by hand, and show what its agent says", pb.OperationKind_OPERATION_KIND_START),
		newDebugCommand(a, "stop", "Stop a resource on this node by hand, and give it back to the cluster", pb.OperationKind_OPERATION_KIND_STOP),
		newDebugCommand(a, "monitor", "Ask a resource's agent on this node how it is, and show what that says", pb.OperationKind_OPERATION_KIND_MONITOR),
		newDebugCommand(a, "promote", "Promote a resource on this node by hand", pb.OperationKind_OPERATION_KIND_PROMOTE),
		newDebugCommand(a, "demote", "Demote a resource on this node by hand", pb.OperationKind_OPERATION_KIND_DEMOTE),
		newDefaultsCommand(a, "resource defaults", pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS),
		newGroupCommand(a), hidden(newUngroupCommand(a)), newResourceUtilizationCommand(a),
		newCloneCommand(a), newUncloneCommand(a), newPromotableCommand(a),
		newAgentsCommand(a), newStandardsCommand(a), newProvidersCommand(a), newDescribeCommand(a),
	)
}

func newCreateCommand(a *app) *cobra.Command {
	var place grammar.Placement
	var disabled bool
	c := &cobra.Command{
		Use:   "create ID TYPE [NAME=VALUE]... [op ACTION [NAME=VALUE]...]... [meta NAME=VALUE...] [clone [CLONE] [NAME=VALUE]...]",
		Short: "Make a resource",
		Long: "Make a resource. NAME=@FILE takes the content of a file (and @@ is an @), so that a\n" +
			"configuration is kept in the cluster. \"resource describe TYPE\" shows what a type takes.",
		Example: "resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5 cidr_netmask=32 op monitor interval=30s\n" +
			"resource create Web haproxy config=@haproxy.cfg meta failback=manual --group site --after VirtualIP --wait\n" +
			"resource create Web haproxy config=@haproxy.cfg clone clone-max=2",
		ValidArgsFunction: a.completesAgents(1),
		RunE: func(c *cobra.Command, words []string) error {
			edits, err := grammar.CreateResource(words, place)
			if err != nil {
				return err
			}
			r := edits[0].GetCreateResource().GetResource()
			if err := readFiles(r.GetParameters()); err != nil {
				return err
			}
			if disabled {
				if r.Meta == nil {
					r.Meta = make(map[string]string)
				}
				r.Meta["target-role"] = "Stopped"
			}
			return a.change(c, edits...)
		},
	}
	f := c.Flags()
	f.StringVar(&place.Group, "group", "", "put it into the group `ID`, at the end")
	f.StringVar(&place.Before, "before", "", "or there before the resource `ID`")
	f.StringVar(&place.After, "after", "", "or there after the resource `ID`")
	f.BoolVar(&disabled, "disabled", false, "do not start it yet")
	_ = c.RegisterFlagCompletionFunc("group", a.completes(groupIDs))
	_ = c.RegisterFlagCompletionFunc("before", a.completes(resourceIDs))
	_ = c.RegisterFlagCompletionFunc("after", a.completes(resourceIDs))
	return a.changes(c)
}

func newUpdateCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "update ID [NAME=[VALUE]]... [op ACTION [NAME=VALUE]...]... [meta NAME=[VALUE]...]",
		Short: "Change a resource; an empty value removes",
		Example: "resource update VirtualIP ip=10.0.0.6 nic=\n" +
			"resource update Web config=@haproxy.cfg op monitor interval=10s",
		ValidArgsFunction: a.completes(resourceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u, err := grammar.UpdateResource(words)
			if err != nil {
				return err
			}
			return a.update(c, u)
		},
	}
	return a.changes(c)
}

// update sends an update, with the meaning that pcs gives to its operations.
func (a *app) update(c *cobra.Command, u *pb.UpdateResource) error {
	if err := readFiles(u.GetSetParameters()); err != nil {
		return err
	}
	if len(u.GetSetOperations()) > 0 {
		r, err := a.resource(c.Context(), u.GetId())
		if err != nil {
			return err
		}
		grammar.ReplaceOperations(u, r.GetOperations())
	}
	return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
}

func newMetaCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "meta ID NAME=[VALUE]...",
		Short:             "Change meta attributes of a resource, group or clone; an empty value removes",
		Example:           "resource meta Web failback=\"window Sat 02:00-04:00\"\nresource meta site priority=10 resource-stickiness=",
		Args:              words(2, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, cloneIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u, err := grammar.UpdateResource(append([]string{words[0], "meta"}, words[1:]...))
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
		},
	}
	return a.changes(c)
}

func newDeleteCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"remove"},
		Short:             "Stop resources, groups or clones and remove them, with their constraints",
		Example:           "resource delete VirtualIP\nresource delete site --wait",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, cloneIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_DeleteResource{DeleteResource: &pb.DeleteResource{Id: id}}}
			})...)
		},
	}
	return a.changes(c)
}

// newSwitchCommand makes a command that sets one meta attribute, or removes it
// when value is empty.
func newSwitchCommand(a *app, verb, short, name, value string) *cobra.Command {
	c := &cobra.Command{
		Use:               verb + " ID...",
		Short:             short,
		Example:           "resource " + verb + " VirtualIP\nresource " + verb + " VirtualIP Web --wait=30s",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, cloneIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit { return grammar.SetMeta(id, name, value) })...)
		},
	}
	return a.changes(c)
}

func newResourceStatusCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "status [ID]",
		Short:             "Show where resources run",
		Example:           "resource status\nresource status VirtualIP -o json",
		Args:              words(0, 1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			list, err := selected(resp.GetState(), ids)
			if err != nil {
				return err
			}
			return a.print(resourceState(resp.GetState(), list), func(w io.Writer) error {
				return render.Resources(w, resp, list, a.now(), a.options())
			}, "resources", "groups", "clones", "assignments", "instances", "operations")
		},
	}
}

// newResourceShowCommand is pcs's old `show`: status of all, configuration of one.
func newResourceShowCommand(a *app) *cobra.Command {
	var full, groups bool
	c := &cobra.Command{
		Use:               "show [ID]...",
		Short:             "Show where resources run; with ids, how they are configured",
		Example:           "resource show\nresource show VirtualIP",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			if len(ids) > 0 || full {
				return a.showResources(c, ids)
			}
			return newResourceStatusCommand(a).RunE(c, nil)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "as \"resource config\"")
	c.Flags().BoolVar(&groups, "groups", false, "accepted from pcs; groups are always shown")
	_ = c.Flags().MarkHidden("groups")
	return c
}

func newResourceConfigCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "config [ID]...",
		Short:             "Show how resources are configured",
		Example:           "resource config\nresource config VirtualIP -o yaml\nresource config edit Web",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE:              a.showResources,
	}
	c.AddCommand(textCommands(a)...)
	return c
}

func (a *app) showResources(c *cobra.Command, ids []string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	list, err := selected(resp.GetState(), ids)
	if err != nil {
		return err
	}
	s := resp.GetState()
	cfg := &pb.Configuration{Resources: each(list, resourceConfiguration), Groups: groupsOf(s, list), Clones: clonesOf(s, list)}
	return a.print(cfg, func(w io.Writer) error {
		for _, k := range cfg.GetClones() {
			fmt.Fprintf(w, "Clone %s: %s\n", k.GetId(), k.GetMember())
			printPairs(w, "  meta", k.GetMeta())
		}
		for _, g := range cfg.GetGroups() {
			fmt.Fprintf(w, "Group %s: %s\n", g.GetId(), strings.Join(g.GetMembers(), ", "))
			printPairs(w, "  meta", g.GetMeta())
		}
		for _, r := range cfg.GetResources() {
			printResource(w, r)
		}
		return nil
	}, "resources", "groups", "clones")
}

func printResource(w io.Writer, r *pb.Resource) {
	fmt.Fprintf(w, "Resource %s (%s)\n", r.GetId(), r.GetAgent())
	printPairs(w, "  ", r.GetParameters())
	printPairs(w, "  meta", r.GetMeta())
	printPairs(w, "  utilization", r.GetUtilization())
	for _, o := range r.GetServerOrders() {
		fmt.Fprintf(w, "  server %s\n", state.DescribeOrder(o))
	}
	for _, o := range r.GetOperations() {
		fmt.Fprintf(w, "  op %s\n", strings.Join(grammar.OperationWords(o), " "))
	}
}

// printPairs writes NAME=VALUE a line; values of several lines are indented.
func printPairs(w io.Writer, prefix string, m map[string]string) {
	prefix = strings.TrimRight(prefix, " ") + " "
	if strings.TrimSpace(prefix) == "" {
		prefix = "  "
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := strings.TrimRight(m[name], "\n")
		if strings.Contains(value, "\n") {
			value = "\n      " + strings.ReplaceAll(value, "\n", "\n      ")
		}
		fmt.Fprintf(w, "%s%s=%s\n", prefix, name, value)
	}
}
