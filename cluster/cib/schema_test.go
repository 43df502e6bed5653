package cib_test

import (
	"strings"
	"testing"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
)

func TestOldSchemasAreReadAsPacemakerReadsThem(t *testing.T) {
	const primitive = `<primitive id="r" class="ocf" provider="heartbeat" type="Dummy"/>`
	tests := []struct {
		name, schema, config, resources, constraints string
		want                                         string // node that r is placed on; empty: none
	}{
		{"an underscore was a dash once", "pacemaker-2.10", `<nvpair id="a" name="symmetric_cluster" value="false"/>`, primitive, "", ""},
		{"now it is misspelled", "pacemaker-3.0", `<nvpair id="a" name="symmetric_cluster" value="false"/>`, primitive, "", "n1"},
		{"a default was an option once", "pacemaker-1.2", `<nvpair id="a" name="is-managed-default" value="false"/>`, primitive, "", ""},
		{"now it is none", "pacemaker-3.7", `<nvpair id="a" name="is-managed-default" value="false"/>`, primitive, "", "n1"},
		{"a class that is gone", "pacemaker-3.0", "", `<primitive id="r" class="upstart" type="x"/>`, "", ""},
		{"one value under two names", "pacemaker-3.0", "", `<primitive id="r" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="m"><nvpair id-ref="v" name="target-role"/></meta_attributes></primitive><primitive id="s" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="n"><nvpair id="v" name="x" value="Stopped"/></meta_attributes></primitive>`, "", ""},
		{"a lifetime that is over", "pacemaker-3.0", "", primitive, lifetime("lt", "end", "2020-01-01"), "n1"},
		{"one that lasts", "pacemaker-3.0", "", primitive, lifetime("gt", "start", "2020-01-01"), "n2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := `<cib validate-with="` + tt.schema + `" have-quorum="1"><configuration><crm_config><cluster_property_set id="p"><nvpair id="f" name="stonith-enabled" value="false"/>` + tt.config +
				`</cluster_property_set></crm_config><nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>` + tt.resources + `</resources><constraints>` + tt.constraints +
				`</constraints></configuration><status>` + online("1", "n1") + online("2", "n2") + `</status></cib>`
			d, err := cib.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			in, err := d.Input(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			var at []string
			for _, p := range engine.Run(in).Placement()["r"] {
				at = append(at, p.Node)
			}
			if got := strings.Join(at, " "); got != tt.want {
				t.Errorf("r is placed on %q, want %q:\n%s", got, tt.want, text)
			}
		})
	}
}

// lifetime keeps r from n1, while a date compares so.
func lifetime(operation, end, date string) string {
	return `<rsc_location id="l" rsc="r" node="n1" score="-INFINITY"><lifetime><rule id="x"><date_expression id="y" operation="` + operation + `" ` + end + `="` + date + `"/></rule></lifetime></rsc_location>`
}

func online(id, name string) string {
	return `<node_state id="` + id + `" uname="` + name + `" in_ccm="true" crmd="online" join="member" expected="member"/>`
}
