package cib_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/cib"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// accepting is a cluster of the nodes a and b that knows every ocf agent.
func accepting(t *testing.T) cib.Trial {
	t.Helper()
	s := &pb.State{ClusterId: "c", Nodes: []*pb.Node{{Id: "1", Name: "a"}, {Id: "2", Name: "b"}}}
	return func(c *pb.Configuration) (string, error) {
		for _, r := range c.Resources {
			if !strings.HasPrefix(r.Agent, "ocf:") {
				return "there is no agent " + r.Agent, nil
			}
		}
		_, _, err := state.Step(s, 1, &pb.Command{Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{{
			Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: proto.CloneOf(c)}},
		}}}}})
		if err != nil {
			return err.Error(), nil
		}
		return "", nil
	}
}

// document wraps parts of a configuration.
func document(resources, constraints string) string {
	return `<cib><configuration><crm_config/><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources>` + resources + `</resources><constraints>` + constraints + `</constraints></configuration><status/></cib>`
}

const twoPrimitives = `<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><primitive id="web" class="ocf" provider="heartbeat" type="apache"/>`

func TestWhatIsTakenOfACIBAndWhatNot(t *testing.T) {
	tests := []struct {
		name, resources, constraints string
		want                         string // report, one line an entry; those without a note only where asked for
	}{
		{
			"a resource with options and operations",
			`<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"><instance_attributes id="i"><nvpair id="n" name="ip" value="10.0.0.1"/></instance_attributes>
			 <meta_attributes id="m"><nvpair id="m1" name="resource-stickiness" value="100"/><nvpair id="m2" name="allow-migrate" value="true"/></meta_attributes>
			 <operations><op id="o1" name="monitor" interval="10s" timeout="20" start-delay="5s"/><op id="o2" name="monitor" interval="11s" role="Promoted"/></operations></primitive>`, "",
			`taken primitive ip
not taken option allow-migrate m2: meta attribute allow-migrate: there is no such meta attribute
taken option resource-stickiness m1
taken op o1
taken op o2`,
		},
		{
			"a group keeps the members that can run",
			`<group id="g"><primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><primitive id="fence" class="stonith" type="fence_ipmilan"/></group>`, "",
			"taken primitive ip\nnot taken primitive fence: parameter pcmk_host_list: fence has no target: fence_ipmilan does not tell what it can switch; add pcmk_host_list=NODE\napproximated group g: with 1 of its 2 members",
		},
		{
			"a clone",
			`<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="2"/>
			 <nvpair id="m2" name="notify" value="true"/></meta_attributes><primitive id="web" class="ocf" provider="heartbeat" type="apache"/></clone>`,
			`<rsc_order id="o" first="c" then="ip"/><rsc_location id="l" rsc="web" node="a" score="5"/>`,
			`taken primitive ip
taken primitive web
taken clone c
taken option clone-max m1
taken option notify m2
taken rsc_order o
not taken rsc_location l: resource: web is part of clone c; name c`,
		},
		{
			"a clone of a group",
			`<clone id="c"><group id="g"><primitive id="a1" class="ocf" provider="heartbeat" type="Dummy"/><primitive id="a2" class="ocf" provider="heartbeat" type="Dummy"/></group></clone>`, "",
			"taken primitive a1\ntaken primitive a2\ntaken group g\ntaken clone c",
		},
		{
			"a clone whose member is not taken", `<clone id="c"><primitive id="x" class="lsb" type="x"/></clone>`, "",
			"not taken primitive x: there is no agent lsb:x\nnot taken clone c: what is in it was not taken",
		},
		{
			"a clone whose instances are not alike is left out, with what is in it and what names it",
			`<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><clone id="c"><meta_attributes id="m"><nvpair id="m1" name="globally-unique" value="true"/></meta_attributes>
			 <primitive id="p" class="ocf" provider="heartbeat" type="Dummy"/></clone>`,
			`<rsc_order id="o" first="c" then="ip"/>`,
			"taken primitive ip\nnot taken clone c: instances that are told apart by a number are not available in this version (globally-unique)\nnot taken primitive p: it is part of clone c\nnot taken rsc_order o: resource: there is no resource or group \"c\"; did you mean \"ip\"?",
		},
		{
			"a promotable clone, and what is said of its roles",
			`<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><master id="c"><meta_attributes id="m"><nvpair id="m1" name="master-max" value="2"/></meta_attributes>
			 <primitive id="p" class="ocf" provider="heartbeat" type="Stateful"/></master>`,
			`<rsc_order id="o" first="c" first-action="promote" then="ip" then-action="start"/><rsc_colocation id="k" rsc="ip" with-rsc="c" with-rsc-role="Master" score="INFINITY"/>
			 <rsc_location id="l" rsc="c" role="Promoted" node="a" score="5"/><rsc_location id="s" rsc="c" role="Stopped" node="a" score="5"/>`,
			"taken primitive ip\ntaken primitive p\ntaken clone c\ntaken option promotable \ntaken option promoted-max m1\ntaken rsc_order o\ntaken rsc_colocation k\ntaken rsc_location l\nnot taken rsc_location s: constraints on the role Stopped are not available in this version",
		},
		{
			"an agent that the cluster does not know", `<primitive id="x" class="lsb" type="x"/>`, "",
			"not taken primitive x: there is no agent lsb:x",
		},
		{
			"a template is written out",
			`<template id="t" class="ocf" provider="heartbeat" type="IPaddr2"><operations id="ops"><op id="o" name="monitor" interval="10s"/></operations></template><primitive id="ip" template="t"/>`, "",
			"approximated template t: written out: the resources that use it have its settings\ntaken primitive ip\ntaken op o",
		},
		{
			"a rule on a node's name is a score", twoPrimitives,
			`<rsc_location id="l" rsc="ip"><rule id="r" score="-INFINITY"><expression id="e" attribute="#uname" operation="ne" value="a"/></rule></rsc_location>`,
			"taken primitive ip\ntaken primitive web\ntaken rsc_location l",
		},
		{
			"a rule on a ping attribute has its match", twoPrimitives,
			`<rsc_location id="l" rsc="ip"><rule id="r" score="-INFINITY"><expression id="e" attribute="pingd" operation="not_defined"/></rule></rsc_location>`,
			"taken primitive ip\ntaken primitive web\nnot taken rsc_location l: rules on attributes that agents set are not available in this version; instead of a ping resource set the property quorum.ping",
		},
		{
			"rules on attributes and the time are kept", twoPrimitives,
			`<rsc_location id="l" rsc="ip" resource-discovery="exclusive"><rule id="r" score-attribute="weight" boolean-op="or"><expression id="e" attribute="rack" operation="gt" type="integer" value="1"/>
			 <rule id="r2"><date_expression id="d" operation="date_spec"><date_spec id="ds" hours="9-16"/></date_expression><date_expression id="d2" start="2027-01-01"><duration id="du" weeks="2"/></date_expression></rule></rule></rsc_location>
			 <rsc_location id="id" rsc="ip"><rule id="r3" score="5"><expression id="e3" attribute="#id" operation="eq" value="2"/></rule></rsc_location>`,
			"taken primitive ip\ntaken primitive web\ntaken rsc_location l\ntaken rsc_location id",
		},
		{
			"what no rule of Quorate can say is named", twoPrimitives,
			`<rsc_location id="param" rsc="ip"><rule id="r" score="5"><expression id="e" attribute="rack" operation="eq" value="ip" value-source="param"/></rule></rsc_location>
			 <rsc_location id="role" rsc="ip"><rule id="r1" score="5" role="Promoted"><expression id="e1" attribute="rack" operation="defined"/></rule></rsc_location>
			 <rsc_location id="empty" rsc="ip"><rule id="r2" score="5"/></rsc_location>
			 <rsc_location id="date" rsc="ip"><rule id="r3" score="5"><date_expression id="d" operation="gt" start="soon"/></rule></rsc_location>
			 <rsc_location id="dc" rsc="ip"><rule id="r4" score="5"><expression id="e4" attribute="#is_dc" operation="eq" value="true"/></rule></rsc_location>`,
			`taken primitive ip
taken primitive web
not taken rsc_location param: rules that compare with value-source=param are not available in this version
not taken rsc_location role: constraint role: it is about what is promoted, and ip is no promotable clone; make a promotable clone of it, or delete the constraint
not taken rsc_location empty: rule: it has no conditions; write for example not_defined pingd or pingd lt 1
not taken rsc_location date: rule, date: "soon" is no date; write for example 2027-01-31 or 2027-01-31T12:00:00Z
not taken rsc_location dc: rule, attribute #is_dc: nodes have no such attribute here; use #uname or an attribute of your own`,
		},
		{
			"sets keep what was taken", twoPrimitives + `<primitive id="fence" class="stonith" type="fence_ipmilan"/>`,
			`<rsc_colocation id="c" score="7" influence="false"><resource_set id="s" sequential="false"><resource_ref id="ip"/><resource_ref id="fence"/></resource_set><resource_set id="s2"><resource_ref id="web"/></resource_set></rsc_colocation>
			 <rsc_order id="o"><resource_set id="s3"><resource_ref id="fence"/><resource_ref id="web"/></resource_set></rsc_order>`,
			`taken primitive ip
taken primitive web
not taken primitive fence: parameter pcmk_host_list: fence has no target: fence_ipmilan does not tell what it can switch; add pcmk_host_list=NODE
approximated rsc_colocation c: without fence
not taken rsc_order o: resource: there is no resource or group "fence"`,
		},
		{
			"a set with a score of its own becomes pairs", twoPrimitives + `<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>`,
			`<rsc_colocation id="c" score="7"><resource_set id="s" score="-5"><resource_ref id="ip"/><resource_ref id="web"/></resource_set><resource_set id="s2"><resource_ref id="db"/></resource_set></rsc_colocation>`,
			"taken primitive ip\ntaken primitive web\ntaken primitive db\napproximated rsc_colocation c: as 2 constraints, from c-1 on",
		},
		{
			"orders of stops and of instances", twoPrimitives,
			`<rsc_order id="stop" first="ip" first-action="stop" then="web" symmetrical="false"/><rsc_order id="promote" first="ip" then="web" then-action="promote"/><rsc_order id="one" first="ip" then="web" first-instance="1"/>`,
			`taken primitive ip
taken primitive web
taken rsc_order stop
not taken rsc_order promote: constraint promote: it is about what is promoted, and web is no promotable clone; make a promotable clone of it, or delete the constraint
not taken rsc_order one: constraints on instances are not available in this version`,
		},
		{
			"utilization, of a template too",
			`<template id="t" class="ocf" provider="heartbeat" type="IPaddr2"><utilization id="u"><nvpair id="u1" name="cpu" value="2"/><nvpair id="u2" name="mem" value="some"/></utilization></template><primitive id="ip" template="t"/>`, "",
			`approximated template t: written out: the resources that use it have its settings
taken primitive ip
taken utilization cpu u1
not taken utilization mem u2: utilization mem: "some" is no amount; use a whole number from 0 to 1000000000`,
		},
		{
			"sets are kept", twoPrimitives + `<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>`,
			`<rsc_order id="o"><resource_set id="s"><resource_ref id="ip"/><resource_ref id="web"/><resource_ref id="db"/></resource_set></rsc_order>`,
			"taken primitive ip\ntaken primitive web\ntaken primitive db\ntaken rsc_order o",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := cib.Parse([]byte(document(tt.resources, tt.constraints)))
			if err != nil {
				t.Fatal(err)
			}
			_, report, err := d.Configuration(accepting(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := printed(report); got != tt.want {
				t.Errorf("report of %s%s\n got:\n%s\nwant:\n%s", tt.resources, tt.constraints, got, tt.want)
			}
		})
	}
}

// printed writes what a report says of resources and constraints.
func printed(r *cib.Report) string {
	var lines []string
	for _, e := range r.Entries {
		if kind, _, _ := strings.Cut(e.Kind, " "); kind == "node" || kind == "property" {
			continue
		}
		line := fmt.Sprintf("%v %s %s", e.Verdict, e.Kind, e.ID)
		if e.Note != "" {
			line += ": " + e.Note
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestDefaultsOfATypeAreWrittenOut(t *testing.T) {
	const cibText = `<cib><configuration><crm_config/><nodes><node id="1" uname="a"/></nodes>
<resources>` + twoPrimitives + `<primitive id="own" class="ocf" provider="heartbeat" type="IPaddr2"><meta_attributes id="m"><nvpair id="m1" name="resource-stickiness" value="7"/></meta_attributes>
<operations><op id="o1" name="monitor" interval="10s"/><op id="o2" name="start" interval="0" timeout="9s"/></operations></primitive></resources><constraints/>
<rsc_defaults><meta_attributes id="all"><nvpair id="a1" name="priority" value="1"/></meta_attributes>
<meta_attributes id="ips" score="5"><rule id="r" score="INFINITY"><rsc_expression id="x" class="ocf" type="IPaddr2"/></rule><nvpair id="i1" name="resource-stickiness" value="100"/></meta_attributes>
<meta_attributes id="weak" score="1"><rule id="r1"><rsc_expression id="x1" type="IPaddr2"/></rule><nvpair id="i2" name="resource-stickiness" value="50"/></meta_attributes>
<meta_attributes id="night"><rule id="r2"><date_expression id="d" operation="date_spec"><date_spec id="ds" hours="0-5"/></date_expression></rule><nvpair id="n1" name="priority" value="5"/></meta_attributes></rsc_defaults>
<op_defaults><meta_attributes id="slow"><rule id="r3"><rsc_expression id="x3" type="IPaddr2"/><op_expression id="p" name="start"/></rule><nvpair id="s1" name="timeout" value="60s"/></meta_attributes></op_defaults>
</configuration><status/></cib>`
	d, err := cib.Parse([]byte(cibText))
	if err != nil {
		t.Fatal(err)
	}
	c, report, err := d.Configuration(accepting(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Resources {
		line := fmt.Sprintf("%s stickiness=%s", r.Id, r.Meta["resource-stickiness"])
		for _, o := range r.Operations {
			line += fmt.Sprintf(" %s=%v", o.Name, o.Timeout.AsDuration())
		}
		got = append(got, line)
	}
	if got, want := strings.Join(got, "; "), "ip stickiness=100 start=1m0s; web stickiness=; own stickiness=7 monitor=0s start=9s"; got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, printed(report))
	}
	for _, want := range []string{
		"taken resource default priority a1",
		"approximated resource default resource-stickiness ips: written out: the resources that its rule is about have it",
		"not taken meta_attributes night: options that depend on a rule about a node or the time are not available in this version",
		"approximated operation default timeout slow: written out",
	} {
		if !strings.Contains(printed(report), want) {
			t.Errorf("the report lacks %q:\n%s", want, printed(report))
		}
	}
}
