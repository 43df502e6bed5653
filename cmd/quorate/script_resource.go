package main

import (
	"cmp"
	"context"
	"fmt"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var resourceOptions = options{
	{names: []string{"resource", "r"}, value: true},
	{names: []string{"locate", "W"}},
	{names: []string{"list-raw", "l"}},
	{names: []string{"get-parameter", "g"}, value: true},
	{names: []string{"set-parameter", "p"}, value: true},
	{names: []string{"delete-parameter", "d"}, value: true},
	{names: []string{"parameter-value", "v"}, value: true},
	{names: []string{"utilization", "z"}},
	{names: []string{"meta", "m"}},
	{names: []string{"cleanup", "C"}},
	{names: []string{"refresh", "R"}},
	{names: []string{"node", "N", "H", "host-uname"}, value: true},
	{names: []string{"quiet", "Q", "q"}},
	{names: []string{"force", "f"}, ignored: true},
	{names: []string{"verbose", "V"}, ignored: true},
}

// crmResource tells where a resource runs, and tells or changes one value of it:
// a parameter, a meta attribute or what it uses of a node.
func (a *app) crmResource(ctx context.Context, g *given) error {
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	s := resp.GetState()
	if g.has("list-raw") {
		for _, r := range s.GetResources() {
			fmt.Fprintln(a.out, r.GetId())
		}
		return nil
	}
	r := state.ResourceByID(s, cmp.Or(g.last("resource"), a.scriptResource()))
	if r == nil {
		return noSuch("there is no resource %q", g.last("resource"))
	}
	switch {
	case g.has("locate"):
		return a.locate(s, r, g.has("quiet"))
	case g.has("get-parameter"):
		value, set := valuesOf(r, g)[g.last("get-parameter")]
		if !set {
			return noSuch("%s has no %s", r.GetId(), g.last("get-parameter"))
		}
		_, err := fmt.Fprintln(a.out, value)
		return err
	case g.has("set-parameter"), g.has("delete-parameter"):
		return a.setValue(ctx, r, g)
	case g.has("cleanup"), g.has("refresh"):
		_, err := a.request(ctx, &pb.ChangeRequest{Force: true, Edits: []*pb.Edit{{Kind: &pb.Edit_Cleanup{Cleanup: &pb.Cleanup{Resource: r.GetId(), Node: g.last("node")}}}}})
		return err
	}
	return scriptError{badUsage("nothing is asked for that is there in this version").With("give --locate, --get-parameter, --set-parameter, --delete-parameter, --cleanup or --refresh"), exitUsage}
}

// locate tells where a resource runs.
func (a *app) locate(s *pb.State, r *pb.Resource, quiet bool) error {
	found := false
	for _, n := range s.GetNodes() {
		if state.InstanceOf(s, r.GetId(), n.GetId()).GetState() != pb.InstanceState_INSTANCE_STATE_RUNNING {
			continue
		}
		found = true
		if quiet {
			fmt.Fprintln(a.out, n.GetName())
		} else {
			promoted := ""
			if state.InstanceOf(s, r.GetId(), n.GetId()).GetPromoted() {
				promoted = " Promoted"
			}
			fmt.Fprintf(a.out, "resource %s is running on: %s%s\n", r.GetId(), n.GetName(), promoted)
		}
	}
	if !found {
		fmt.Fprintf(a.err, "resource %s is NOT running\n", r.GetId())
	}
	return nil
}

// valuesOf returns the values of a resource that a call is about.
func valuesOf(r *pb.Resource, g *given) map[string]string {
	switch {
	case g.has("utilization"):
		return r.GetUtilization()
	case g.has("meta"):
		return r.GetMeta()
	}
	return r.GetParameters()
}

// setValue changes one value, if that is a change.
func (a *app) setValue(ctx context.Context, r *pb.Resource, g *given) error {
	name, value := cmp.Or(g.last("set-parameter"), g.last("delete-parameter")), g.last("parameter-value")
	gone := g.has("delete-parameter")
	old, set := valuesOf(r, g)[name]
	if set != gone && old == value || gone && !set {
		return nil
	}
	u := &pb.UpdateResource{Id: r.GetId()}
	switch one := map[string]string{name: value}; {
	case g.has("utilization"):
		if gone {
			one[name] = ""
		}
		u.SetUtilization = one
	case g.has("meta") && gone:
		u.UnsetMeta = []string{name}
	case g.has("meta"):
		u.SetMeta = one
	case gone:
		u.UnsetParameters = []string{name}
	default:
		u.SetParameters = one
	}
	_, err := a.request(ctx, &pb.ChangeRequest{Force: true, Edits: []*pb.Edit{{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}}})
	return err
}
