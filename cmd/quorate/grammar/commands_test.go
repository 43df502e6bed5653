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
	operations{name:"monitor" options{key:"on-fail" value:"ignore"}}
	server_orders{service:"app" server:"a" mode:SERVER_MODE_DRAIN} server_orders{service:"app" server:"b" mode:SERVER_MODE_DISABLED weight:0}}
groups{id:"g" members:"VirtualIP" members:"Web" meta{key:"resource-stickiness" value:"7"}}
constraints{id:"l" location{resource:"g" node:"lvsm" score:-1000000}}
constraints{id:"c" colocation{resource:"Web" with:"VirtualIP" score:-5}}
constraints{id:"o" order{first:"VirtualIP" then:"Web" kind:ORDER_KIND_SERIALIZE asymmetrical:true}}
constraints{id:"lr" location{resource:"g" score:7 discovery:DISCOVERY_EXCLUSIVE rule{any:true
	conditions{attribute{attribute:"site" comparison:COMPARISON_EQ value:"a b"}} conditions{date{operation:DATE_OPERATION_SPEC spec{key:"hours" value:"9-16"}}}}}}
constraints{id:"ld" location{resource:"g" node:"lvsm" score:7 discovery:DISCOVERY_NEVER}}
constraints{id:"cs" colocation{score:1000000 influence:false sets{resources:["VirtualIP","Web"] parallel:true} sets{resources:"g"}}}
constraints{id:"cn" colocation{resource:"Web" with:"VirtualIP" score:5 node_attribute:"rack"}}
constraints{id:"os" order{sets{resources:["VirtualIP","Web"] action:ORDER_ACTION_STOP any:true}}}
alerts{id:"pager" path:"/bin/page" description:"to phone" options{key:"a" value:"1"} meta{key:"timeout" value:"10s"} select:["node","server-down"] resources:"g"
	recipients{id:"pager-recipient" value:"+49 1" meta{key:"enabled" value:"false"}}}
constraints{id:"ox" order{first:"VirtualIP" then:"Web" first_action:ORDER_ACTION_STOP any_instance:true}}
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
constraint order VirtualIP then Web kind=Serialize symmetrical=false id=o
constraint location g rule constraint-id=lr resource-discovery=exclusive score=7 site eq '"a b"' or date-spec hours=9-16
constraint location add ld g lvsm 7 resource-discovery=never
constraint colocation set VirtualIP Web sequential=false set g setoptions score=INFINITY influence=false id=cs
constraint colocation add Web with VirtualIP 5 node-attribute=rack id=cn
constraint order set VirtualIP Web action=stop require-all=false setoptions id=os
constraint order stop VirtualIP then start Web require-all=false id=ox
server drain a --resource Web --service app --kept
server disable b --resource Web --service app --kept
server weight b 0 --resource Web --service app --kept
alert create path=/bin/page id=pager 'description=to phone' options a=1 meta timeout=10s select node server-down resources g
alert recipient add pager 'value=+49 1' id=pager-recipient meta enabled=false`
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
	var alerts []*pb.Alert
	for _, words := range Commands(c) {
		switch words[0] {
		case "alert":
			alerts = readAlert(t, words[1:], alerts)
		case "constraint":
			constraints = append(constraints, readConstraint(t, words[1:]))
		case "resource":
			if words[1] != "create" {
				continue
			}
			edits, err := CreateResource(words[2:], Placement{})
			if err != nil {
				t.Fatal(err)
			}
			resources = append(resources, edits[0].GetCreateResource().GetResource())
		}
	}
	resources[1].Parameters["odd"] = strings.TrimPrefix(resources[1].GetParameters()["odd"], "@") // done where files are read
	resources[1].ServerOrders = c.GetResources()[1].GetServerOrders()                             // kept by commands of their own
	got := &pb.Configuration{Resources: resources, Constraints: constraints, Alerts: alerts}
	want := &pb.Configuration{Resources: c.GetResources(), Constraints: c.GetConstraints(), Alerts: c.GetAlerts()}
	if !proto.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// readAlert reads the words after "alert": an alert, or a recipient of the last one.
func readAlert(t *testing.T, words []string, all []*pb.Alert) []*pb.Alert {
	t.Helper()
	if words[0] == "create" {
		a, err := CreateAlert(words[1:])
		if err != nil {
			t.Fatal(err)
		}
		return append(all, a)
	}
	r, err := AddRecipient(words[2:])
	if err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	last.Recipients = append(last.Recipients, r.GetRecipient())
	return all
}

// readConstraint reads the words after "constraint" as the command does that
// they name.
func readConstraint(t *testing.T, words []string) *pb.Constraint {
	t.Helper()
	parse, from := one(LocationAdd), 2
	switch words[0] + " " + words[1] {
	case "location add":
	case "colocation add":
		parse = one(Colocation)
	case "colocation set":
		parse = one(ColocationSet)
	case "order set":
		parse = one(OrderSet)
	default:
		from = 1
		parse = map[string]func([]string) ([]*pb.Edit, error){"location": Location, "order": one(Order)}[words[0]]
	}
	edits, err := parse(words[from:])
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	return edits[0].GetCreateConstraint().GetConstraint()
}
