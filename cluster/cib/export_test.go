package cib_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
	pb "quorate/proto/quorate/v1"
)

const exported = `
level: 1 cluster_id: "c" cluster_name: "web" configuration_index: 7
properties{key:"fencing" value:"stop"} properties{key:"no-quorum-policy" value:"stop"} properties{key:"profile" value:"lan"}
resource_defaults{key:"resource-stickiness" value:"100"} resource_defaults{key:"failback" value:"manual"}
operation_defaults{key:"timeout" value:"1.5s"}
nodes{id:"1b4e28ba-2fa1-11d2-883f-0016d3cca427" name:"a" utilization{key:"cpu" value:"4"} admission:ADMISSION_ADMITTED attributes{key:"rack" value:"<A> & \"B\""}}
nodes{id:"2b4e28ba-2fa1-11d2-883f-0016d3cca427" name:"b" admission:ADMISSION_ADMITTED standby:true}
nodes{id:"3b4e28ba-2fa1-11d2-883f-0016d3cca427" name:"c" admission:ADMISSION_GONE}
nodes{id:"4b4e28ba-2fa1-11d2-883f-0016d3cca427" name:"w" role:ROLE_WITNESS admission:ADMISSION_ADMITTED}
resources{id:"db" agent:"ocf:heartbeat:Dummy" utilization{key:"cpu" value:"2"} meta{key:"failure-timeout" value:"1h30m"} operations{name:"monitor" interval{seconds:10} options{key:"OCF_CHECK_LEVEL" value:"10"} options{key:"on-fail" value:"block"}}}
resources{id:"ip" agent:"vip" parameters{key:"ip" value:"10.0.0.5"} operations{name:"monitor" interval{seconds:30} timeout{seconds:5}} operations{name:"start" timeout{seconds:5}}}
resources{id:"odd" agent:"realserver"}
resources{id:"two" agent:"ocf:heartbeat:Dummy" meta{key:"critical" value:"false"} meta{key:"target-role" value:"Stopped"}}
resources{id:"web" agent:"systemd:nginx"}
resources{id:"zlog" agent:"systemd:zlog"}
clones{id:"zlog-clone" member:"zlog" meta{key:"clone-max" value:"2"} meta{key:"interleave" value:"true"}}
groups{id:"site" members:"ip" members:"web" meta{key:"priority" value:"5"}}
constraints{id:"l" location{resource:"site" node:"a" score:1000000}}
constraints{id:"c" colocation{resource:"db" with:"site" score:-50}}
constraints{id:"o" order{first:"site" then:"db" kind:ORDER_KIND_OPTIONAL asymmetrical:true}}
constraints{id:"by-rule" location{resource:"db" score:7 rule{any:true
	conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"1"}}
	conditions{rule{conditions{attribute{attribute:"kernel" comparison:COMPARISON_GTE value:"6.1" type:VALUE_TYPE_VERSION}} conditions{attribute{attribute:"site" comparison:COMPARISON_NOT_DEFINED}}}}
	conditions{date{operation:DATE_OPERATION_SPEC spec{key:"hours" value:"9-16"} spec{key:"weekdays" value:"1-5"}}}
	conditions{date{operation:DATE_OPERATION_IN_RANGE start:"2027-01-01" duration{key:"weeks" value:"1"}}}
	conditions{date{operation:DATE_OPERATION_IN_RANGE end:"2027-01-01"}}
	conditions{date{operation:DATE_OPERATION_GT start:"2037-01-01"}}}}}
constraints{id:"by-score" location{resource:"two" score_attribute:"weight" discovery:DISCOVERY_EXCLUSIVE rule{conditions{attribute{attribute:"#uname" comparison:COMPARISON_DEFINED}}}}}
constraints{id:"ld" location{resource:"web" node:"c" score:-1000000}}
constraints{id:"cs" colocation{score:5 influence:false sets{resources:["site","db"] parallel:true} sets{resources:"two"}}}
constraints{id:"cn" colocation{resource:"two" with:"db" score:5 node_attribute:"rack"}}
constraints{id:"os" order{kind:ORDER_KIND_OPTIONAL sets{resources:["site","db"]} sets{resources:"two" any:true parallel:true}}}
constraints{id:"ox" order{first:"two" then:"db" first_action:ORDER_ACTION_STOP asymmetrical:true}}
constraints{id:"ot" order{first:"db" then:"two" any_instance:true}}
constraints{id:"z" order{first:"zlog-clone" then:"db" kind:ORDER_KIND_OPTIONAL}}
constraints{id:"lost" order{first:"odd" then:"db"}}
instances{resource:"db" node:"1b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_RUNNING}
instances{resource:"db" node:"2b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_STOPPED fail_count:2}
instances{resource:"ip" node:"1b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_RUNNING}
instances{resource:"ip" node:"2b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_STOPPED}
instances{resource:"web" node:"1b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_RUNNING}
instances{resource:"web" node:"2b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_STOPPED}
instances{resource:"zlog" node:"1b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_RUNNING}
instances{resource:"zlog" node:"2b4e28ba-2fa1-11d2-883f-0016d3cca427" state:INSTANCE_STATE_STOPPED}
`

