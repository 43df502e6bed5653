package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

// A filter selects events.
type filter struct {
	resource, node string
	count          int // the newest so many; 0: all that are kept
	after          uint64
}

func newEventsCommand(a *app) *cobra.Command {
	var f filter
	var follow bool
	c := &cobra.Command{
		Use:   "events",
		Short: "Show what happened, and why, oldest first",
		Long: "Show what happened, and why, oldest first. A failover has its phases below it, each\n" +
			"with its time since the first sign. The newest 1000 events are kept.",
		Example: "events -n 50\nevents --follow\nevents --resource VirtualIP -o json",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			resp, err := a.member(c.Context())
			if err != nil {
				return err
			}
			list := f.apply(resp.GetState().GetEvents())
			if follow {
				return a.followEvents(c.Context(), f, list)
			}
			return a.print(&pb.State{Events: list}, func(w io.Writer) error {
				return render.Events(w, list, a.now(), a.palette())
			}, "events")
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.resource, "resource", "", "of the resource `ID` alone")
	flags.StringVar(&f.node, "node", "", "of `NODE` alone")
	flags.IntVarP(&f.count, "count", "n", 20, "the newest `N`; 0: all")
	flags.BoolVarP(&follow, "follow", "f", false, "go on with what happens from now on")
	_ = c.RegisterFlagCompletionFunc("resource", a.completes(resourceIDs))
	_ = c.RegisterFlagCompletionFunc("node", a.completes(nodeNames))
	return c
}

func (f filter) apply(events []*pb.Event) []*pb.Event {
	list := slices.DeleteFunc(slices.Clone(events), func(e *pb.Event) bool {
		return e.GetId() <= f.after || !concerns(e, e.GetResource(), f.resource) || !concerns(e, e.GetNode(), f.node)
	})
	if f.count > 0 && len(list) > f.count {
		list = list[len(list)-f.count:]
	}
	return list
}

// concerns tells whether an event is about a name, or mentions it: a change of
// the configuration may be about several.
func concerns(e *pb.Event, about, name string) bool {
	if name == "" || about == name {
		return true
	}
	return about == "" && slices.Contains(strings.FieldsFunc(e.GetText(), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}), name)
}

// followEvents prints events as they come, each once, until ctx ends or the
// agent does.
func (a *app) followEvents(ctx context.Context, f filter, list []*pb.Event) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.count = 0
	show := func(list []*pb.Event) {
		for _, e := range list {
			f.after = max(f.after, e.GetId())
			if err := a.printEach(e, func(w io.Writer) error {
				return render.Events(w, []*pb.Event{e}, a.now(), a.palette())
			}); err != nil {
				cancel(err)
				return
			}
		}
	}
	show(list)
	err := a.followOnce(ctx, func(r *pb.GetResponse) { show(f.apply(r.GetState().GetEvents())) })
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil {
		return nil // interrupted, as is meant
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the agent has ended")
	}
	return err
}
