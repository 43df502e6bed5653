package cib

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

// A SupposeError names what is wrong with a supposition.
type SupposeError struct {
	Field   string // of the WhatIf: node-down, fail, quorum, …
	Problem string
}

func (e *SupposeError) Error() string { return e.Field + ": " + e.Problem }

// Suppose changes an input to what it would be if things were otherwise, in the
// order of the fields of w. An error is a *[SupposeError].
func Suppose(in *engine.Input, w *pb.WhatIf) error {
	for _, name := range slices.Sorted(maps.Keys(w.GetSet())) {
		supposeOption(in, name, w.GetSet()[name])
	}
	for _, nodes := range []struct {
		field string
		names []string
		do    func(*engine.Node)
	}{{"node-up", w.GetNodeUp(), supposeUp}, {"node-down", w.GetNodeDown(), supposeLost}, {"standby", w.GetStandby(), supposeStandby}} {
		for _, name := range nodes.names {
			n, err := nodeNamed(in, nodes.field, name)
			if err != nil {
				return err
			}
			nodes.do(n)
		}
	}
	for _, word := range w.GetFail() {
		if err := supposeFailed(in, word); err != nil {
			return err
		}
	}
	switch q := w.GetQuorum(); q {
	case "":
	case "yes", "no":
		in.Quorate = q == "yes"
	default:
		return &SupposeError{"quorum", fmt.Sprintf("%q is neither yes nor no", q)}
	}
	return nil
}

func nodeNamed(in *engine.Input, field, name string) (*engine.Node, error) {
	i := slices.IndexFunc(in.Nodes, func(n engine.Node) bool { return strings.EqualFold(n.Name, name) })
	if i < 0 {
		return nil, &SupposeError{field, "there is no node " + name}
	}
	return &in.Nodes[i], nil
}

// supposeOption sets a cluster option, under any of its names, or takes it out.
func supposeOption(in *engine.Input, name, value string) {
	if present, ok := propertyNames[name]; ok {
		name = present
	}
	for i := range in.Properties {
		b := &in.Properties[i]
		b.Values = slices.DeleteFunc(slices.Clone(b.Values), func(v engine.Value) bool { return v.Name == name })
	}
	if value != "" {
		in.Properties = append(in.Properties, engine.Block{ID: "supposed", Score: "INFINITY", Values: []engine.Value{{Name: name, Value: value}}})
	}
}

func stateOf(n *engine.Node) *engine.NodeState {
	if n.State == nil {
		n.State = &engine.NodeState{Name: n.Name}
	}
	return n.State
}

func supposeUp(n *engine.Node) {
	s := stateOf(n)
	s.InCCM, s.Crmd, s.Join, s.Expected = "true", "online", "member", "member"
}

// supposeLost lets a node vanish without a word: what runs there is unknown.
func supposeLost(n *engine.Node) {
	s := stateOf(n)
	s.InCCM, s.Crmd, s.Join, s.Expected = "false", "offline", "down", "member"
}

func supposeStandby(n *engine.Node) {
	stateOf(n)
	setTransient(n, "standby", "on")
}

func setTransient(n *engine.Node, name, value string) {
	n.Transient = append(n.Transient, engine.Block{ID: "supposed", Score: "INFINITY", Values: []engine.Value{{Name: name, Value: value}}})
}

// supposeFailed lets a resource's monitor fail where it runs, or its start on a
// node where it does not: RESOURCE or RESOURCE@NODE.
func supposeFailed(in *engine.Input, word string) error {
	id, node, named := strings.Cut(word, "@")
	if !configured(in.Resources, baseID(id)) {
		return &SupposeError{"fail", "there is no primitive resource " + id}
	}
	runs := activeOn(in, id)
	switch {
	case named:
		n, err := nodeNamed(in, "fail", node)
		if err != nil {
			return err
		}
		failOn(in, n, id, runs[n.Name])
	case len(runs) == 0:
		return &SupposeError{"fail", id + " runs nowhere; write RESOURCE@NODE for a failed start"}
	default:
		for _, name := range slices.Sorted(maps.Keys(runs)) {
			n, _ := nodeNamed(in, "fail", name) // it runs there, so it is
			failOn(in, n, id, true)
		}
	}
	return nil
}

func configured(list []engine.Resource, id string) bool {
	return slices.ContainsFunc(list, func(r engine.Resource) bool {
		return r.Kind == engine.Primitive && r.ID == id || configured(r.Members, id)
	})
}

func baseID(id string) string {
	base, _, _ := strings.Cut(id, ":")
	return base
}

// activeOn returns the nodes that run a resource or an instance now.
func activeOn(in *engine.Input, id string) map[string]bool {
	nodes := make(map[string]bool)
	out := engine.Run(in)
	for i := range out.Instances {
		instance := &out.Instances[i]
		if instance.ID() != id && instance.Resource != id {
			continue
		}
		for _, p := range instance.Before {
			nodes[p.Node] = p.Role != "Stopped" || nodes[p.Node]
		}
	}
	maps.DeleteFunc(nodes, func(_ string, active bool) bool { return !active })
	return nodes
}

// failOn adds what a node would remember of a failure, and counts it.
func failOn(in *engine.Input, n *engine.Node, id string, runs bool) {
	stateOf(n)
	h := historyIn(n, id)
	operation, interval, expected := "start", "0", 0
	if runs {
		operation, interval = "monitor", "10000"
		for i := len(h.Ops) - 1; i >= 0; i-- {
			if op := &h.Ops[i]; op.Operation == "monitor" && op.Interval != "0" {
				interval, expected = op.Interval, expectedBy(op)
				break
			}
		}
	}
	at := strconv.FormatInt(in.Now.Unix(), 10)
	key := fmt.Sprintf("0:0:%d:00000000-0000-0000-0000-000000000000", expected)
	h.Ops = append(h.Ops, engine.HistoryOp{
		ID: h.Resource + "_last_failure_0", Key: h.Resource + "_" + operation + "_" + interval, Operation: operation, Interval: interval,
		CallID: strconv.FormatInt(newestCall(h)+1, 10), RC: "1", Status: "4", TransitionKey: key, Magic: "4:1;" + key,
		LastRun: at, LastRCChange: at, OnNode: n.Name,
	})
	suffix := h.Resource + "#" + operation + "_" + interval
	count := "1"
	if !runs {
		count = "INFINITY"
	}
	setTransient(n, "fail-count-"+suffix, count)
	setTransient(n, "last-failure-"+suffix, at)
}

// historyIn returns what a node remembers of a resource, from now on anyhow.
func historyIn(n *engine.Node, id string) *engine.History {
	for i := range n.History {
		if h := n.History[i].Resource; h == id || baseID(h) == id {
			return &n.History[i]
		}
	}
	n.History = append(n.History, engine.History{Resource: id})
	return &n.History[len(n.History)-1]
}

func newestCall(h *engine.History) int64 {
	newest := int64(0)
	for i := range h.Ops {
		if n, ok := parseInt(h.Ops[i].CallID); ok {
			newest = max(newest, n)
		}
	}
	return newest
}

// expectedBy returns the result that a monitor was expected to have: of a
// promoted instance it is not 0.
func expectedBy(op *engine.HistoryOp) int {
	parts := strings.Split(op.TransitionKey, ":")
	if len(parts) < 4 {
		return 0
	}
	n, _ := strconv.Atoi(parts[2])
	return n
}
