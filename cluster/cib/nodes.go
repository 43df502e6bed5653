package cib

import (
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/scheduler/engine"
)

func parseInt(v string) (int64, bool) {
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil
}

// nodes returns the configured nodes with what the status says of them.
func (d *Document) nodes() []engine.Node {
	var nodes []engine.Node
	for e := range d.section("nodes").all("node") {
		n := engine.Node{
			ID: e.id(), Name: e.attr("uname"), Kind: e.attr("type"), Score: e.attr("score"),
			Attributes:  d.blocks(e, "instance_attributes"),
			Utilization: d.blocks(e, "utilization"),
		}
		if strings.EqualFold(n.Kind, "normal") {
			n.Kind = "member" // schema 1.x
		}
		if state := d.stateOf(e); state != nil {
			d.addState(&n, state)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// stateOf returns the recorded state of a node, by its id or else by its name.
func (d *Document) stateOf(node *element) *element {
	var byName *element
	for s := range d.root.first("status").all("node_state") {
		if id := s.id(); id != "" && strings.EqualFold(id, node.id()) {
			return s
		}
		if name := s.attr("uname"); byName == nil && name != "" && strings.EqualFold(name, node.attr("uname")) {
			byName = s
		}
	}
	return byName
}

func (d *Document) addState(n *engine.Node, e *element) {
	n.State = &engine.NodeState{
		Name: e.attr("uname"), Position: slices.Index(d.root.first("status").children, e),
		InCCM: e.attr("in_ccm"), Crmd: e.attr("crmd"),
		Join: e.attr("join"), Expected: e.attr("expected"),
		Fenced: e.attr("node_fenced"), InMaintenance: e.attr("node_in_maintenance"),
	}
	transient := e.first("transient_attributes")
	n.Transient = d.blocks(transient, "instance_attributes")
	n.Utilization = append(d.blocks(transient, "utilization"), n.Utilization...)
	remembered := e.first("lrm").first("lrm_resources")
	n.History = make([]engine.History, 0, remembered.count("lrm_resource"))
	for r := range remembered.all("lrm_resource") {
		n.History = append(n.History, history(r))
	}
}

func history(e *element) engine.History {
	h := engine.History{
		Resource: e.id(), Class: e.attr("class"), Provider: e.attr("provider"), Type: e.attr("type"),
		Container: e.attr("container"), ShutdownLock: e.attr("shutdown-lock"),
	}
	h.Ops = make([]engine.HistoryOp, 0, e.count("lrm_rsc_op"))
	for op := range e.all("lrm_rsc_op") {
		h.Ops = append(h.Ops, engine.HistoryOp{
			ID: op.id(), Key: op.attr("operation_key"), Operation: op.attr("operation"),
			Interval: op.attr("interval"), CallID: op.attr("call-id"),
			RC: op.attr("rc-code"), Status: op.attr("op-status"),
			Magic: op.attr("transition-magic"), TransitionKey: op.attr("transition-key"),
			LastRun: op.attr("last-run"), LastRCChange: op.attr("last-rc-change"),
			OnNode: op.attr("on_node"), ExitReason: op.attr("exit-reason"),
			MigrateSource: op.attr("migrate_source"), MigrateTarget: op.attr("migrate_target"),
			Digest: op.attr("op-digest"), RestartDigest: op.attr("op-restart-digest"),
			SecureDigest: op.attr("op-secure-digest"), FeatureSet: op.attr("crm_feature_set"),
			ForceRestart: op.attr("op-force-restart"), SecureParams: op.attr("op-secure-params"),
		})
	}
	return h
}
