package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What a live cluster carries out comes to an end: where everything runs where it
// belongs, it belongs there, mostly at once, always after a few rounds.
func TestQuietPlacementComesToRest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawLive(rt)
		var rounds []string
		for len(rounds) < 2 || rounds[len(rounds)-1] != rounds[len(rounds)-2] {
			list := Weigh(in).Place(nil)
			rounds = append(rounds, nodesOf(in, list))
			if len(rounds) > 5 {
				rt.Fatalf("no rest: %s\n%s", strings.Join(rounds, "\n"), describe(in))
			}
			settle(in, list)
		}
	})
}

// drawLive draws what a live cluster can say.
func drawLive(t *rapid.T) *Input {
	in := drawInput(t)
	in.Quiet, in.Quorate = true, true
	in.Properties[0].Values[0].Value = "false"
	in.Resources = in.Resources[1:]
	for i := range in.Resources {
		makeLive(&in.Resources[i])
	}
	runs := make(map[string]bool) // what runs on a node already, of what may run on one only
	for i := range in.Nodes {
		n := &in.Nodes[i]
		n.State = &NodeState{Name: n.Name, InCCM: "true", Crmd: "online", Join: "member", Expected: "member"}
		n.Transient = nil
		n.Attributes[0].Values[1].Value = "off" // what a live cluster leaves alone, it says of each resource
		var list []History
		for _, h := range n.History {
			started := len(h.Ops) > 0 && h.Ops[len(h.Ops)-1].Operation == "start"
			if started && (cloned(in.Resources, h.Resource) || !runs[h.Resource]) {
				runs[h.Resource] = true
				list = append(list, History{Resource: h.Resource, Active: true})
			}
		}
		n.History = list
	}
	for i := range in.Locations {
		in.Locations[i].Role = ""
		for k := range in.Locations[i].Rules {
			in.Locations[i].Rules[k].Role = ""
		}
	}
	in.Colocations = slices.DeleteFunc(in.Colocations, func(c Colocation) bool { return !goesDown(in, &c) })
	for i := range in.Colocations {
		in.Colocations[i].DependentRole, in.Colocations[i].PrimaryRole = "", ""
	}
	return in
}

// makeLive takes from a resource what live clusters refuse.
func makeLive(r *Resource) {
	if r.Kind == Clone {
		for i, v := range r.Meta[0].Values {
			switch v.Name {
			case "globally-unique", "promotable":
				r.Meta[0].Values[i].Value = "false"
			case "clone-node-max":
				r.Meta[0].Values[i].Value = "1"
			}
		}
	}
	for i := range r.Members {
		makeLive(&r.Members[i])
	}
	r.Operations = nil
	if r.Kind == Primitive {
		r.Meta[0].Values = slices.DeleteFunc(r.Meta[0].Values, func(v Value) bool { return v.Name == "multiple-active" })
	}
}

// goesDown reports whether a colocation is one of a resource with an earlier one,
// so that they form no circles: those a live cluster takes apart itself.
func goesDown(in *Input, c *Colocation) bool {
	chain := []string{c.Dependent, c.Primary}
	for _, set := range c.Sets { // each of a set with the one before it
		chain = slices.Clone(set.Resources)
		slices.Reverse(chain)
	}
	at := len(in.Resources)
	for _, id := range chain {
		i := slices.IndexFunc(in.Resources, func(r Resource) bool { return holds(&r, id) })
		if id != "" && (i < 0 || i >= at) {
			return false
		}
		if id != "" {
			at = i
		}
	}
	return true
}

func cloned(list []Resource, id string) bool {
	return slices.ContainsFunc(list, func(r Resource) bool { return r.Kind == Clone && holds(&r, id) })
}

func holds(r *Resource, id string) bool {
	return r.ID == id || slices.ContainsFunc(r.Members, func(m Resource) bool { return holds(&m, id) })
}

// describe prints what matters of a drawn input.
func describe(in *Input) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v\n", in.Properties[0].Values, in.ResourceDefaults[0].Values)
	for _, n := range in.Nodes {
		fmt.Fprintf(&b, "%s %v %v runs", n.Name, n.Attributes[0].Values, n.Utilization[0].Values)
		for _, h := range n.History {
			fmt.Fprintf(&b, " %s", h.Resource)
		}
		b.WriteString("\n")
	}
	for _, r := range in.Resources {
		fmt.Fprintf(&b, "%+v\n", r)
	}
	for _, l := range in.Locations {
		fmt.Fprintf(&b, "%+v\n", l)
	}
	for _, c := range in.Colocations {
		fmt.Fprintf(&b, "%+v\n", c)
	}
	return b.String()
}

// settle lets everything run where it belongs.
func settle(in *Input, list []Placed) {
	for i := range in.Nodes {
		in.Nodes[i].History = nil
	}
	for i := range list {
		if p := &list[i]; p.Node >= 0 {
			n := &in.Nodes[p.Node]
			n.History = append(n.History, History{Resource: p.Resource, Active: true})
		}
	}
}

// nodesOf prints on which nodes there is an instance of what.
func nodesOf(in *Input, list []Placed) string {
	var texts []string
	for i := range list {
		if list[i].Node >= 0 {
			texts = append(texts, list[i].Resource+" "+in.Nodes[list[i].Node].Name)
		}
	}
	slices.Sort(texts)
	return strings.Join(texts, ", ")
}
