package alert

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

var noon = time.Date(2026, 3, 7, 12, 0, 0, 123456789, time.Local)

func event(kind, node, resource string, severity pb.Severity) *pb.Event {
	return &pb.Event{Id: 7, At: timestamppb.New(noon), Kind: kind, Node: node, Resource: resource, Severity: severity, Text: "what happened"}
}

func TestAnAlertIsToldOfWhatPacemakerTellsAndOfServers(t *testing.T) {
	events := map[string]*pb.Event{
		"node":      event("node-gone", "a", "", pb.Severity_SEVERITY_WARNING),
		"fencing":   event("device-failed", "a", "", pb.Severity_SEVERITY_ERROR),
		"resource":  event("carrier-lost", "a", "vip", pb.Severity_SEVERITY_WARNING),
		"server":    event("server-down", "a", "lb", pb.Severity_SEVERITY_WARNING),
		"cluster":   event("configuration", "a", "", pb.Severity_SEVERITY_INFO),
		"readiness": event("ready", "a", "lb", pb.Severity_SEVERITY_INFO),
	}
	tests := []struct {
		name   string
		choice []string
		want   string
	}{
		{"without a selection", nil, "fencing node resource server"},
		{"by kinds of alerts", []string{Node, Cluster}, "cluster node readiness"},
		{"by a kind of event", []string{"server-down"}, "server"},
		{"of attributes there are no events", []string{Attribute}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told []string
			for name, e := range events {
				if Wants(&pb.Alert{Select: tt.choice}, e) {
					told = append(told, name)
				}
			}
			slices.Sort(told)
			if got := strings.Join(told, " "); got != tt.want {
				t.Errorf("select %v: told of %s, want %s", tt.choice, got, tt.want)
			}
		})
	}
}

func TestARunForEachRecipientThatIsEnabled(t *testing.T) {
	off := map[string]string{"enabled": "false"}
	all := []*pb.Alert{
		{Id: "nobody"},
		{Id: "two", Recipients: []*pb.AlertRecipient{{Id: "r1"}, {Id: "r2"}, {Id: "r3", Meta: off}}},
		{Id: "disabled", Meta: off},
		{Id: "about", Resources: []string{"group"}},
		{Id: "elsewhere", Resources: []string{"other"}},
	}
	within := func(resource, id string) bool { return resource == "vip" && id == "group" }
	var got []string
	for _, c := range Calls(all, event("start", "a", "vip", pb.Severity_SEVERITY_INFO), within) {
		got = append(got, c.Alert.GetId()+" "+c.Recipient.GetId())
	}
	if want := []string{"nobody ", "two r1", "two r2", "about "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if calls := Calls(all, event("node-gone", "a", "", pb.Severity_SEVERITY_INFO), within); len(calls) != 3 {
		t.Errorf("of a node's event %d runs, want those 3 that are limited to no resource", len(calls))
	}
}

// The names are those of "Environment Variables Passed to Alert Agents", Pacemaker Administration.
func TestAProgramIsToldByPacemakersVariables(t *testing.T) {
	failed := event("operation-failed", "a", "vip", pb.Severity_SEVERITY_WARNING)
	failed.Operation = pb.OperationKind_OPERATION_KIND_PROBE
	moved := event("failover", "b", "vip", pb.Severity_SEVERITY_WARNING)
	moved.Phases = []*pb.Phase{{Name: "gone", At: durationpb.New(time.Millisecond)}, {Name: "started", At: durationpb.New(471 * time.Millisecond)}}
	tests := []struct {
		name  string
		event *pb.Event
		want  []string
	}{
		{"of everything", event("node-gone", "a", "", pb.Severity_SEVERITY_WARNING), []string{
			"CRM_alert_kind=node", "CRM_alert_node=a", "CRM_alert_nodeid=id-of-a", "CRM_alert_desc=lost", "CRM_alert_node_sequence=7",
			"CRM_alert_recipient=admin", "CRM_alert_timestamp=12:00:00.123456", "CRM_alert_timestamp_usec=123456", "CRM_alert_version=v1",
			"QUORATE_cluster=web", "QUORATE_event=node-gone", "QUORATE_severity=warning", "QUORATE_text=what happened", "level=recipient's", "debug=alert's",
		}},
		{"of a member", event("node-admitted", "a", "", pb.Severity_SEVERITY_INFO), []string{"CRM_alert_desc=member"}},
		{"of other trouble of a node", event("disk-hangs", "a", "", pb.Severity_SEVERITY_WARNING), []string{"CRM_alert_desc=what happened"}},
		{"of fencing", event("fenced", "a", "", pb.Severity_SEVERITY_WARNING), []string{"CRM_alert_kind=fencing", "CRM_alert_task=off", "CRM_alert_rc=0"}},
		{"of fencing that failed", event("fencing-failed", "a", "", pb.Severity_SEVERITY_ERROR), []string{"CRM_alert_rc=1"}},
		{"of a failed probe", failed, []string{
			"CRM_alert_kind=resource", "CRM_alert_rsc=vip", "CRM_alert_task=monitor", "CRM_alert_rc=1", "CRM_alert_status=4", "CRM_alert_desc=error",
			"CRM_alert_interval=0", "CRM_alert_target_rc=0",
		}},
		{"of a failover, as a start", moved, []string{
			"CRM_alert_task=start", "CRM_alert_node=b", "CRM_alert_rc=0", "CRM_alert_status=0", "CRM_alert_desc=ok", "CRM_alert_exec_time=471",
		}},
		{"of a server", event("server-down", "a", "lb", pb.Severity_SEVERITY_WARNING), []string{"CRM_alert_kind=server", "CRM_alert_rsc=lb", "CRM_alert_desc=what happened"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Call{
				Alert:     &pb.Alert{Id: "x", Options: map[string]string{"debug": "alert's", "level": "alert's"}},
				Recipient: &pb.AlertRecipient{Id: "r", Value: "admin", Options: map[string]string{"level": "recipient's"}},
				Event:     tt.event, NodeID: "id-of-a", Cluster: "web", Version: "v1",
			}
			told := c.environment()
			for _, want := range tt.want {
				if !slices.Contains(told, want) {
					t.Errorf("%s is missing in %q", want, told)
				}
			}
		})
	}
}

func TestTimesAreWrittenAsDateDoes(t *testing.T) {
	for format, want := range map[string]string{
		"%H:%M:%S.%6N":           "12:00:00.123456",
		"%Y-%m-%d,%H:%M:%S.%01N": "2026-03-07,12:00:00.1",
		"%d %b %Y %T.%3N":        "07 Mar 2026 12:00:00.123",
		"%N":                     "123456789",
		"at noon, 100%% certain": "at noon, 100% certain",
	} {
		if got := timestamp(format, noon); got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
}

func TestWhatAProgramCannotBeToldIsRefused(t *testing.T) {
	tests := []struct {
		path, name, value, want string
	}{
		{"/bin/x", "debug", "1", ""},
		{"/bin/x", "a-b", "1", "variable"},
		{"/bin/x", "CRM_alert_kind", "1", "by itself"},
		{"/bin/x", "x", "a\x00b", "NUL"},
		{Mail, "from", "ha@example.com", ""},
		{Mail, "from", "nobody at all", "no address"},
		{Mail, "server", "mail.example.com:2525", ""},
		{Mail, "server", "2001:db8::1", ""},
		{Mail, "sever", "x", "no such option"},
	}
	for _, tt := range tests {
		err := CheckOptions(tt.path, map[string]string{tt.name: tt.value})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s=%q: got %v, want %q", tt.path, tt.name, tt.value, err, tt.want)
		}
	}
}
