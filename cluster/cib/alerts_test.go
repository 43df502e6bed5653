package cib_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/cib"
	pb "quorate/proto/quorate/v1"
)

// The alerts are those of Pacemaker Explained's examples, with what can be wrong with one.
const alertsInACIB = `<cib><configuration><crm_config/><nodes><node id="1" uname="a"/></nodes><resources>
<primitive id="r" class="ocf" provider="heartbeat" type="Dummy"/></resources><constraints/><alerts>
<alert id="my-alert" path="/path/to/my-script.sh" description="to my phone">
<meta_attributes id="m"><nvpair id="m1" name="timeout" value="15s"/><nvpair id="m2" name="reset" value="1"/></meta_attributes>
<instance_attributes id="i"><nvpair id="i1" name="debug" value="false"/></instance_attributes>
<select><select_nodes/><select_fencing/><select_attributes><attribute id="at" name="standby"/></select_attributes></select>
<recipient id="r1" value="someuser@example.com"><meta_attributes id="n"><nvpair id="n1" name="timestamp-format" value="%D %H:%M"/></meta_attributes></recipient>
<recipient id="r2" value="someuser@example.com"/></alert>
<alert id="relative" path="my-script.sh"><recipient id="r3" value="x"/></alert></alerts></configuration><status/></cib>`

func TestAlertsOfACIBAreTaken(t *testing.T) {
	d, err := cib.Parse([]byte(alertsInACIB))
	if err != nil {
		t.Fatal(err)
	}
	cfg, report, err := d.Configuration(accepting(t))
	if err != nil {
		t.Fatal(err)
	}
	got := "\n" + printed(report) + "\n"
	for _, line := range []string{
		"approximated alert my-alert: one node runs it for each event, the one that leads, and not every node",
		"not taken option reset m2: an alert has no such option",
		"not taken select_attributes my-alert: alerts are not told of attributes; `quorate node attribute` shows them",
		"taken recipient r1",
		"not taken recipient r2: recipient: the recipient r1 of my-alert has the value someuser@example.com already; use --force to tell it twice",
		`not taken alert relative: path: "my-script.sh" is none; give the program with its whole path, or mail, which is built in`,
		"not taken recipient r3: alert relative was not taken",
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("the report lacks %q:%s", line, got)
		}
	}
	want := new(pb.Configuration)
	if err := prototext.Unmarshal([]byte(`alerts{id:"my-alert" path:"/path/to/my-script.sh" description:"to my phone" options{key:"debug" value:"false"}
		meta{key:"timeout" value:"15s"} select:["node","fencing","attribute"]
		recipients{id:"r1" value:"someuser@example.com" meta{key:"timestamp-format" value:"%D %H:%M"}}}`), want); err != nil {
		t.Fatal(err)
	}
	if have := (&pb.Configuration{Alerts: cfg.Alerts}); !proto.Equal(have, want) {
		t.Errorf("taken were\n%v\nwant\n%v", have, want)
	}
}

func TestAlertsAreExportedAsFarAsPacemakerHasThem(t *testing.T) {
	s := new(pb.State)
	if err := prototext.Unmarshal([]byte(`cluster_id:"c" cluster_name:"web" nodes{id:"1" name:"a" admission:ADMISSION_ADMITTED}
		alerts{id:"mail" path:"quorate:mail"} alerts{id:"servers" path:"/bin/s" select:"server"}
		alerts{id:"p" path:"/bin/p" meta{key:"timeout" value:"1m30s"} select:["node","cluster"] resources:"r" recipients{id:"p1" value:"x" options{key:"a" value:"1"}}}`), s); err != nil {
		t.Fatal(err)
	}
	data, report := cib.Export(s, standard)
	var left []string
	for _, e := range report.Entries {
		if e.Verdict == cib.NotTaken {
			left = append(left, e.Kind+" "+e.ID)
		}
	}
	if got := strings.Join(left, ", "); got != "alert mail, resources of an alert p, select cluster p, alert servers" && got != "alert mail, alert servers, resources of an alert p, select cluster p" {
		t.Errorf("left out was %s", got)
	}
	d, err := cib.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := d.Configuration(accepting(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Alerts) != 1 || cfg.Alerts[0].Meta["timeout"] != "90s" || cfg.Alerts[0].Recipients[0].Options["a"] != "1" || strings.Join(cfg.Alerts[0].Select, " ") != "node" {
		t.Errorf("of the export was taken %v\n%s", cfg.Alerts, data)
	}
}
