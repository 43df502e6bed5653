package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

func newLevelCommand(a *app) *cobra.Command {
	list := &cobra.Command{
		Use:     "config",
		Short:   "Show the fencing levels",
		Example: "stonith level",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			levels := resp.GetState().GetLevels()
			return a.print(&pb.Configuration{Levels: levels}, func(w io.Writer) error {
				return render.Levels(w, levels, a.palette())
			}, "levels")
		},
	}
	return noun("level", "Say in which order fencing devices are tried",
		"stonith level add 1 lvss ipmi-lvss\nstonith level add 2 lvss pdu", list.RunE,
		list, newLevelAddCommand(a), newLevelRemoveCommand(a), newLevelClearCommand(a), newLevelVerifyCommand(a))
}

func newLevelAddCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "add LEVEL NODE|regexp%PATTERN|attrib%NAME=VALUE DEVICE...",
		Short: "Add a way to fence a node: all of its devices must do it",
		Long: "Add a way to fence a node. Level 1 is tried first; level 2 when a device of level 1 has\n" +
			"failed, and so on. All devices of a level must switch the node off.\n\n" +
			"regexp%PATTERN is for the nodes whose names hold the pattern, a POSIX extended regular\n" +
			"expression, and attrib%NAME=VALUE for those with this attribute. A node that is named\n" +
			"has its own levels alone, and of several others only those of the first by name.",
		Example:           "stonith level add 1 lvss ipmi-lvss\nstonith level add 2 lvss pdu1 pdu2\nstonith level add 1 'regexp%^web[0-9]+$' pdu1\nstonith level add 1 attrib%rack=a pdu1",
		ValidArgsFunction: a.completes(nodeNames, deviceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.AddLevel(words)
			if err != nil {
				return err
			}
			edit.GetAddLevel().Force = a.force
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}

func newLevelRemoveCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "remove LEVEL [NODE|regexp%PATTERN|attrib%NAME=VALUE [DEVICE...]]",
		Aliases:           []string{"delete"},
		Short:             "Remove fencing levels",
		Example:           "stonith level remove 2 lvss",
		ValidArgsFunction: a.completes(nodeNames, deviceIDs),
		RunE: func(c *cobra.Command, words []string) error {
			edit, err := grammar.RemoveLevel(words)
			if err != nil {
				return err
			}
			edit.GetRemoveLevels().Force = a.force
			return a.change(c, edit)
		},
	}
	return a.changes(c)
}

func newLevelClearCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:               "clear [NODE]",
		Short:             "Remove all fencing levels, or those of a node",
		Example:           "stonith level clear\nstonith level clear lvss",
		Args:              words(0, 2),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "target" })
			r := &pb.RemoveLevels{Force: a.force}
			if len(words) > 0 {
				r.Target = words[0]
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_RemoveLevels{RemoveLevels: r}})
		},
	}
	return a.changes(c)
}

func newLevelVerifyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "verify",
		Short:   "Find what is wrong with the fencing levels",
		Example: "stonith level verify",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			wrong := wrongLevels(resp.GetState())
			for _, text := range wrong {
				fmt.Fprintln(a.err, text)
			}
			if len(wrong) > 0 {
				return errSaid
			}
			a.say("the fencing levels are sound")
			return nil
		},
	}
}

// wrongLevels says which levels can never succeed as they are.
func wrongLevels(s *pb.State) []string {
	var wrong []string
	for _, l := range s.GetLevels() {
		say := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("level %d of %s: ", l.GetLevel(), l.GetTarget())+fmt.Sprintf(format, args...))
		}
		nodes := slices.DeleteFunc(slices.Clone(s.GetNodes()), func(n *pb.Node) bool {
			return fencing.TargetFor(s.GetLevels(), n) != l.GetTarget()
		})
		if len(nodes) == 0 {
			say("it counts for no node")
		}
		for _, id := range l.GetDevices() {
			wrongDevice(state.DeviceByID(s, id), id, nodes, say)
		}
	}
	return wrong
}

// wrongDevice says why a device of a level can never do it for some node.
func wrongDevice(d *pb.FencingDevice, id string, nodes []*pb.Node, say func(format string, args ...any)) {
	switch {
	case d == nil:
		say("there is no device %s", id)
		return
	case d.GetDisabled():
		say("%s is disabled, so that the level is passed over", id)
		return
	}
	for _, n := range nodes {
		if !fencing.MayFence(d, n.GetName()) {
			say("%s does not switch %s, so that the level is passed over for it", id, n.GetName())
		}
	}
}

