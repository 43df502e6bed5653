package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPlansComeToAnEnd: a few finished plans lead to a state that needs no other.
// It may take more than one: what may start only when something else has stopped
// for good is for the next plan. Where people leave parts of a cluster unmanaged,
// or resources like no place better than another, Pacemaker may go round in a
// circle, and where they want two things apart and together, or clones beside what
// must not run beside them; so those are left out.
func TestPlansComeToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := tame(drawInput(t))
		var history []string
		for range 4 {
			out := Run(in)
			if !changes(out) {
				return
			}
			history = append(history, fmt.Sprintf("%+v\n%s", out.Actions, stepsText(out)))
			in = finish(in, out)
		}
		t.Fatalf("the plans come to no end:\n%s", strings.Join(history, "\n"))
	})
}

// tame makes an input one that people would want.
func tame(in *Input) *Input {
	in.Quorate = true
	in.ResourceDefaults[0].Values[0].Value = "1000"
	for i := range in.Resources {
		if r := &in.Resources[i]; r.Kind == Clone {
			in.Resources[i] = r.Members[0]
		}
		manage(&in.Resources[i])
	}
	in.Colocations = slices.DeleteFunc(in.Colocations, func(c Colocation) bool {
		return strings.HasPrefix(c.Score, "-") || c.Dependent == c.Primary || c.DependentRole+c.PrimaryRole != "" || len(c.Sets) > 0
	})
	in.Orders = slices.DeleteFunc(in.Orders, func(o Order) bool {
		return len(o.Sets) > 0 || o.FirstAction != "" || strings.Trim(o.First, "grab") >= strings.Trim(o.Then, "grab") // circles
	})
	active := make(map[string]bool)
	for i := range in.Nodes {
		n := &in.Nodes[i]
		n.Attributes[0].Values[1].Value = "off" // maintenance
		if n.State.Join == "pending" {
			n.State.Join, n.State.Expected = "member", "member"
		}
		n.History = slices.DeleteFunc(n.History, func(h History) bool {
			last := h.Ops[len(h.Ops)-1]
			if last.Operation == "monitor" && last.RC == "7" && last.Interval == "0" {
				return false
			}
			was := active[h.Resource]
			active[h.Resource] = true
			return was || last.RC != "0"
		})
	}
	return in
}

func manage(r *Resource) {
	for _, b := range r.Meta {
		for i := range b.Values {
			switch b.Values[i].Name {
			case "is-managed", "collocated", "ordered":
				b.Values[i].Value = "true"
			}
		}
	}
	for i := range r.Members {
		manage(&r.Members[i])
	}
}

func changes(out *Outcome) bool {
	return slices.ContainsFunc(out.Actions, func(a Action) bool { return !a.Blocked })
}

// finish returns an input as it is once a plan is done, all its steps with
// success: each node remembers what then runs there, and that the rest does not.
func finish(in *Input, out *Outcome) *Input {
	done := *in
	done.Nodes = slices.Clone(in.Nodes)
	for i := range done.Nodes {
		n := &done.Nodes[i]
		if slices.ContainsFunc(out.Fenced, func(f Fencing) bool { return f.Node == n.Name }) || slices.ContainsFunc(out.Steps, func(s Step) bool { return s.Operation == "do_shutdown" && s.Node == n.Name }) {
			n.State = &NodeState{Name: n.Name, Position: n.State.Position, InCCM: "false", Crmd: "offline", Join: "down", Expected: "down"}
			n.History, n.Transient = nil, nil
			continue
		}
		if n.State.Crmd == "online" && n.State.Join == "member" {
			n.History = histories(n.Name, out)
		}
	}
	return &done
}

func histories(node string, out *Outcome) []History {
	var list []History
	for _, in := range out.Instances {
		id := in.Resource
		if in.Unique && in.Number >= 0 {
			id += ":" + strconv.Itoa(in.Number)
		}
		k := slices.IndexFunc(in.After, func(p Place) bool { return p.Node == node })
		h := History{Resource: id, Class: "ocf", Provider: "heartbeat", Type: "Dummy"}
		if in.Resource == "fencing" {
			h.Class, h.Provider, h.Type = "stonith", "", "dummy"
		}
		switch {
		case k < 0 && slices.ContainsFunc(list, func(have History) bool { return have.Resource == id }):
			continue
		case k < 0:
			h.Ops = ops(id, node, "monitor", "7")
		case in.After[k].Role == "Promoted":
			h.Ops = append(ops(id, node, "start", "0"), ops(id, node, "promote", "0")...)
			h.Ops[1].CallID, h.Ops[1].ID = "2", id+"_promote_0"
		default:
			h.Ops = ops(id, node, "start", "0")
		}
		list = slices.DeleteFunc(list, func(have History) bool { return have.Resource == id })
		list = append(list, h)
	}
	return list
}

func ops(id, node, operation, rc string) []HistoryOp {
	return []HistoryOp{{
		ID: id + "_last_0", Key: id + "_" + operation + "_0", Operation: operation, Interval: "0", CallID: "1", RC: rc, Status: "0",
		TransitionKey: "1:1:" + rc + ":x", Magic: "0:" + rc + ";1:1:" + rc + ":x", OnNode: node, Digest: digestOf(nil),
	}}
}
