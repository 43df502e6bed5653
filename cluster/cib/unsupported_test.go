package cib_test

import (
	"strings"
	"testing"
	"time"

	"quorate/cluster/cib"
)

func TestWhatIsNotDecidedIsNamed(t *testing.T) {
	const (
		connection = `<lrm_resource id="r" class="ocf" provider="pacemaker" type="remote"/>`
		dummy      = `<lrm_resource id="r" class="ocf" provider="pacemaker" type="Dummy"/>`
		remote     = `<node_state id="r" uname="r" remote_node="true"/>`
	)
	state := func(history string) string {
		return `<node_state id="1" uname="a"><lrm id="1"><lrm_resources>` + history + `</lrm_resources></lrm></node_state>`
	}
	tests := []struct{ name, resources, constraints, status, want string }{
		{"a bundle", `<bundle id="b"/>`, "", "", "bundle b"},
		{"a remote node", `<primitive id="r" class="ocf" provider="pacemaker" type="remote"/>`, "", "", "remote node r"},
		{"a remote node once", `<primitive id="r" class="ocf" provider="pacemaker" type="remote"/>`, "", state(connection) + remote, "remote node r"},
		{"a guest node", `<primitive id="v" class="ocf" provider="heartbeat" type="VirtualDomain"><meta_attributes id="m"><nvpair id="n" name="remote-node" value="g"/></meta_attributes></primitive>`, "", "", "guest node g"},
		{"a ticket", "", `<rsc_ticket id="t" rsc="a" ticket="x"/>`, "", "ticket constraint t"},
		{"a removed remote node that is connected", "", "", state(connection) + remote, "remote node r"},
		{"a removed connection without its node", "", "", state(connection), ""},
		{"a removed remote node without its connection", "", "", state(dummy) + remote, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(document(tt.resources, tt.constraints), "<status/>", "<status>"+tt.status+"</status>", 1)
			d, err := cib.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if tt.want != "" {
				want = "not supported: " + tt.want + "; Quorate runs no bundles, remote nodes, guest nodes or tickets"
			}
			got := ""
			if _, err := d.Input(time.Unix(0, 0)); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("Input(%s)\n got %q\nwant %q", text, got, want)
			}
		})
	}
}