// fenceTime is how long `stonith fence` waits for the node to be off.
const fenceTime = 5 * time.Minute

func newFenceCommand(a *app) *cobra.Command {
	var off bool
	c := &cobra.Command{
		Use:               "fence NODE",
		Short:             "Switch a node off, see that it is off, and switch it on again",
		Long:              "Switch a node off, see that it is off, and switch it on again; with --off it stays off.\nThe command waits until the node is off for certain, and says so.",
		Example:           "stonith fence lvss\nstonith fence lvss --off",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			edit := &pb.Edit{Kind: &pb.Edit_FenceNode{FenceNode: &pb.FenceNode{Node: words[0], StayOff: off}}}
			if err := a.change(c, edit); err != nil || a.dryRun {
				return err
			}
			return a.awaitFencing(c.Context(), words[0])
		},
	}
	c.Flags().BoolVar(&off, "off", false, "leave it off")
	return a.changes(c)
}

// awaitFencing waits until the newest fencing of a node has switched it off.
func (a *app) awaitFencing(ctx context.Context, name string) error {
	told := ""
	for end := a.now().Add(fenceTime); ; {
		resp, err := a.member(ctx)
		if err != nil {
			return err
		}
		f := newestFencing(resp.GetState(), name)
		if f.GetPhase() != pb.FencingPhase_FENCING_PHASE_OFF {
			a.say("%s", render.FencingOutcome(resp.GetState(), f))
			if f.GetOffAt() == nil {
				return errSaid
			}
			return nil
		}
		if text := render.FencingOutcome(resp.GetState(), f); text != told && f.GetFailures() > 0 {
			fmt.Fprintf(a.err, "waiting: %s\n", text)
			told = text
		}
		if !a.now().Before(end) {
			return fmt.Errorf("not off after %s; it goes on: see %q", fenceTime, a.name+" stonith history")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func newestFencing(s *pb.State, name string) *pb.Fencing {
	var newest *pb.Fencing
	for _, f := range s.GetFencings() {
		if render.NodeName(s, f.GetNode()) == name {
			newest = f
		}
	}
	return newest
}

func newConfirmCommand(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "confirm NODE",
		Short: "Say that a node is off, where no device can: what waits for that is free",
		Long: "Say that a node is off, where no device can. What ran there starts elsewhere at once. If\n" +
			"the node is not off, two nodes may run it: look at the machine first.",
		Example:           "stonith confirm lvss\nstonith confirm lvss --force",
		Args:              words(1, 1),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, words []string) error {
			if !force && !a.dryRun {
				if err := a.confirmOff(words[0]); err != nil {
					return err
				}
			}
			return a.change(c, &pb.Edit{Kind: &pb.Edit_ConfirmOff{ConfirmOff: &pb.ConfirmOff{Node: words[0]}}})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "do not ask")
	return a.foresees(a.waits(c))
}

// confirmOff has the name of the node typed.
func (a *app) confirmOff(name string) error {
	fmt.Fprintf(a.err, "If %s is not off, what runs there will run on two nodes. Look at the machine.\nType %s if it is off: ", name, name)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != name {
		return grammar.Errorf("not confirmed, nothing was done").With("type the name of the node, or use --force")
	}
	return nil
}

func newHistoryCommand(a *app) *cobra.Command {
	show := &cobra.Command{
		Use:               "show [NODE]",
		Short:             "Show who was fenced, why, by what, and how long it took",
		Example:           "stonith history\nstonith history show lvss -o json",
		Args:              words(0, 1),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, names []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			s := resp.GetState()
			list := slices.DeleteFunc(slices.Clone(s.GetFencings()), func(f *pb.Fencing) bool {
				return len(names) > 0 && render.NodeName(s, f.GetNode()) != names[0]
			})
			return a.print(&pb.State{Fencings: list}, func(w io.Writer) error {
				return render.History(w, s, list, a.now(), a.palette())
			}, "fencings")
		},
	}
	cleanup := &cobra.Command{
		Use:               "cleanup [NODE]",
		Short:             "Forget the fencings that have ended; a node that waits for an operator hosts resources again",
		Example:           "stonith history cleanup lvss",
		Args:              words(0, 1),
		ValidArgsFunction: a.completes(nodeNames),
		RunE: func(c *cobra.Command, names []string) error {
			return a.change(c, &pb.Edit{Kind: &pb.Edit_CleanupFencing{CleanupFencing: &pb.CleanupFencing{Node: strings.Join(names, "")}}})
		},
	}
	return noun("history", "Show what was fenced", "stonith history", show.RunE, show, a.changes(cleanup))
}
