package grammar

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

const exported = `
properties{key:"no-quorum-policy" value:"stop"}
resource_defaults{key:"failback" value:"window Sat 02:00-04:00"}
operation_defaults{key:"timeout" value:"60s"}
nodes{name:"lvsm" attributes{key:"rack" value:"a b"}}
nodes{name:"lvss" standby:true}
resources{id:"VirtualIP" agent:"ocf:heartbeat:IPaddr2" parameters{key:"ip" value:"10.0.0.5"}
	operations{name:"monitor" interval{seconds:90}} operations{name:"start" timeout{seconds:5}}}
resources{id:"Web" agent:"haproxy" parameters{key:"config" value:"global\n  # it's here\n"}
	parameters{key:"odd" value:"@home"} meta{key:"priority" value:"5"}
	operations{name:"monitor" options{key:"on-fail" value:"ignore"}}}
groups{id:"g" members:"VirtualIP" members:"Web" meta{key:"resource-stickiness" value:"7"}}
constraints{id:"l" location{resource:"g" node:"lvsm" score:-1000000}}
constraints{id:"c" colocation{resource:"Web" with:"VirtualIP" score:-5}}
constraints{id:"o" order{first:"VirtualIP" then:"Web" kind:ORDER_KIND_SERIALIZE asymmetrical:true}}
`

func TestCommands(t *testing.T) {
	c := new(pb.Configuration)
	if err := prototext.Unmarshal([]byte(exported), c); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, words := range Commands(c) {
		lines = append(lines, Shell(words))
	}
	want := `property set no-quorum-policy=stop
resource defaults update 'failback=window Sat 02:00-04:00'
resource op defaults update timeout=60s
node attribute lvsm 'rack=a b'
node standby lvss
resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5 op monitor interval=1m30s op start timeout=5s
resource create Web haproxy 'config=global
  # it'\''s here
' odd=@@home op monitor interval=0s on-fail=ignore meta priority=5
resource group add g VirtualIP Web
resource meta g resource-stickiness=7
constraint location add l g lvsm -INFINITY
constraint colocation add Web with VirtualIP -5 id=c
constraint order VirtualIP then Web kind=Serialize symmetrical=false id=o`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What is exported as commands makes the same resources and constraints again.
func TestCommandsReadBack(t *testing.T) {
	c := new(pb.Configuration)
	if err := prototext.Unmarshal([]byte(exported), c); err != nil {
		t.Fatal(err)
	}
	var resources []*pb.Resource
	var constraints []*pb.Constraint
	for _, words := range Commands(c) {
		switch words[0] + " " + words[1] {
		case "resource create":
			edits, err := CreateResource(words[2:], Placement{})
			if err != nil {
				t.Fatal(err)
			}
			resources = append(resources, edits[0].GetCreateResource().GetResource())
		case "constraint location":
			e, err := LocationAdd(words[3:])
			if err != nil {
				t.Fatal(err)
			}
			constraints = append(constraints, e.GetCreateConstraint().GetConstraint())
		case "constraint colocation":
			e, err := Colocation(words[3:])
			if err != nil {
				t.Fatal(err)
			}
			constraints = append(constraints, e.GetCreateConstraint().GetConstraint())
		case "constraint order":
			e, err := Order(words[2:])
			if err != nil {
				t.Fatal(err)
			}
			constraints = append(constraints, e.GetCreateConstraint().GetConstraint())
		}
	}
	resources[1].Parameters["odd"] = strings.TrimPrefix(resources[1].GetParameters()["odd"], "@") // done where files are read
	got := &pb.Configuration{Resources: resources, Constraints: constraints}
	want := &pb.Configuration{Resources: c.GetResources(), Constraints: c.GetConstraints()}
	if !proto.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}
