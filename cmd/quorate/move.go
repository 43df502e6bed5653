package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

func newMoveCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "move ID [NODE]",
		Short: "Move a resource or group to a node, or off the one it runs on",
		Long: "Move a resource or group to a node; without one, to the next best. It stays there\n" +
			"while that node may run it, or until \"resource clear\". No constraint is left behind.",
		Example:           "resource move VirtualIP lvss\nresource move VirtualIP --wait",
		Args:              words(1, 2),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 2 {
				return a.change(c, moveTo(words[0], words[1]))
			}
			return a.moveAway(c, words[0])
		},
	}
	return a.changes(c)
}

// moveAway moves a resource to the best of the other nodes.
func (a *app) moveAway(c *cobra.Command, id string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	owner, err := a.owner(resp, id)
	if err != nil {
		return err
	}
	node, err := a.best(c.Context(), resp.GetState(), id, owner)
	if err != nil {
		return err
	}
	a.say("%s moves from %s to %s", id, owner, node)
	return a.change(c, moveTo(id, node))
}

func moveTo(id, node string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Node: node}}}
}

func forgetMove(id string) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_MoveResource{MoveResource: &pb.MoveResource{Id: id, Clear: true}}}
}

// owner returns the node that a resource or group runs on, or says that it
// does not run.
func (a *app) owner(resp *pb.GetResponse, id string) (string, error) {
	if membersOf(resp.GetState(), id) == nil {
		return "", notFound("resource: there is no resource or group %q", id)
	}
	owner := render.NewView(resp, a.now()).Owner(id)
	if owner == "" {
		return "", grammar.Errorf("%s runs nowhere now", id).With("name the node")
	}
	return owner, nil
}

func newBanCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "ban ID [NODE]",
		Short: "Keep a resource or group off a node, until \"resource clear\"",
		Long: "Keep a resource or group off a node, or off the one it runs on, by a location\n" +
			"constraint of -INFINITY named cli-ban-ID-on-NODE. \"resource clear\" removes it.",
		Example:           "resource ban VirtualIP lvsm\nresource ban VirtualIP",
		Args:              words(1, 2),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 1 {
				resp, err := a.member(c.Context())
				if err != nil {
					return err
				}
				owner, err := a.owner(resp, words[0])
				if err != nil {
					return err
				}
				words = append(words, owner)
			}
			return a.change(c, grammar.Ban(words[0], words[1]))
		},
	}
	return a.changes(c)
}

func newClearCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "clear ID [NODE]",
		Short:             "Forget the move of a resource or group, and its bans",
		Example:           "resource clear VirtualIP\nresource clear VirtualIP lvsm",
		Args:              words(1, 2),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			list, err := selected(resp.GetState(), words[:1])
			if err != nil {
				return err
			}
			edits := clearing(resp.GetState(), list, words)
			if len(edits) == 0 {
				a.say("%s was neither moved nor banned", strings.Join(words, " on "))
				return nil
			}
			return a.change(c, edits...)
		},
	}
	return a.changes(c)
}

// clearing forgets the moves and bans of ID [NODE].
func clearing(s *pb.State, members []*pb.Resource, words []string) []*pb.Edit {
	var edits []*pb.Edit
	at := func(node string) bool { return len(words) == 1 || node == words[1] }
	if slices.ContainsFunc(members, func(r *pb.Resource) bool {
		return r.GetMove().GetNode() != "" && at(r.GetMove().GetNode())
	}) {
		edits = append(edits, forgetMove(words[0]))
	}
	for _, c := range s.GetConstraints() {
		l := c.GetLocation()
		if l.GetResource() == words[0] && strings.HasPrefix(c.GetId(), grammar.BanPrefix(words[0])) && at(l.GetNode()) {
			edits = append(edits, deleteConstraint(c.GetId()))
		}
	}
	return edits
}

func newFailbackCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "failback ID",
		Short: "Let a resource or group return to the node that suits it best",
		Long: "Let a resource or group return to the node that its constraints prefer, whatever its\n" +
			"failback policy and stickiness. The command waits for it and leaves nothing behind.",
		Example:           "resource failback VirtualIP\nresource failback site --wait=2m",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE:              func(c *cobra.Command, words []string) error { return a.failback(c, words[0]) },
	}
	return a.changes(c)
}

