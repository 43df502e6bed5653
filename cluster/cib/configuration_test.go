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
approximated op o1: without start-delay
not taken op o2: operation option role: "Promoted" is not available in this version; use Started`,
		},
		{
			"a group keeps the members that can run",
			`<group id="g"><primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><primitive id="fence" class="stonith" type="fence_ipmilan"/></group>`, "",
			"taken primitive ip\nnot taken primitive fence: fencing devices are not available in this version\napproximated group g: with 1 of its 2 members",
		},
		{
			"a clone is left out, with what is in it and what names it",
			`<primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2"/><clone id="c"><primitive id="p" class="ocf" provider="pacemaker" type="ping"/></clone>`,
			`<rsc_order id="o" first="c" then="ip"/>`,
			"taken primitive ip\nnot taken clone c: clones are not available in this version\nnot taken primitive p: it is part of clone c\nnot taken rsc_order o: resource: there is no resource or group \"c\"; did you mean \"ip\"?",
		},
		{
			"an agent that the cluster does not know", `<primitive id="x" class="lsb" type="x"/>`, "",
			"not taken primitive x: there is no agent lsb:x",
		},
		{
			"a template is written out",
			`<template id="t" class="ocf" provider="heartbeat" type="IPaddr2"><operations id="ops"><op id="o" name="monitor" interval="10s"/></operations></template><primitive id="ip" template="t"/>`, "",
			"not taken template t: the resources that use it have its settings written out\ntaken primitive ip\ntaken op o",
		},
		{
			"a rule on a node's name is a score", twoPrimitives,
			`<rsc_location id="l" rsc="ip"><rule id="r" score="-INFINITY"><expression id="e" attribute="#uname" operation="ne" value="a"/></rule></rsc_location>`,
			"taken primitive ip\ntaken primitive web\ntaken rsc_location l",
		},
		{
			"a rule on a ping attribute has its match", twoPrimitives,
			`<rsc_location id="l" rsc="ip"><rule id="r" score="-INFINITY"><expression id="e" attribute="pingd" operation="not_defined"/></rule></rsc_location>`,
			"taken primitive ip\ntaken primitive web\nnot taken rsc_location l: rules on node attributes are not available in this version; instead of a ping resource set the property quorum.ping",
		},
		{
			"sets become pairs", twoPrimitives + `<primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/>`,
			`<rsc_order id="o"><resource_set id="s"><resource_ref id="ip"/><resource_ref id="web"/><resource_ref id="db"/></resource_set></rsc_order>`,
			"taken primitive ip\ntaken primitive web\ntaken primitive db\napproximated rsc_order o: as 2 constraints, from o-1 on",
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
