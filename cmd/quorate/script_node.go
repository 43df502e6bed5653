package main

import (
	"context"
	"fmt"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var nodeOptions = options{
	{names: []string{"name", "n"}},
	{names: []string{"name-for-id", "N"}, value: true},
	{names: []string{"cluster-id", "i"}},
	{names: []string{"list", "l"}},
	{names: []string{"partition", "p"}},
	{names: []string{"quorum", "q"}},
	{names: []string{"quiet", "Q"}, ignored: true},
	{names: []string{"verbose", "V"}, ignored: true},
}

// crmNode tells the names of nodes, who is there, and whether there is a quorum.
func (a *app) crmNode(ctx context.Context, g *given) error {
	if name := a.scriptNode(); g.has("name") && name != "" {
		_, err := fmt.Fprintln(a.out, name)
		return err
	}
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	switch {
	case g.has("name"):
		fmt.Fprintln(a.out, resp.GetNodeName())
	case g.has("name-for-id"):
		n := state.NodeByID(resp.GetState(), g.last("name-for-id"))
		if n == nil {
			return noSuch("there is no node with the id %q", g.last("name-for-id"))
		}
		fmt.Fprintln(a.out, n.GetName())
	case g.has("cluster-id"):
		fmt.Fprintln(a.out, resp.GetNode())
	case g.has("list"):
		for _, n := range resp.GetState().GetNodes() {
			fmt.Fprintf(a.out, "%s %s %s\n", n.GetId(), n.GetName(), presence(n))
		}
	case g.has("partition"):
		var names []string
		for _, n := range resp.GetState().GetNodes() {
			if presence(n) == memberWord {
				names = append(names, n.GetName())
			}
		}
		fmt.Fprintln(a.out, strings.Join(names, " "))
	case g.has("quorum"):
		fmt.Fprintln(a.out, map[bool]string{true: "1", false: "0"}[resp.GetQuorate()])
	default:
		return scriptError{badUsage("nothing is asked for").With("give -n, -N, -i, -l, -p or -q"), exitUsage}
	}
	return nil
}

// memberWord is what Pacemaker's command calls a node that is there.
const memberWord = "member"

func presence(n *pb.Node) string {
	if n.GetAdmission() == pb.Admission_ADMISSION_ADMITTED {
		return memberWord
	}
	return "lost"
}
