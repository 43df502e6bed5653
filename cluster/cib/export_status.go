package cib

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// status writes which nodes are there and what they run, so that Pacemaker's
// simulator has something to start from.
func (x *exporter) status() *element {
	section := node("status")
	for _, n := range x.state.Nodes {
		if n.Role == pb.Role_ROLE_WITNESS {
			continue
		}
		e := node("node_state", "id", n.Id, "uname", n.Name, "crm-debug-origin", "quorate")
		if n.Admission != pb.Admission_ADMISSION_ADMITTED {
			section.add(e.with("in_ccm", "false", "crmd", "offline", "join", "down", "expected", "down"))
			continue
		}
		e.with("in_ccm", "true", "crmd", "online", "join", "member", "expected", "member")
		section.add(e.add(x.transient(n), x.history(n)))
	}
	return section
}

func (e *element) with(attrs ...string) *element {
	for i := 0; i+1 < len(attrs); i += 2 {
		e.set(attrs[i], attrs[i+1])
	}
	return e
}

// transient writes what programs say of a node, and how often resources failed there.
func (x *exporter) transient(n *pb.Node) *element {
	values := make(map[string]string, len(n.Transient))
	maps.Copy(values, n.Transient)
	for _, in := range x.state.Instances {
		if in.Node != n.Id || in.FailCount == 0 || !x.written[in.Resource] {
			continue
		}
		interval := monitorOf(state.ResourceByID(x.state, in.Resource)).GetInterval().AsDuration()
		suffix := fmt.Sprintf("%s#monitor_%d", in.Resource, interval.Milliseconds())
		values["fail-count-"+suffix] = state.FormatScore(int64(in.FailCount))
		if in.LastFailure != nil {
			values["last-failure-"+suffix] = strconv.FormatInt(in.LastFailure.AsTime().Unix(), 10)
		}
	}
	set := x.pairs("instance_attributes", "status-"+n.Name, values)
	if set == nil {
		return nil
	}
	return node("transient_attributes", "id", n.Id).add(set)
}

func (x *exporter) history(n *pb.Node) *element {
	list := node("lrm_resources")
	for _, in := range x.state.Instances {
		if in.Node == n.Id && x.written[in.Resource] {
			list.add(x.resourceHistory(n, in))
		}
	}
	return node("lrm", "id", n.Id).add(list)
}

// What an operation's results are called in a history.
const (
	resultOK       = 0
	resultError    = 1
	resultStopped  = 7
	resultPromoted = 8
)

// resourceHistory writes what is known of a resource on a node as operations
// that would have led to it; nil: nothing is known.
func (x *exporter) resourceHistory(n *pb.Node, in *pb.Instance) *element {
	r := state.ResourceByID(x.state, in.Resource)
	class, provider, kind, _ := x.agent(r.Agent)
	e := node("lrm_resource", "id", r.Id, "class", class, "provider", provider, "type", kind)
	h := &historyWriter{resource: r, node: n, since: in.Since.AsTime(), timeout: x.state.OperationDefaults["timeout"]}
	switch in.State {
	case pb.InstanceState_INSTANCE_STATE_STOPPED:
		return e.add(h.op("last_0", "monitor", 0, resultStopped, resultStopped))
	case pb.InstanceState_INSTANCE_STATE_RUNNING, pb.InstanceState_INSTANCE_STATE_FAILED, pb.InstanceState_INSTANCE_STATE_BLOCKED:
		e.add(h.op("last_0", "start", 0, resultOK, resultOK))
	default:
		return nil
	}
	found := resultOK
	if in.Promoted {
		e.add(h.op("last_promote_0", "promote", 0, resultOK, resultOK))
		found = resultPromoted
	}
	monitor := monitorOf(r)
	if monitor != nil {
		interval := monitor.Interval.AsDuration()
		e.add(h.op(fmt.Sprintf("monitor_%d", interval.Milliseconds()), "monitor", interval, found, found))
	}
	switch in.State {
	case pb.InstanceState_INSTANCE_STATE_FAILED:
		e.add(h.op("last_failure_0", "monitor", monitor.GetInterval().AsDuration(), resultError, found))
	case pb.InstanceState_INSTANCE_STATE_BLOCKED:
		e.add(h.op("last_failure_0", "stop", 0, resultError, resultOK))
	default:
	}
	return e
}

// monitorOf returns a resource's first recurring monitor; nil: there is none.
func monitorOf(r *pb.Resource) *pb.OperationSpec {
	for _, op := range r.GetOperations() {
		if op.Name == "monitor" && op.Interval.AsDuration() > 0 {
			return op
		}
	}
	return nil
}

// A historyWriter writes the operations of one resource on one node.
type historyWriter struct {
	resource *pb.Resource
	node     *pb.Node
	since    time.Time
	timeout  string // by default
	calls    int
}

func (h *historyWriter) op(suffix, operation string, interval time.Duration, rc, expected int) *element {
	h.calls++
	status := 0
	if rc != expected {
		status = 4 // an error
	}
	key := fmt.Sprintf("%d:1:%d:00000000-0000-4000-8000-000000000000", h.calls, expected)
	at := ""
	if h.since.Unix() > 0 {
		at = strconv.FormatInt(h.since.Unix(), 10)
	}
	return node("lrm_rsc_op",
		"id", h.resource.Id+"_"+suffix, "operation_key", fmt.Sprintf("%s_%s_%d", h.resource.Id, operation, interval.Milliseconds()),
		"operation", operation, "crm_feature_set", "3.1.0", "transition-key", key,
		"transition-magic", fmt.Sprintf("%d:%d;%s", status, rc, key), "on_node", h.node.Name, "call-id", strconv.Itoa(h.calls),
		"rc-code", strconv.Itoa(rc), "op-status", strconv.Itoa(status), "interval", strconv.FormatInt(interval.Milliseconds(), 10),
		"last-rc-change", at, "op-digest", h.digest(operation, interval))
}

// digest is that of the parameters as they are: what runs runs with them.
func (h *historyWriter) digest(operation string, interval time.Duration) string {
	params := make(map[string]string)
	maps.Copy(params, h.resource.Parameters)
	if interval > 0 {
		timeout, err := state.ParseDuration(h.timeout)
		if err != nil {
			timeout = 20 * time.Second
		}
		for _, op := range h.resource.Operations {
			if op.Name == operation && op.Interval.AsDuration() == interval && op.Timeout.AsDuration() > 0 {
				timeout = op.Timeout.AsDuration()
			}
		}
		params["CRM_meta_timeout"] = strconv.FormatInt(timeout.Milliseconds(), 10)
	}
	return engine.Digest(params)
}
