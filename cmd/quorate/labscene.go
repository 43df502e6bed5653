package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"quorate/cmd/quorate/grammar"
	"quorate/deploy/lab"
)

func newLabSceneCommand(a *app) *cobra.Command {
	var f labFlags
	var p lab.Play
	var names []string
	var list strings.Builder
	for _, s := range lab.Scenes {
		names = append(names, s.Name)
		fmt.Fprintf(&list, "\n  %-12s %s", s.Name, s.Summary)
	}
	c := &cobra.Command{
		Use:   "scene NAME...",
		Short: "Build what a tutorial builds, break it and measure",
		Long: "Build what a tutorial builds in a lab of its own, in an emulated machine with IPVS,\n" +
			"break it, measure, and fail if a promise is not kept. The scenes are:\n" + list.String() + "\n\n" +
			"Requests are those of ab (apache2-utils).",
		Example:   "lab scene ldirectord\nlab scene connections --connections 200 -o json",
		Args:      words(1, -1),
		ValidArgs: names,
		RunE: func(c *cobra.Command, words []string) error {
			p.Scenes, p.JSON = nil, a.output == "json"
			for _, word := range words {
				s, err := lab.FindScene(word)
				if err != nil {
					return grammar.Errorf("%v", err)
				}
				p.Scenes = append(p.Scenes, s)
			}
			if lab.InMachine() {
				return p.Run(c.Context(), a.out, a.err)
			}
			return f.playInMachine(c.Context())
		},
	}
	f.addKernel(c)
	flags := c.Flags()
	flags.IntVar(&p.Requests, "requests", 20000, "`N` of a benchmark")
	flags.IntVar(&p.Concurrency, "concurrency", 100, "`N` of them at a time")
	flags.BoolVar(&p.Brief, "brief", false, "leave out what only tells figures")
	flags.IntVar(&p.Connections, "connections", 200, "`N` that are open when a director fails")
	return c
}

// playInMachine boots a machine for this command alone, and has it run there.
func (f *labFlags) playInMachine(ctx context.Context) (err error) {
	m, err := f.boot(ctx, fmt.Sprintf("scene-%d", os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Down(context.WithoutCancel(ctx))) }()
	return labExit(m.Quorate(ctx, os.Args[1:]))
}