func standard(agent string) string {
	return map[string]string{"vip": "ocf:heartbeat:IPaddr2"}[agent]
}

func export(t *testing.T) (*pb.State, []byte, *cib.Report) {
	t.Helper()
	s := new(pb.State)
	if err := prototext.Unmarshal([]byte(exported), s); err != nil {
		t.Fatal(err)
	}
	data, report := cib.Export(s, standard)
	return s, data, report
}

func TestAnExportSaysWhatPacemakerDoesNotKnow(t *testing.T) {
	_, _, report := export(t)
	var got []string
	for _, e := range report.Entries {
		if e.Verdict == cib.NotTaken {
			got = append(got, e.Kind+" "+e.ID+": "+e.Note)
		}
	}
	want := []string{
		"property profile: Pacemaker has no such option",
		"node w: a witness hosts nothing; Pacemaker has a quorum device in its place",
		"resource odd: Pacemaker has no agent like realserver",
		"rsc_order lost: odd is not written",
		"resource default failback: Pacemaker has no such option",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatWasExportedNeedsNothingDone(t *testing.T) {
	_, data, _ := export(t)
	d, err := cib.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Input(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	out := engine.Run(in)
	if len(out.Actions)+len(out.Fenced) > 0 {
		t.Errorf("something is to be done: %+v %+v\n%s", out.Actions, out.Fenced, data)
	}
	if at := out.Placement()["ip"]; len(at) != 1 || at[0].Node != "a" {
		t.Errorf("ip is placed on %v, it runs on a", at)
	}
}

func TestWhatWasExportedIsTakenBack(t *testing.T) {
	s, data, _ := export(t)
	d, err := cib.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got, report, err := d.Configuration(func(*pb.Configuration) (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range report.Entries {
		if e.Verdict != cib.Taken && e.Kind != "property cluster-name" {
			t.Errorf("%v %s %s: %s", e.Verdict, e.Kind, e.ID, e.Note)
		}
	}
	for i, r := range s.Resources[:2] {
		at := slices.IndexFunc(got.Resources, func(back *pb.Resource) bool { return back.Id == r.Id })
		back := proto.CloneOf(got.Resources[at])
		back.Agent, back.Meta = r.Agent, r.Meta // other words for the same
		if !proto.Equal(back, r) {
			t.Errorf("resource %d came back as %v, it was %v", i, back, r)
		}
	}
	if len(got.Clones) != 1 || !proto.Equal(got.Clones[0], s.Clones[0]) {
		t.Errorf("the clone came back as %v", got.Clones)
	}
	for i, c := range s.Constraints[:len(s.Constraints)-1] {
		if !proto.Equal(got.Constraints[i], c) {
			t.Errorf("constraint came back as %v, it was %v", got.Constraints[i], c)
		}
	}
}

func TestPacemakersToolsReadAnExport(t *testing.T) {
	_, data, _ := export(t)
	file := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"crm_verify", "-V", "-x", file}, {"crm_simulate", "-S", "-x", file}} {
		program, err := exec.LookPath(words[0])
		if err != nil {
			t.Skipf("%s is not installed: package pacemaker-cli-utils", words[0])
		}
		out, err := exec.CommandContext(t.Context(), program, words[1:]...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "error") || strings.Contains(string(out), "warning") {
			t.Errorf("%v: %v\n%s\n%s", words, err, out, data)
		}
		_, summary, _ := strings.Cut(string(out), "Transition Summary:\n")
		if words[0] == "crm_simulate" && !strings.HasPrefix(summary, "\nExecuting") {
			t.Errorf("Pacemaker would do something:\n%s\n%s", out, data)
		}
	}
}
