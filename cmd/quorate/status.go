package main

import (
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

// A drawing is a way to draw a status.
type drawing func(io.Writer, *pb.GetResponse, time.Time, render.Options) error

func newStatusCommand(a *app) *cobra.Command {
	var watch, full bool
	c := &cobra.Command{
		Use:   "status [cluster | nodes | resources | quorum]",
		Short: "Show how the cluster is: trouble first",
		Long: "Show how the cluster is, as the agent on this machine knows it: problems first, then\n" +
			"nodes, resources, failures and what operators left behind. With --watch it is drawn\n" +
			"anew whenever something changes.",
		Example:   "status\nstatus --watch\nstatus nodes -o json",
		ValidArgs: []string{"cluster", "nodes", "resources", "quorum"},
		RunE: func(c *cobra.Command, what []string) error {
			draw, err := drawingOf(what)
			if err != nil {
				return err
			}
			if full {
				draw = fully(draw)
			}
			if watch {
				return a.watch(c.Context(), draw, detailOf(what, full))
			}
			return a.status(c, draw, detailOf(what, full))
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "draw it anew whenever something changes")
	c.Flags().BoolVar(&full, "full", false, "links, lease and versions, and each server, too")
	return c
}

func drawingOf(what []string) (drawing, error) {
	switch strings.Join(what, " ") {
	case "":
		return render.Status, nil
	case "cluster", "nodes":
		return render.Nodes, nil
	case "resources":
		return func(w io.Writer, r *pb.GetResponse, now time.Time, o render.Options) error {
			return render.Resources(w, r, r.GetState().GetResources(), now, o)
		}, nil
	case "quorum":
		return render.Quorum, nil
	}
	return nil, grammar.Errorf("%q is no part of the status", strings.Join(what, " ")).
		With("write cluster, nodes, resources or quorum")
}

func fully(draw drawing) drawing {
	return func(w io.Writer, r *pb.GetResponse, now time.Time, o render.Options) error {
		o.Full = true
		return draw(w, r, now, o)
	}
}

// detailOf is how much of the servers behind resources a status shows.
func detailOf(what []string, full bool) pb.ServerDetail {
	switch {
	case len(what) > 0 && what[0] != "resources":
		return pb.ServerDetail_SERVER_DETAIL_NONE
	case full:
		return pb.ServerDetail_SERVER_DETAIL_ALL
	default:
		return pb.ServerDetail_SERVER_DETAIL_SOME
	}
}

// status draws the agent's answer once.
func (a *app) status(c *cobra.Command, draw drawing, servers pb.ServerDetail) error {
	resp, err := a.getWith(c.Context(), &pb.GetRequest{Servers: servers})
	if err != nil {
		return err
	}
	return a.print(resp, func(w io.Writer) error { return draw(w, resp, a.now(), a.options()) })
}
