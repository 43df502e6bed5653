package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
		newRestartCommand(a), newCleanupCommand(a), newFailcountCommand(a),
		newDefaultsCommand(a, "resource defaults", pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS),
		newGroupCommand(a), hidden(newUngroupCommand(a)),
		newAgentsCommand(a), newDescribeCommand(a),
	)
}

func newCreateCommand(a *app) *cobra.Command {
	var place grammar.Placement
	var disabled bool
	c := &cobra.Command{
		Use:   "create ID TYPE [NAME=VALUE]... [op ACTION [NAME=VALUE]...]... [meta NAME=VALUE...]",
		Short: "Make a resource",
		Long: "Make a resource. NAME=@FILE takes the content of a file (and @@ is an @), so that a\n" +
			"configuration is kept in the cluster. \"resource describe TYPE\" shows what a type takes.",
		Example: "resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5 cidr_netmask=32 op monitor interval=30s\n" +
			"resource create Web haproxy config=@haproxy.cfg meta failback=manual --group site --after VirtualIP --wait",
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
	return a.waits(c)
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
	return a.waits(c)
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
		Short:             "Change meta attributes of a resource or group; an empty value removes",
		Example:           "resource meta Web failback=\"window Sat 02:00-04:00\"\nresource meta site priority=10 resource-stickiness=",
		Args:              words(2, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			u, err := grammar.UpdateResource(append([]string{words[0], "meta"}, words[1:]...))
			if err != nil {
				return err
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}})
		},
	}
	return a.waits(c)
}

func newDeleteCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"remove"},
		Short:             "Stop resources or groups and remove them, with their constraints",
		Example:           "resource delete VirtualIP\nresource delete site --wait",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit {
				return &pb.Edit{Kind: &pb.Edit_DeleteResource{DeleteResource: &pb.DeleteResource{Id: id}}}
			})...)
		},
	}
	c.Flags().Bool("force", false, "accepted from pcs")
	_ = c.Flags().MarkHidden("force")
	return a.waits(c)
}

// newSwitchCommand makes a command that sets one meta attribute, or removes it
// when value is empty.
func newSwitchCommand(a *app, verb, short, name, value string) *cobra.Command {
	c := &cobra.Command{
		Use:               verb + " ID...",
		Short:             short,
		Example:           "resource " + verb + " VirtualIP\nresource " + verb + " VirtualIP Web --wait=30s",
		Args:              words(1, -1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.change(c, each(ids, func(id string) *pb.Edit { return grammar.SetMeta(id, name, value) })...)
		},
	}
	return a.waits(c)
}

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
		add, remove, newDefaultsCommand(a, "resource op defaults", pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS))
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
			}, "resources", "groups", "assignments", "instances", "operations")
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
	return &cobra.Command{
		Use:               "config [ID]...",
		Short:             "Show how resources are configured",
		Example:           "resource config\nresource config VirtualIP -o yaml",
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE:              a.showResources,
	}
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
	cfg := &pb.Configuration{Resources: each(list, resourceConfiguration), Groups: groupsOf(resp.GetState(), list)}
	return a.print(cfg, func(w io.Writer) error {
		for _, g := range cfg.GetGroups() {
			fmt.Fprintf(w, "Group %s: %s\n", g.GetId(), strings.Join(g.GetMembers(), ", "))
			printPairs(w, "  meta", g.GetMeta())
		}
		for _, r := range cfg.GetResources() {
			printResource(w, r)
		}
		return nil
	}, "resources", "groups")
}

func printResource(w io.Writer, r *pb.Resource) {
	fmt.Fprintf(w, "Resource %s (%s)\n", r.GetId(), r.GetAgent())
	printPairs(w, "  ", r.GetParameters())
	printPairs(w, "  meta", r.GetMeta())
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

func newAgentsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "agents [PART]",
		Aliases: []string{"list"},
		Short:   "List the types that resources can have",
		Example: "resource agents\nresource agents IPaddr",
		Args:    words(0, 1),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.agents(c.Context(), "")
			if err != nil {
				return err
			}
			if len(words) > 0 {
				resp.Agents = slices.DeleteFunc(resp.GetAgents(), func(m *pb.AgentMetadata) bool {
					all := strings.Join(append([]string{m.GetName(), m.GetSummary()}, m.GetServes()...), " ")
					return !strings.Contains(strings.ToLower(all), strings.ToLower(words[0]))
				})
			}
			return a.print(resp, func(w io.Writer) error {
				var t render.Table
				for _, m := range resp.GetAgents() {
					t.Row(render.Text(m.GetName(), m.GetSummary(), strings.Join(m.GetServes(), ", "))...)
				}
				return t.Write(w, a.palette())
			})
		},
	}
}

func newDescribeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "describe TYPE",
		Short:             "Show what a type of resource does and takes",
		Example:           "resource describe ocf:heartbeat:IPaddr2",
		Args:              words(1, 1),
		ValidArgsFunction: a.completesAgents(0),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.agents(c.Context(), words[0])
			if err != nil {
				return err
			}
			return a.print(resp, func(w io.Writer) error {
				for _, m := range resp.GetAgents() {
					if err := render.Agent(w, m, a.palette()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (a *app) agents(ctx context.Context, name string) (resp *pb.DescribeAgentsResponse, err error) {
	err = a.ask(ctx, readTimeout, func(ctx context.Context, c *client) error {
		resp, err = c.DescribeAgents(ctx, &pb.DescribeAgentsRequest{Name: name})
		return err
	})
	return resp, err
}
