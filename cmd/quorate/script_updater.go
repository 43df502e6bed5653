package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

var updaterOptions = options{
	{names: []string{"name", "n"}, value: true},
	{names: []string{"update", "U", "v"}, value: true},
	{names: []string{"update-both", "B"}, value: true},
	{names: []string{"update-delay", "Y"}},
	{names: []string{"query", "Q"}},
	{names: []string{"delete", "D"}},
	{names: []string{"refresh", "R"}},
	{names: []string{"all", "A"}},
	{names: []string{"quiet", "q"}},
	{names: []string{"node", "N"}, value: true},
	{names: []string{"delay", "d"}, value: true},
	{names: []string{"private", "p"}, ignored: true}, // all that is transient is in the state, and nowhere else
	{names: []string{"section", "S"}, value: true, ignored: true},
	{names: []string{"set", "s"}, value: true, ignored: true},
	{names: []string{"lifetime", "l"}, value: true, ignored: true},
	{names: []string{"verbose", "V"}, ignored: true},
}

// attrdUpdater sets or tells a transient attribute.
func (a *app) attrdUpdater(ctx context.Context, g *given) error {
	switch {
	case g.has("refresh"), g.has("update-delay") && !g.has("update"):
		return nil // nothing is kept back, and a delay is that of one update
	case g.has("query"):
		return a.queryTransient(ctx, g)
	}
	c := attributeCall{name: g.last("name"), node: g.last("node"), of: ofTransient}
	for _, option := range []string{"update", "update-both"} {
		if g.has(option) {
			value := g.last(option)
			c.value = &value
		}
	}
	if g.has("delete") {
		c.value = new(string)
	}
	if c.value == nil {
		return scriptError{badUsage("nothing is asked for").With("give --update, --delete or --query"), exitUsage}
	}
	var err error
	if g.has("delay") {
		c.dampen, err = parseDelay(g.last("delay"))
	}
	if err != nil {
		return err
	}
	return a.attribute(ctx, c)
}

// queryTransient tells an attribute of one node or of all.
func (a *app) queryTransient(ctx context.Context, g *given) error {
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	name, found := g.last("name"), false
	for _, n := range resp.GetState().GetNodes() {
		value, set := n.GetTransient()[name]
		if !set || !g.has("all") && n.GetName() != a.nodeOf(resp, g.last("node")) {
			continue
		}
		found = true
		if g.has("quiet") {
			fmt.Fprintln(a.out, value)
		} else {
			fmt.Fprintf(a.out, "name=%q host=%q value=%q\n", name, n.GetName(), value)
		}
	}
	if !found {
		return noSuch("%s is not set", name)
	}
	return nil
}

var standbyOptions = options{
	updateOption, queryOption, deleteOption, quietOption, whereOption, lifeOption,
	{names: []string{"verbose", "V"}, ignored: true},
}

// crmStandby lets a node host nothing, or says whether it does. It is so until
// somebody says otherwise, whatever lifetime is given.
func (a *app) crmStandby(ctx context.Context, g *given) error {
	resp, err := a.member(ctx)
	if err != nil {
		return err
	}
	n := state.NodeByName(resp.GetState(), a.nodeOf(resp, g.last("node")))
	if n == nil {
		return noSuch("there is no node %q", g.last("node"))
	}
	if !g.has("update") && !g.has("delete") {
		word := map[bool]string{true: "on", false: "off"}[n.GetStandby()]
		if !g.has("quiet") {
			word = "scope=nodes  name=standby value=" + word
		}
		fmt.Fprintln(a.out, word)
		return nil
	}
	on := slices.Contains([]string{"on", "true", "yes", "y", "1"}, strings.ToLower(g.last("update")))
	if on == n.GetStandby() {
		return nil
	}
	return a.updateNode(ctx, &pb.UpdateNode{Name: n.GetName(), Standby: &on})
}
