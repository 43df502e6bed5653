package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	"quorate/cmd/quorate/grammar"
	"quorate/cmd/quorate/render"
	pb "quorate/proto/quorate/v1"
)

// crmSimulate is the name of Pacemaker's program whose flags are understood here.
const crmSimulate = "crm_simulate"

// crmFlags are the flags of crm_simulate that this program has.
type crmFlags struct {
	live, pipe         bool
	file               string
	run, simulate      bool
	scores, quiet      bool
	up, down, failed   []string
	quorum, at         string
	dotFile, saveInput string
}

// newCrmSimulateCommand makes what the program is when called as crm_simulate.
func newCrmSimulateCommand(a *app) *cobra.Command {
	var o crmFlags
	c := &cobra.Command{
		Use:   crmSimulate,
		Short: "Show what the cluster would do, in the manner of Pacemaker's crm_simulate",
		Long: "Show what the cluster would do, with the flags of Pacemaker's crm_simulate. The live cluster\n" +
			"is Quorate's; a CIB is looked at as Pacemaker would. Nothing is changed, and no file but those\n" +
			"named. \"quorate simulate\" can do more.",
		Example:       "  crm_simulate -sL\n  crm_simulate -S -x cib.xml\n  crm_simulate -S -x cib.xml --node-fail pcmk-1",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          words(0, 0),
		RunE:          func(c *cobra.Command, _ []string) error { return a.crmSimulate(c.Context(), &o) },
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return grammar.Errorf("%v", err).With("see %q", "crm_simulate --help, or quorate simulate")
	})
	f := c.Flags()
	f.BoolVarP(&o.live, "live-check", "L", false, "look at the live cluster (Quorate's)")
	f.StringVarP(&o.file, "xml-file", "x", "", "look at the CIB in `FILE`")
	f.BoolVarP(&o.pipe, "xml-pipe", "p", false, "look at the CIB on standard input")
	f.BoolVarP(&o.run, "run", "R", false, "show what the cluster would do (always done)")
	f.BoolVarP(&o.simulate, "simulate", "S", false, "also show each step, and where everything ends")
	f.BoolVarP(&o.scores, "show-scores", "s", false, "show what each node is worth to each resource, and why")
	f.BoolVarP(&o.quiet, "quiet", "Q", false, "show only what would be done")
	f.StringArrayVarP(&o.up, "node-up", "u", nil, "`NODE` comes online")
	f.StringArrayVarP(&o.down, "node-down", "d", nil, "`NODE` leaves in good order")
	f.StringArrayVarP(&o.failed, "node-fail", "f", nil, "`NODE` vanishes")
	f.StringVarP(&o.quorum, "quorum", "q", "", "there is a quorum (`1`) or not (0)")
	f.StringVarP(&o.at, "set-datetime", "t", "", "as of `TIME`, e.g. 2026-11-25T20:00:00Z")
	f.StringVarP(&o.dotFile, "save-dotfile", "D", "", "write the plan to `FILE`, for Graphviz")
	f.StringVarP(&o.saveInput, "save-input", "I", "", "write the CIB that is looked at to `FILE`")
	return c
}

func (a *app) crmSimulate(ctx context.Context, o *crmFlags) error {
	w, err := o.whatIf()
	if err != nil {
		return err
	}
	v := &render.Simulation{Scores: o.scores, Steps: o.simulate, Quiet: o.quiet}
	if o.live {
		err = a.crmLive(ctx, o, w, v)
	} else {
		err = a.crmFile(o, w, v)
	}
	if err != nil {
		return err
	}
	if o.dotFile != "" {
		var b bytes.Buffer
		if err := errors.Join(render.DOT(&b, v.Forecast), os.WriteFile(o.dotFile, b.Bytes(), 0o644)); err != nil {
			return err
		}
	}
	return v.Write(a.out, a.options())
}

// whatIf reads what can be said in Quorate's words.
func (o *crmFlags) whatIf() (*pb.WhatIf, error) {
	sources := 0
	for _, given := range []bool{o.live, o.pipe, o.file != ""} {
		if given {
			sources++
		}
	}
	if sources != 1 {
		return nil, grammar.Errorf("say what to look at").With("write -L for the live cluster, -x FILE for a CIB or -p for one on standard input")
	}
	w := &pb.WhatIf{NodeUp: o.up, NodeDown: o.failed}
	if o.quorum != "" {
		w.Quorum = "no"
		if slices.Contains([]string{"1", "true", "yes", "on", "y"}, o.quorum) {
			w.Quorum = "yes"
		}
	}
	return w, nil
}

// crmFile looks at a CIB.
func (a *app) crmFile(o *crmFlags, w *pb.WhatIf, v *render.Simulation) error {
	source := cibSource{file: o.file, at: o.at}
	if o.pipe {
		source.file = "-"
	}
	data, file, err := a.readFile(source.file)
	if err != nil {
		return err
	}
	if o.saveInput != "" {
		if err := os.WriteFile(o.saveInput, data, 0o600); err != nil {
			return err
		}
	}
	source.file = file
	out, err := a.decide(data, source, func(in *engine.Input) error {
		if err := cib.Suppose(in, w); err != nil {
			return err
		}
		for _, name := range o.down {
			if err := cib.SupposeDown(in, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.Forecast = cib.Forecast(out)
	for _, n := range out.Nodes {
		v.Nodes = append(v.Nodes, render.NodeIs{Name: n.Name, State: n.State})
	}
	for i := range out.Instances {
		in := &out.Instances[i]
		v.Before = append(v.Before, render.PlacedAs(in.ID(), each(in.Before, func(p engine.Place) *pb.Place {
			return &pb.Place{Node: p.Node, Role: p.Role}
		}))...)
		v.NodeScores = append(v.NodeScores, render.Scored{Resource: numbered(in), Scores: cib.NodeScores(in)})
	}
	return nil
}

func numbered(in *engine.Instance) string {
	if in.Number < 0 {
		return in.Resource
	}
	return fmt.Sprintf("%s:%d", in.Resource, in.Number)
}

// crmLive looks at the live cluster.
func (a *app) crmLive(ctx context.Context, o *crmFlags, w *pb.WhatIf, v *render.Simulation) error {
	if o.at != "" || o.saveInput != "" {
		return grammar.Errorf("--set-datetime and --save-input are for a CIB").With("leave them out with -L")
	}
	w.NodeDown = append(w.NodeDown, o.down...)
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	if v.Forecast, err = a.simulate(ctx, w, nil); err != nil {
		return err
	}
	s := resp.GetState()
	for _, n := range s.GetNodes() {
		v.Nodes = append(v.Nodes, render.NodeIs{Name: n.GetName(), State: liveState(n)})
	}
	for _, in := range s.GetInstances() {
		switch in.GetState() {
		case pb.InstanceState_INSTANCE_STATE_RUNNING, pb.InstanceState_INSTANCE_STATE_FAILED:
			v.Before = append(v.Before, render.PlacedAs(in.GetResource(), []*pb.Place{{Node: state.NodeName(s, in.GetNode()), Role: "Started"}})...)
		default:
		}
	}
	for _, p := range v.Forecast.GetPlacements() {
		v.NodeScores = append(v.NodeScores, render.Scored{Resource: p.GetResource(), Scores: p.GetScores()})
	}
	return nil
}

func liveState(n *pb.Node) string {
	switch {
	case n.GetAdmission() != pb.Admission_ADMISSION_ADMITTED:
		return "offline"
	case n.GetStandby() || n.GetStopped():
		return "standby"
	case n.GetMaintenance():
		return "maintenance"
	}
	return "online"
}