// failback moves a resource to where its scores want it, waits, and forgets
// the move: what held it back does not, once it is there.
func (a *app) failback(c *cobra.Command, id string) error {
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	owner, err := a.owner(resp, id)
	if err != nil {
		return err
	}
	node, err := a.best(c.Context(), resp.GetState(), id, "")
	if err != nil {
		return err
	}
	if node == owner {
		a.say("%s is on %s, which suits it best", id, node)
		return a.change(c, forgetMove(id))
	}
	a.say("%s returns from %s to %s", id, owner, node)
	if a.wait.d == 0 {
		a.wait.d = defaultWait
	}
	if err := a.change(c, moveTo(id, node)); err != nil || a.dryRun {
		return err
	}
	return a.change(c, forgetMove(id))
}

// say prints a line that is not an answer, for people alone.
func (a *app) say(format string, args ...any) {
	if a.output == "table" {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

func newRestartCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "restart ID",
		Short:             "Stop a resource or group and start it again",
		Example:           "resource restart Web\nresource restart Web --wait",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			return a.change(c, &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: words[0]}}})
		},
	}
	return a.changes(c)
}

func newReloadCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "reload ID",
		Short: "Let a resource or group read its configuration again, without a stop",
		Long: "Let a resource or group read its configuration again, without a stop, after its file on the\n" +
			"nodes was edited. The nodes check the file first.",
		Example:           "resource reload Web\nresource reload Web --wait",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs, cloneIDs),
		RunE: func(c *cobra.Command, words []string) error {
			return a.change(c, &pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: words[0], Reload: true}}})
		},
	}
	return a.changes(c)
}

func newCleanupCommand(a *app) *cobra.Command {
	var node string
	c := &cobra.Command{
		Use:               "cleanup [ID] [node=NODE]",
		Aliases:           []string{"refresh"},
		Short:             "Forget failures, so that resources are looked at and tried anew",
		Example:           "resource cleanup\nresource cleanup Web node=lvsm",
		Args:              words(0, 2),
		ValidArgsFunction: a.completes(resourceIDs, groupIDs),
		RunE: func(c *cobra.Command, words []string) error {
			id, on, err := idOnNode(words)
			if err != nil {
				return err
			}
			k := &pb.Cleanup{Resource: id, Node: on + node}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_Cleanup{Cleanup: k}})
		},
	}
	c.Flags().StringVar(&node, "node", "", "on `NODE` alone, as in older pcs")
	_ = c.Flags().MarkHidden("node")
	return a.changes(c)
}

// idOnNode reads [ID] [node=NODE].
func idOnNode(words []string) (id, node string, err error) {
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "node="); ok {
			node = name
			continue
		}
		if id != "" || strings.Contains(word, "=") {
			return "", "", grammar.Errorf("%q is not known here", word).With("write [ID] [node=NODE]")
		}
		id = word
	}
	return id, node, nil
}

func newFailcountCommand(a *app) *cobra.Command {
	show := &cobra.Command{
		Use:               "show [ID] [node=NODE]",
		Short:             "Show how often resources failed",
		Example:           "resource failcount show\nresource failcount show Web node=lvsm",
		Args:              words(0, 2),
		ValidArgsFunction: a.completes(resourceIDs),
		RunE:              a.showFailcounts,
	}
	reset := hidden(newCleanupCommand(a))
	reset.Use, reset.Aliases = "reset [ID] [node=NODE]", nil
	return noun("failcount", "Show how often resources failed, and where", "resource failcount", a.showFailcounts, show, reset)
}

func (a *app) showFailcounts(c *cobra.Command, words []string) error {
	id, node, err := idOnNode(words)
	if err != nil {
		return err
	}
	resp, err := a.member(c.Context())
	if err != nil {
		return err
	}
	v := render.NewView(resp, a.now())
	failed := slices.DeleteFunc(slices.Clone(resp.GetState().GetInstances()), func(i *pb.Instance) bool {
		return i.GetFailCount() == 0 || id != "" && i.GetResource() != id || node != "" && v.Node(i.GetNode()) != node
	})
	return a.print(&pb.State{Instances: failed}, func(w io.Writer) error {
		var t render.Table
		for _, i := range failed {
			count := grammar.FormatScore(int64(i.GetFailCount()))
			t.Row(render.Text(i.GetResource(), v.Node(i.GetNode()), count, i.GetLastError())...)
		}
		if len(failed) == 0 {
			fmt.Fprintln(w, "No failures.")
		}
		return t.Write(w, a.palette())
	}, "instances")
}
