package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// parse reads a cluster in the notation of the tables, a line each:
//
//	nodes n1 n2=standby n3=offline n4=lost  the nodes; none is probed unless said
//	set no-quorum-policy=freeze             cluster options; quorum=false: there is none
//	a on n1                                 a primitive that runs there; failed, promoted, stuck n1 likewise
//	a priority=5 memory=10                  its options; memory is utilization
//	group g a b, clone c g interleave=true  what was written before goes inside
//	a prefers n1 100 [Promoted]             constraints
//	a with b INFINITY [Started Promoted]
//	a then b Optional
//	score a n1 10                           a promotion score
//	attr n1 rack=x                          a node attribute; memory is utilization
func parse(t *testing.T, text string) *Input {
	t.Helper()
	p := &parser{t: t, in: &Input{Now: time.Unix(1_700_000_000, 0), Quorate: true, Properties: []Block{{ID: "options", Values: []Value{{"stonith-enabled", "false"}}}}}}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if words := strings.Fields(line); len(words) > 0 {
			p.line(words)
		}
	}
	return p.in
}

type parser struct {
	t  *testing.T
	in *Input
}

func (p *parser) line(w []string) {
	switch {
	case w[0] == "nodes":
		for i, word := range w[1:] {
			p.addNode(i, word)
		}
	case w[0] == "set":
		p.set(w[1:])
	case w[0] == "attr":
		p.attribute(p.node(w[1]), w[2])
	case w[0] == "score":
		n := p.node(w[2])
		n.Attributes = append(n.Attributes, Block{ID: "score-" + w[1], Values: []Value{{"master-" + w[1], w[3]}}})
	case w[0] == "group" || w[0] == "clone":
		p.wrap(w)
	case len(w) > 2 && w[1] == "prefers":
		l := Location{ID: fmt.Sprintf("location-%d", len(p.in.Locations)+1), Resource: w[0], Node: w[2], Score: w[3]}
		if len(w) > 4 {
			l.Role = w[4]
		}
		p.in.Locations = append(p.in.Locations, l)
	case len(w) > 2 && w[1] == "with":
		c := Colocation{ID: fmt.Sprintf("colocation-%d", len(p.in.Colocations)+1), Dependent: w[0], Primary: w[2], Score: w[3]}
		if len(w) > 5 {
			c.DependentRole, c.PrimaryRole = w[4], w[5]
		}
		p.in.Colocations = append(p.in.Colocations, c)
	case len(w) > 2 && w[1] == "then":
		o := Order{ID: fmt.Sprintf("order-%d", len(p.in.Orders)+1), First: w[0], Then: w[2]}
		if len(w) > 3 {
			o.Kind = w[3]
		}
		p.in.Orders = append(p.in.Orders, o)
	default:
		p.primitive(w)
	}
}

func (p *parser) addNode(i int, word string) {
	name, state, _ := strings.Cut(word, "=")
	n := Node{ID: fmt.Sprint(i + 1), Name: name, State: &NodeState{Name: name, Position: i, InCCM: "true", Crmd: "online", Join: "member", Expected: "member"}}
	switch state {
	case "offline":
		n.State = &NodeState{Name: name, Position: i, InCCM: "false", Crmd: "offline", Join: "down", Expected: "down"}
	case "lost":
		n.State.InCCM, n.State.Crmd = "false", "offline"
	case "standby", "maintenance":
		n.Attributes = append(n.Attributes, Block{ID: "state", Values: []Value{{state, "true"}}})
	}
	p.in.Nodes = append(p.in.Nodes, n)
}

func (p *parser) set(words []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		if name == "quorum" {
			p.in.Quorate = value == "true"
			continue
		}
		options := &p.in.Properties[0]
		options.Values = append([]Value{{name, value}}, options.Values...)
	}
}

func (p *parser) node(name string) *Node {
	i := slices.IndexFunc(p.in.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		p.t.Fatalf("no node %s", name)
	}
	return &p.in.Nodes[i]
}

func (p *parser) attribute(n *Node, word string) {
	name, value, _ := strings.Cut(word, "=")
	block := Block{ID: name, Values: []Value{{name, value}}}
	if name == "memory" {
		n.Utilization = append(n.Utilization, block)
		return
	}
	n.Attributes = append(n.Attributes, block)
}

// wrap puts the resources named last inside a group or clone.
func (p *parser) wrap(w []string) {
	r := Resource{ID: w[1], Kind: Group}
	if w[0] == "clone" {
		r.Kind = Clone
	}
	for _, word := range w[2:] {
		if name, value, ok := strings.Cut(word, "="); ok {
			r.Meta = append(r.Meta, Block{ID: name, Values: []Value{{name, value}}})
			continue
		}
		i := slices.IndexFunc(p.in.Resources, func(r Resource) bool { return r.ID == word })
		r.Members = append(r.Members, p.in.Resources[i])
		p.in.Resources = slices.Delete(p.in.Resources, i, i+1)
	}
	p.in.Resources = append(p.in.Resources, r)
}

func (p *parser) primitive(w []string) {
	r := Resource{ID: w[0], Class: "ocf", Provider: "heartbeat", Type: "Dummy"}
	if strings.HasPrefix(r.ID, "fence") {
		r.Class, r.Provider = "stonith", ""
	}
	known := make(map[string]string) // by node
	for i := 1; i < len(w); i++ {
		if name, value, ok := strings.Cut(w[i], "="); ok {
			block := Block{ID: name, Values: []Value{{name, value}}}
			if name == "memory" {
				r.Utilization = append(r.Utilization, block)
			} else {
				r.Meta = append(r.Meta, block)
			}
			continue
		}
		known[w[i+1]] = w[i]
		i++
	}
	for i := range p.in.Nodes {
		p.remember(&p.in.Nodes[i], &r, known[p.in.Nodes[i].Name])
	}
	p.in.Resources = append(p.in.Resources, r)
}

func (p *parser) remember(n *Node, r *Resource, how string) {
	h := History{Resource: r.ID, Class: r.Class, Provider: r.Provider, Type: r.Type}
	switch how {
	case "":
		h.Ops = ops(r.ID, n.Name, "monitor", "7")
	case "on":
		h.Ops = ops(r.ID, n.Name, "start", "0")
	case "promoted":
		h.Ops = ops(r.ID, n.Name, "promote", "0")
	case "failed":
		h.Ops = append(ops(r.ID, n.Name, "start", "0"), ops(r.ID, n.Name, "monitor", "1")...)
		h.Ops[1].ID, h.Ops[1].CallID, h.Ops[1].Interval, h.Ops[1].TransitionKey = r.ID+"_last_failure_0", "2", "10000", "1:1:0:x"
		h.Ops[1].Digest = ""
	case "stuck":
		h.Ops = ops(r.ID, n.Name, "stop", "1")
		h.Ops[0].TransitionKey = "1:1:0:x"
	default:
		p.t.Fatalf("%s %s %s", r.ID, how, n.Name)
	}
	n.History = append(n.History, h)
}

// summary prints what a decision does, a line each.
func summary(out *Outcome) string {
	var b strings.Builder
	for _, a := range out.Actions {
		words := []string{a.Action, a.Resource, a.Node, a.From}
		if a.To != "" && a.To != a.From {
			words = append(words, a.To)
		}
		if a.Blocked {
			words = append(words, "blocked")
		}
		fmt.Fprintln(&b, strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	}
	return b.String()
}
