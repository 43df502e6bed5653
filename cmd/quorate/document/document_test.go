package document

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

const written = `properties:
  no-quorum-policy: stop
resources:
  - id: VirtualIP
    agent: ocf:heartbeat:IPaddr2
    parameters:
      cidr_netmask: "32"
      ip: 10.0.0.5
    operations:
      - name: monitor
        interval: 30s
        timeout: 1.500s
  - id: Web
    agent: haproxy
    parameters:
      config: |
        global
          maxconn 100
    server_orders:
      - service: app
        server: a
        mode: SERVER_MODE_DRAIN
        weight: 0
groups:
  - id: g
    members:
      - VirtualIP
      - Web
constraints:
  - id: l
    location:
      resource: g
      node: lvsm
      score: "-1000000"
`

const meant = `properties{key:"no-quorum-policy" value:"stop"}
resources{id:"VirtualIP" agent:"ocf:heartbeat:IPaddr2" parameters{key:"ip" value:"10.0.0.5"}
	parameters{key:"cidr_netmask" value:"32"} operations{name:"monitor" interval{seconds:30} timeout{seconds:1 nanos:500000000}}}
resources{id:"Web" agent:"haproxy" parameters{key:"config" value:"global\n  maxconn 100\n"}
	server_orders{service:"app" server:"a" mode:SERVER_MODE_DRAIN weight:0}}
groups{id:"g" members:"VirtualIP" members:"Web"}
constraints{id:"l" location{resource:"g" node:"lvsm" score:-1000000}}`

func configuration(t *testing.T, text string) *pb.Configuration {
	t.Helper()
	c := new(pb.Configuration)
	if err := prototext.Unmarshal([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestYAMLIsWrittenAndReadBack(t *testing.T) {
	want := configuration(t, meant)
	var b strings.Builder
	if err := YAML(&b, want); err != nil {
		t.Fatal(err)
	}
	if b.String() != written {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), written)
	}
	got := new(pb.Configuration)
	if err := Read([]byte(b.String()), got); err != nil || !proto.Equal(got, want) {
		t.Errorf("read %v, %v\nwant %v", got, err, want)
	}
}

func TestJSONIsWrittenAndReadBack(t *testing.T) {
	want := configuration(t, meant)
	for _, write := range []func(*strings.Builder) error{
		func(b *strings.Builder) error { return JSON(b, want) },
		func(b *strings.Builder) error { return JSONLine(b, want) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		got := new(pb.Configuration)
		if err := Read([]byte(b.String()), got); err != nil || !proto.Equal(got, want) {
			t.Errorf("read %v, %v\nwant %v", got, err, want)
		}
	}
}

func TestJSONPartHasWhatWasAskedForAndNothingElse(t *testing.T) {
	c := configuration(t, `nodes{name:"a"} nodes{name:"b" standby:true} properties{key:"x" value:"y"}`)
	want := `{
  "nodes": [
    {
      "name": "a"
    },
    {
      "name": "b",
      "standby": true
    }
  ],
  "groups": []
}
`
	var b strings.Builder
	if err := JSONPart(&b, c, "nodes", "groups"); err != nil || b.String() != want {
		t.Errorf("got %s, %v\nwant %s", b.String(), err, want)
	}
}

func TestReadTakesWhatPeopleWrite(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"numbers and truths as strings", "properties: {a: 32, b: true, c: 1.50, d: no}",
			`properties{key:"a" value:"32"} properties{key:"b" value:"true"} properties{key:"c" value:"1.50"} properties{key:"d" value:"no"}`},
		{"scores without quotes", "constraints: [{id: l, location: {resource: g, node: n, score: -50}}]",
			`constraints{id:"l" location{resource:"g" node:"n" score:-50}}`},
		{"names of JSON", "resourceDefaults: {a: b}", `resource_defaults{key:"a" value:"b"}`},
		{"truths", "nodes: [{name: a, standby: true}]", `nodes{name:"a" standby:true}`},
		{"nothing", "properties:\nresources: []\n", ``},
		{"kinds by number or name", "constraints: [{id: o, order: {first: a, then: b, kind: ORDER_KIND_OPTIONAL}}]",
			`constraints{id:"o" order{first:"a" then:"b" kind:ORDER_KIND_OPTIONAL}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := new(pb.Configuration)
			if err := Read([]byte(tt.text), got); err != nil {
				t.Fatal(err)
			}
			if want := configuration(t, tt.want); !proto.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestReadNamesTheLine(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
		want       string // the problem begins with it
	}{
		{"empty", "", 1, "the document is empty"},
		{"not fields", "- a\n", 1, "configuration has fields"},
		{"unknown field", "properties: {}\nresource:\n", 2, `unknown field "resource" of configuration; known are alerts, clones, constraints, devices`},
		{"unknown field deep inside", "resources:\n- id: a\n  agent: vip\n  operations:\n  - name: monitor\n    interfal: 30s\n", 6,
			`unknown field "interfal" of operation spec; known are interval, name, options, timeout`},
		{"twice", "nodes: []\nnodes: []\n", 2, `field "nodes" is given twice`},
		{"bad number", "constraints:\n- id: l\n  location:\n    score: abc\n", 4, "invalid value for int64"},
		{"bad duration", "resources:\n- id: a\n  operations:\n  - name: monitor\n    interval: 30\n", 5, "invalid google.protobuf.Duration"},
		{"bad truth", "nodes:\n- name: a\n\n  # a comment\n  standby: perhaps\n", 5, "invalid value for bool"},
		{"not a list", "groups:\n  id: g\n", 2, `field "groups" wants a list`},
		{"list for a value", "nodes:\n- name: [a]\n", 2, `field "name" wants one value`},
		{"map for a list", "properties:\n- a\n", 2, `field "properties" wants NAME: VALUE`},
		{"two documents", "properties: {}\n---\nproperties: {}\n", 2, "a second document begins"},
		{"no YAML", "properties:\n  a: b\n c: d\n", 2, "did not find expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Read([]byte(tt.text), new(pb.Configuration))
			var at *LineError
			if !errors.As(err, &at) {
				t.Fatalf("got %v, want a *LineError", err)
			}
			if at.Line != tt.line || !strings.HasPrefix(at.Problem, tt.want) {
				t.Errorf("got %v\nwant line %d: %s…", err, tt.line, tt.want)
			}
		})
	}
}
