package state

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// edit reads an edit in prototext.
func edit(t *testing.T, text string) *pb.Edit {
	t.Helper()
	e := new(pb.Edit)
	if err := prototext.Unmarshal([]byte(text), e); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func create(constraint string) string {
	return "create_constraint{constraint{" + constraint + "}}"
}

const (
	pingdRule = `location{resource:"vip" score:-1000000 rule{conditions{attribute{attribute:"pingd" comparison:COMPARISON_NOT_DEFINED}}}}`
	threeSet  = `sets{resources:["vip","db","web"]}`
)

func TestConstraintsBeyondPairs(t *testing.T) {
	tests := []struct {
		name, constraint string
		want             string // id, or what the refusal says after a !
	}{
		{"a rule has an id that tells it", pingdRule, "location-vip-rule"},
		{"rules of several resources", strings.Replace(pingdRule, "vip", "db", 1), "location-db-rule"},
		{"a score in an attribute", strings.Replace(pingdRule, "score:-1000000", `score:5 score_attribute:"pingd"`, 1), "location-vip-rule"},
		{"sets are told by their ends", `colocation{score:5 ` + threeSet + `}`, "colocation-set-vip-web"},
		{"an order of sets", `order{` + threeSet + `}`, "order-set-vip-web"},
		{"stops, one after the other", `order{first:"vip" then:"db" first_action:ORDER_ACTION_STOP then_action:ORDER_ACTION_STOP}`, "order-vip-db-mandatory"},
		{"a start after a stop, one way", `order{first:"vip" then:"db" first_action:ORDER_ACTION_STOP asymmetrical:true}`, "order-vip-db-mandatory"},
		{"by an attribute, and without influence", `colocation{resource:"db" with:"vip" score:5 node_attribute:"rack" influence:false}`, "colocation-db-vip-5"},
		{"probes nowhere else", `location{resource:"db" node:"na" score:5 discovery:DISCOVERY_EXCLUSIVE}`, "location-db-na-5"},

		{"a rule and a node", strings.Replace(pingdRule, "score", `node:"na" score`, 1), "!location: it has a node and a rule; give one of them"},
		{"an attribute's score without a rule", `location{resource:"db" node:"na" score_attribute:"x"}`, "!score-attribute: only a rule can take its score"},
		{"an unknown discovery", `location{resource:"db" node:"na" discovery:7}`, "!resource-discovery: 7 is none; use always or exclusive"},
		{"a node that is never looked at", `location{resource:"db" node:"na" discovery:DISCOVERY_NEVER}`, "!resource-discovery: never is not available: nothing starts before every node was looked at; leave it out"},
		{"one of several is enough", `order{sets{resources:["vip","db"] any:true} sets{resources:"web"}}`, "order-set-vip-web"},
		{"one of several stops", `order{sets{resources:["vip","db"] any:true action:ORDER_ACTION_STOP}}`, "!require-all: only of starts and promotions one can be enough"},
		{"one of what is one", `order{first:"vip" then:"db" any_instance:true}`, `!require-all: "vip" is no clone, of which one instance could be enough`},
		{"a rule of nobody", strings.Replace(pingdRule, "vip", "none", 1), `!there is no resource or group "none"`},
		{"sets and resources", `order{first:"vip" then:"db" ` + threeSet + `}`, "!order: it has resources and sets"},
		{"one resource", `order{sets{resources:"vip"}}`, "!set: vip alone binds nothing; name two resources or more"},
		{"an empty set", `order{sets{}}`, "!set: it is empty"},
		{"one set without sequence", `colocation{sets{resources:["vip","db"] parallel:true}}`, "!the only set, without a sequence, binds nothing"},
		{"a resource twice", `colocation{sets{resources:["vip","db"]} sets{resources:"vip"}}`, "!resource: vip cannot be placed with itself"},
		{"a resource that is not", `order{sets{resources:["vip","nix"]}}`, `!there is no resource or group "nix"`},
		{"an option of orders", `colocation{sets{resources:["vip","db"] any:true}}`, "!colocation set: action and require-all are options of orders"},
		{"sets by an attribute", `colocation{node_attribute:"rack" ` + threeSet + `}`, "!node-attribute: a colocation of sets cannot have it"},
		{"a stop after a start", `order{first:"vip" then:"db" then_action:ORDER_ACTION_STOP}`, "!order: a stop or demotion after a start or promotion is not available in this version"},
		{"a start after a stop, both ways", `order{first:"vip" then:"db" first_action:ORDER_ACTION_STOP}`, "!order: a start after a stop cannot be symmetrical; add symmetrical=false"},
		{"sets in a circle", `order{sets{resources:["vip","web","db"]} sets{resources:["web"]}}`, "!resource: web cannot be ordered after itself"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run("create web")
			err := c.propose(change(edit(t, create(tt.constraint))))
			if want, refused := strings.CutPrefix(tt.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s\n got %v\nwant %s", tt.constraint, err, want)
				}
				return
			}
			if got := configuration(c.state()); err != nil || got != tt.want {
				t.Errorf("%s\n got %s, %v\nwant %s", tt.constraint, got, err, tt.want)
			}
		})
	}
}

