package cib_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/cib"
	pb "quorate/proto/quorate/v1"
)

const devicesInACIB = `<cib><configuration><crm_config><cluster_property_set id="c"><nvpair id="c1" name="stonith-action" value="off"/>
<nvpair id="c2" name="priority-fencing-delay" value="15s"/><nvpair id="c3" name="concurrent-fencing" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes><resources>
<primitive id="ipmi-a" class="stonith" type="fence_ipmilan"><instance_attributes id="i"><nvpair id="i1" name="ip" value="10.0.0.11"/><nvpair id="i2" name="passwd" value="secret"/><nvpair id="i3" name="pcmk_host_list" value="a"/></instance_attributes>
<meta_attributes id="m"><nvpair id="m1" name="priority" value="5"/></meta_attributes>
<operations><op id="o1" name="monitor" interval="60s" timeout="30s"/><op id="o2" name="start" interval="0s" timeout="20s"/></operations></primitive>
<primitive id="pdu" class="stonith" type="fence_apc"><instance_attributes id="j"><nvpair id="j1" name="pcmk_host_map" value="a:1;b:2"/></instance_attributes>
<meta_attributes id="k"><nvpair id="k1" name="target-role" value="Stopped"/></meta_attributes></primitive>
<primitive id="bare" class="stonith" type="fence_ipmilan"/></resources>
<constraints><rsc_location id="l" rsc="ipmi-a" node="a" score="-INFINITY"/></constraints>
<fencing-topology><fencing-level id="f1" target="a" index="1" devices="ipmi-a"/><fencing-level id="f2" target="a" index="2" devices="pdu,bare"/>
<fencing-level id="f3" target-pattern="^a" index="1" devices="ipmi-a"/>
<fencing-level id="f4" target-attribute="rack" target-value="r1" index="2" devices="ipmi-a,pdu"/><fencing-level id="f5" target="b" index="1" devices="ipmi-a"/>
<fencing-level id="f6" target-pattern="[" index="1" devices="pdu"/></fencing-topology></configuration><status/></cib>`

func TestFencingOfACIBIsTaken(t *testing.T) {
	d, err := cib.Parse([]byte(devicesInACIB))
	if err != nil {
		t.Fatal(err)
	}
	cfg, report, err := d.Configuration(accepting(t))
	if err != nil {
		t.Fatal(err)
	}
	want := `taken primitive ipmi-a
not taken option priority m1: a fencing device has no such option: every node may use it
not taken op o2: a fencing device is neither started nor stopped
taken primitive pdu
not taken primitive bare: parameter pcmk_host_list: bare has no target: fence_ipmilan does not tell what it can switch; add pcmk_host_list=NODE
not taken rsc_location l: it is about a fencing device, which every node may use but the one that is fenced
taken fencing-level f1
not taken fencing-level f2: bare was not taken
taken fencing-level f3
taken fencing-level f4
not taken fencing-level f5: devices: ipmi-a does not switch b, but a; name one of its own, or give ipmi-a pcmk_host_list=b
not taken fencing-level f6: target: "[" is no extended regular expression; write a node's name, regexp%PATTERN or attrib%NAME=VALUE`
	got := strings.Split(printed(report), "\n")
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+line+"\n") {
			t.Errorf("the report lacks %q:\n%s", line, strings.Join(got, "\n"))
		}
	}
	if p := cfg.Properties; p["stonith-enabled"] != "true" || p["priority-fencing-delay"] != "15s" || len(p) != 2 {
		t.Errorf("properties %v", p)
	}
	wanted := new(pb.Configuration)
	if err := prototext.Unmarshal([]byte(`
		devices{id:"ipmi-a" type:"fence_ipmilan" parameters{key:"ip" value:"10.0.0.11"} parameters{key:"passwd" value:"secret"} parameters{key:"pcmk_host_list" value:"a"}
			operations{name:"monitor" interval{seconds:60} timeout{seconds:30}}}
		devices{id:"pdu" type:"fence_apc" parameters{key:"pcmk_host_map" value:"a:1;b:2"} disabled:true}
		levels{target:"a" level:1 devices:"ipmi-a"} levels{target:"regexp%^a" level:1 devices:"ipmi-a"}
		levels{target:"attrib%rack=r1" level:2 devices:"ipmi-a" devices:"pdu"}`), wanted); err != nil {
		t.Fatal(err)
	}
	if have := (&pb.Configuration{Devices: cfg.Devices, Levels: cfg.Levels}); !proto.Equal(have, wanted) {
		t.Errorf("taken were\n%v\nwant\n%v", have, wanted)
	}
}

func TestDevicesAreExportedWithoutTheirSecrets(t *testing.T) {
	s := new(pb.State)
	if err := prototext.Unmarshal([]byte(`cluster_id:"c" cluster_name:"web" properties{key:"fencing" value:"power"}
		nodes{id:"1" name:"a" admission:ADMISSION_ADMITTED} nodes{id:"2" name:"b" admission:ADMISSION_ADMITTED}
		devices{id:"ipmi-a" type:"fence_ipmilan" parameters{key:"ip" value:"10.0.0.11"} parameters{key:"password" value:"secret:stonith/ipmi-a/password"} parameters{key:"pcmk_host_list" value:"a"}
			operations{name:"monitor" interval{seconds:60}}}
		levels{id:"a/1" target:"a" level:1 devices:"ipmi-a"} levels{id:"attrib%rack=r1/1" target:"attrib%rack=r1" level:1 devices:"ipmi-a"}
		levels{id:"regexp%a/2" target:"regexp%a" level:2 devices:"ipmi-a"}`), s); err != nil {
		t.Fatal(err)
	}
	data, report := cib.Export(s, standard)
	left := ""
	for _, e := range report.Entries {
		if e.Verdict == cib.NotTaken {
			left += e.Kind + " " + e.ID
		}
	}
	if left != "parameter password ipmi-a" || strings.Contains(string(data), "secret:") {
		t.Errorf("left out was %q of\n%s", left, data)
	}
	d, err := cib.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := d.Configuration(accepting(t))
	if err != nil {
		t.Fatal(err)
	}
	targets := ""
	for _, l := range cfg.Levels {
		targets += " " + l.Target
	}
	if len(cfg.Devices) != 1 || targets != " a attrib%rack=r1 regexp%a" || cfg.Properties["stonith-enabled"] != "true" {
		t.Errorf("of the export was taken %v", cfg)
	}
}
