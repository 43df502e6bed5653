package alert

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-strftime"

	pb "quorate/proto/quorate/v1"
)

// environment is what a program is told, in Pacemaker's variables and, of what those
// cannot say, in our own. It gets nothing of the agent's environment.
func (c Call) environment() []string {
	e, kind := c.Event, KindOf(c.Event)
	at := e.GetAt().AsTime().Local()
	told := c.options()
	told["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	maps.Copy(told, map[string]string{
		"CRM_alert_kind":            kind,
		"CRM_alert_version":         c.Version,
		"CRM_alert_node":            e.GetNode(),
		"CRM_alert_node_sequence":   strconv.FormatUint(e.GetId(), 10),
		"CRM_alert_recipient":       c.Recipient.GetValue(),
		"CRM_alert_timestamp":       timestamp(c.meta("timestamp-format"), at),
		"CRM_alert_timestamp_epoch": strconv.FormatInt(at.Unix(), 10),
		"CRM_alert_timestamp_usec":  strconv.Itoa(at.Nanosecond() / 1000),
		"QUORATE_cluster":           c.Cluster,
		"QUORATE_event":             e.GetKind(),
		"QUORATE_severity":          severity(e),
		"QUORATE_text":              e.GetText(),
	})
	switch kind {
	case Node:
		maps.Copy(told, map[string]string{"CRM_alert_nodeid": c.NodeID, "CRM_alert_desc": nodeState(e)})
	case Fencing:
		maps.Copy(told, map[string]string{"CRM_alert_desc": e.GetText(), "CRM_alert_task": "off", "CRM_alert_rc": code(e)})
	case Resource:
		maps.Copy(told, operation(e))
	default:
		maps.Copy(told, map[string]string{"CRM_alert_desc": e.GetText(), "CRM_alert_rsc": e.GetResource()})
	}
	words := make([]string, 0, len(told))
	for _, name := range slices.Sorted(maps.Keys(told)) {
		words = append(words, name+"="+told[name])
	}
	return words
}

// nodeState is Pacemaker's word for what became of a node, or what else there is to say.
func nodeState(e *pb.Event) string {
	switch e.GetKind() {
	case "node-admitted":
		return "member"
	case "node-gone":
		return "lost"
	}
	return e.GetText()
}

// operation tells of a resource as if it were one operation of Pacemaker's: what is
// started again somewhere else, by its start.
func operation(e *pb.Event) map[string]string {
	told := map[string]string{
		"CRM_alert_rsc": e.GetResource(), "CRM_alert_task": task(e), "CRM_alert_rc": code(e),
		"CRM_alert_interval": "0", "CRM_alert_target_rc": "0", "CRM_alert_exec_time": "0",
		"CRM_alert_status": "0", "CRM_alert_desc": "ok",
	}
	if code(e) != "0" {
		told["CRM_alert_status"], told["CRM_alert_desc"] = "4", "error" // PCMK_EXEC_ERROR
	}
	if n := len(e.GetPhases()); n > 0 {
		told["CRM_alert_exec_time"] = strconv.FormatInt(e.GetPhases()[n-1].GetAt().AsDuration().Milliseconds(), 10)
	}
	return told
}

func task(e *pb.Event) string {
	switch op := e.GetOperation(); {
	case op == pb.OperationKind_OPERATION_KIND_PROBE:
		return "monitor"
	case op != pb.OperationKind_OPERATION_KIND_UNSPECIFIED:
		return strings.ToLower(strings.TrimPrefix(op.String(), "OPERATION_KIND_"))
	case e.GetKind() == "stop":
		return "stop"
	case slices.Contains(arrivals, e.GetKind()):
		return "start"
	}
	return "monitor"
}

// arrivals are the events of a resource that has come to a node.
var arrivals = []string{"start", "failover", "move", "recovery"}

// code is 0 for what went as it should.
func code(e *pb.Event) string {
	if e.GetSeverity() == pb.Severity_SEVERITY_INFO || e.GetKind() == "fenced" || slices.Contains(arrivals, e.GetKind()) {
		return "0"
	}
	return "1"
}

func severity(e *pb.Event) string {
	return strings.ToLower(strings.TrimPrefix(e.GetSeverity().String(), "SEVERITY_"))
}

// timestamp writes a time as date(1) does, with %N, and %1N to %6N, for the fraction
// of the second (%01N, as scripts write it, too).
func timestamp(format string, at time.Time) string {
	nanos := strconv.Itoa(1_000_000_000 + at.Nanosecond())[1:]
	format = strings.ReplaceAll(format, "%N", nanos)
	for digits := 1; digits <= 9; digits++ {
		for _, written := range []string{"%" + strconv.Itoa(digits) + "N", "%0" + strconv.Itoa(digits) + "N"} {
			format = strings.ReplaceAll(format, written, nanos[:digits])
		}
	}
	return strftime.Format(format, at)
}