func TestOrdersOfStopsGoInNoCircleOfTheirOwn(t *testing.T) {
	stops := func(first, then, more string) string {
		return create(`order{first:"` + first + `" then:"` + then + `" first_action:ORDER_ACTION_STOP then_action:ORDER_ACTION_STOP ` + more + `}`)
	}
	starts := create(`order{first:"vip" then:"db"}`)
	startsOnly := create(`order{first:"vip" then:"db" asymmetrical:true}`)
	for _, tt := range []struct{ name, first, second, want string }{
		{"first in, first out", startsOnly, stops("vip", "db", "asymmetrical:true"), ""},
		{"what starts first stops last, twice said", starts, stops("db", "vip", ""), ""},
		{"stops against the starts' reverse", starts, stops("vip", "db", "asymmetrical:true"), "goes in a circle"},
		{"starts against the stops' reverse", startsOnly, stops("vip", "db", ""), "goes in a circle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			if err := c.propose(change(edit(t, tt.first))); err != nil {
				t.Fatal(err)
			}
			err := c.propose(change(edit(t, tt.second)))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestADeletedResourceLeavesItsSets(t *testing.T) {
	c := newCluster(t)
	c.run("create web")
	for _, k := range []string{`id:"three" order{` + threeSet + `}`, `id:"two" colocation{score:5 sets{resources:["vip","web"]}}`} {
		if err := c.propose(change(edit(t, create(k)))); err != nil {
			t.Fatal(err)
		}
	}
	c.run("delete web")
	if got, want := describeConstraint(c.state().Constraints[0]), "(vip db) in order, mandatory"; len(c.state().Constraints) != 1 || got != want {
		t.Errorf("left are %v, want %s alone", c.state().Constraints, want)
	}
}

func TestARuleFollowsANodeThatIsRenamed(t *testing.T) {
	c := newCluster(t)
	rule := `location{resource:"vip" score:5 rule{any:true conditions{attribute{attribute:"#uname" comparison:COMPARISON_EQ value:"NA"}}
		conditions{attribute{attribute:"site" comparison:COMPARISON_EQ value:"na"}}}}`
	if err := c.propose(change(edit(t, create(rule)))); err != nil {
		t.Fatal(err)
	}
	if err := c.propose(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "a", Name: "new"}}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := describeConstraint(c.state().Constraints[0]), "vip on nodes where #uname eq new or site eq na with score 5"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestUtilization(t *testing.T) {
	c := newCluster(t)
	node := func(values string) error { return c.propose(change(edit(t, `update_node{name:"na" `+values+`}`))) }
	vip := func(values string) error { return c.propose(change(edit(t, `update_resource{id:"vip" `+values+`}`))) }
	for _, set := range []func(string) error{node, vip} {
		for values, want := range map[string]string{
			`set_utilization{key:"cpu" value:"many"}`: `utilization cpu: "many" is no amount; use a whole number from 0`,
			`set_utilization{key:"cpu" value:"-1"}`:   `utilization cpu: "-1" is no amount`,
			`set_utilization{key:"c u" value:"1"}`:    `utilization: "c u" has letters`,
		} {
			if err := set(values); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s answered %v, want %s", values, err, want)
			}
		}
		if err := set(`set_utilization{key:"cpu" value:"04"} set_utilization{key:"mem" value:"1"}`); err != nil {
			t.Fatal(err)
		}
		if err := set(`set_utilization{key:"mem" value:""}`); err != nil {
			t.Fatal(err)
		}
	}
	if n, r := NodeByName(c.state(), "na").Utilization, ResourceByID(c.state(), "vip").Utilization; len(n) != 1 || n["cpu"] != "4" || len(r) != 1 || r["cpu"] != "4" {
		t.Errorf("kept are %v and %v, want cpu=4 each", n, r)
	}
	before := proto.CloneOf(Configuration(c.state()))
	replace := &pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: proto.CloneOf(before)}}}
	if err := c.propose(change(replace)); err != nil || !proto.Equal(before, Configuration(c.state())) {
		t.Errorf("replaced by itself: %v\n got %v\nwant %v", err, Configuration(c.state()), before)
	}
	c.run("group g vip")
	if err := c.propose(change(edit(t, `update_resource{id:"g" set_utilization{key:"cpu" value:"1"}}`))); err == nil || !strings.Contains(err.Error(), "update its members") {
		t.Errorf("utilization of a group answered %v", err)
	}
}
