package grammar

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// one makes a parser of one edit look like a parser of many.
func one(parse func([]string) (*pb.Edit, error)) func([]string) ([]*pb.Edit, error) {
	return func(words []string) ([]*pb.Edit, error) {
		e, err := parse(words)
		return []*pb.Edit{e}, err
	}
}

// parsers by the words that a line begins with, longest first.
var parsers = []struct {
	prefix string
	parse  func([]string) ([]*pb.Edit, error)
}{
	{"resource create --group web --before B", func(w []string) ([]*pb.Edit, error) {
		return CreateResource(w, Placement{Group: "web", Before: "B"})
	}},
	{"resource create --group web --before B --after C", func(w []string) ([]*pb.Edit, error) {
		return CreateResource(w, Placement{Group: "web", Before: "B", After: "C"})
	}},
	{"resource create --after C", func(w []string) ([]*pb.Edit, error) {
		return CreateResource(w, Placement{After: "C"})
	}},
	{"resource create --group web", func(w []string) ([]*pb.Edit, error) {
		return CreateResource(w, Placement{Group: "web"})
	}},
	{"resource create", func(w []string) ([]*pb.Edit, error) { return CreateResource(w, Placement{}) }},
	{"resource clone", one(CloneResource)},
	{"resource update", func(w []string) ([]*pb.Edit, error) {
		u, err := UpdateResource(w)
		return []*pb.Edit{{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}}, err
	}},
	{"resource op defaults update", func(w []string) ([]*pb.Edit, error) {
		e, err := SetOptions(pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS, w)
		return []*pb.Edit{e}, err
	}},
	{"resource defaults update", func(w []string) ([]*pb.Edit, error) {
		e, err := SetOptions(pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS, w)
		return []*pb.Edit{e}, err
	}},
	{"resource meta", func(w []string) ([]*pb.Edit, error) {
		u, err := UpdateResource(append([]string{w[0], "meta"}, w[1:]...))
		return []*pb.Edit{{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}}, err
	}},
	{"constraint location add", one(LocationAdd)},
	{"constraint location", Location},
	{"constraint colocation add", one(Colocation)},
	{"constraint colocation set", one(ColocationSet)},
	{"constraint order set", one(OrderSet)},
	{"constraint order", one(Order)},
	{"property set", func(w []string) ([]*pb.Edit, error) {
		e, err := SetOptions(pb.OptionScope_OPTION_SCOPE_CLUSTER, w)
		return []*pb.Edit{e}, err
	}},
	{"node attribute", one(SetAttributes)},
}

// parse reads a command line as a shell without quotes would.
func parse(line string) ([]*pb.Edit, error) {
	best := -1
	for i, p := range parsers {
		if strings.HasPrefix(line, p.prefix) && (best < 0 || len(p.prefix) > len(parsers[best].prefix)) {
			best = i
		}
	}
	p := parsers[best]
	return p.parse(ProtectScores(strings.Fields(line))[len(strings.Fields(p.prefix)):])
}

func TestEdits(t *testing.T) {
	tests := []struct {
		line string
		want []string // edits in prototext
	}{
		{"property set stonith-enabled=false", []string{
			`set_options{scope:OPTION_SCOPE_CLUSTER set{key:"stonith-enabled" value:"false"}}`}},
		{"property set no-quorum-policy=stop symmetric-cluster=", []string{
			`set_options{scope:OPTION_SCOPE_CLUSTER set{key:"no-quorum-policy" value:"stop"} unset:"symmetric-cluster"}`}},
		{"resource defaults update resource-stickiness=100", []string{
			`set_options{scope:OPTION_SCOPE_RESOURCE_DEFAULTS set{key:"resource-stickiness" value:"100"}}`}},
		{"resource op defaults update timeout=60s", []string{
			`set_options{scope:OPTION_SCOPE_OPERATION_DEFAULTS set{key:"timeout" value:"60s"}}`}},
		{"node attribute lvsm rack=1 zone=", []string{
			`update_node{name:"lvsm" set_attributes{key:"rack" value:"1"} set_attributes{key:"zone" value:""}}`}},

		{"resource create VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5 cidr_netmask=32 op monitor interval=30s", []string{
			`create_resource{resource{id:"VirtualIP" agent:"ocf:heartbeat:IPaddr2"
				parameters{key:"ip" value:"10.0.0.5"} parameters{key:"cidr_netmask" value:"32"}
				operations{name:"monitor" interval{seconds:30}}}}`}},
		{"resource create WebService ocf:heartbeat:haproxy conffile=/etc/haproxy/haproxy.cfg op monitor interval=20 timeout=10", []string{
			`create_resource{resource{id:"WebService" agent:"ocf:heartbeat:haproxy"
				parameters{key:"conffile" value:"/etc/haproxy/haproxy.cfg"}
				operations{name:"monitor" interval{seconds:20} timeout{seconds:10}}}}`}},
		{"resource create Web haproxy op monitor interval=10s clone", []string{
			`create_resource{resource{id:"Web" agent:"haproxy" operations{name:"monitor" interval{seconds:10}}}}`,
			`clone_resource{clone{member:"Web"}}`}},
		{"resource create Web haproxy meta priority=5 clone webs clone-max=2 meta interleave=true op monitor", []string{
			`create_resource{resource{id:"Web" agent:"haproxy" meta{key:"priority" value:"5"} operations{name:"monitor" interval{seconds:60}}}}`,
			`clone_resource{clone{id:"webs" member:"Web" meta{key:"clone-max" value:"2"} meta{key:"interleave" value:"true"}}}`}},
		{"resource clone Web", []string{`clone_resource{clone{member:"Web"}}`}},
		{"resource clone site sites meta ordered=true", []string{
			`clone_resource{clone{id:"sites" member:"site" meta{key:"ordered" value:"true"}}}`}},
		{"resource clone Web clone-max=2", []string{`clone_resource{clone{member:"Web" meta{key:"clone-max" value:"2"}}}`}},

		{"resource create A vip ip=::1 op start timeout=1m stop timeout=500ms op monitor on-fail=ignore meta priority=5 failback=manual", []string{
			`create_resource{resource{id:"A" agent:"vip" parameters{key:"ip" value:"::1"}
				operations{name:"start" timeout{seconds:60}} operations{name:"stop" timeout{nanos:500000000}}
				operations{name:"monitor" interval{seconds:60} options{key:"on-fail" value:"ignore"}}
				meta{key:"priority" value:"5"} meta{key:"failback" value:"manual"}}}`}},
		{"resource create A vip op monitor interval=0", []string{
			`create_resource{resource{id:"A" agent:"vip" operations{name:"monitor"}}}`}},
		{"resource create A vip conf=a=b", []string{
			`create_resource{resource{id:"A" agent:"vip" parameters{key:"conf" value:"a=b"}}}`}},
		{"resource create --group web A vip", []string{
			`create_resource{resource{id:"A" agent:"vip"} group:"web"}`}},
		{"resource create --group web --before B A vip", []string{
			`create_resource{resource{id:"A" agent:"vip"}}`,
			`add_to_group{group:"web" resources:"A" before:"B"}`}},
		{"resource update VirtualIP ip=10.0.0.6 nic= op monitor interval=10s meta priority=", []string{
			`update_resource{id:"VirtualIP" set_parameters{key:"ip" value:"10.0.0.6"} unset_parameters:"nic"
				unset_meta:"priority" set_operations{name:"monitor" interval{seconds:10}}}`}},
		{"resource meta web target-role=Stopped priority=", []string{
			`update_resource{id:"web" set_meta{key:"target-role" value:"Stopped"} unset_meta:"priority"}`}},

		{"constraint location WebService prefers lvsm=50", []string{
			`create_constraint{constraint{location{resource:"WebService" node:"lvsm" score:50}}}`}},
		{"constraint location WebService prefers lvsm lvss=-10", []string{
			`create_constraint{constraint{location{resource:"WebService" node:"lvsm" score:1000000}}}`,
			`create_constraint{constraint{location{resource:"WebService" node:"lvss" score:-10}}}`}},
		{"constraint location resource%WebService avoids lvsm lvss=50 web1=-INFINITY", []string{
			`create_constraint{constraint{location{resource:"WebService" node:"lvsm" score:-1000000}}}`,
			`create_constraint{constraint{location{resource:"WebService" node:"lvss" score:-50}}}`,
			`create_constraint{constraint{location{resource:"WebService" node:"web1" score:1000000}}}`}},
		{"constraint location add keep-off A lvsm -INFINITY", []string{
			`create_constraint{constraint{id:"keep-off" location{resource:"A" node:"lvsm" score:-1000000}}}`}},
		{"constraint location add like A lvsm -50", []string{
			`create_constraint{constraint{id:"like" location{resource:"A" node:"lvsm" score:-50}}}`}},
		{"constraint location add only A lvsm 5 resource-discovery=exclusive", []string{
			`create_constraint{constraint{id:"only" location{resource:"A" node:"lvsm" score:5 discovery:DISCOVERY_EXCLUSIVE}}}`}},
		{"constraint location A rule rack eq -1", []string{
			`create_constraint{constraint{location{resource:"A" score:1000000 rule{conditions{attribute{attribute:"rack" comparison:COMPARISON_EQ value:"-1"}}}}}}`}},
		{"constraint location A rule id=r constraint-id=l score=-INFINITY not_defined pingd", []string{
			`create_constraint{constraint{id:"l" location{resource:"A" score:-1000000 rule{conditions{attribute{attribute:"pingd" comparison:COMPARISON_NOT_DEFINED}}}}}}`}},
		{"constraint location A rule score-attribute=pingd resource-discovery=never defined pingd", []string{
			`create_constraint{constraint{location{resource:"A" score_attribute:"pingd" discovery:DISCOVERY_NEVER rule{conditions{attribute{attribute:"pingd" comparison:COMPARISON_DEFINED}}}}}}`}},

		{"constraint colocation set A B sequential=false set C D setoptions score=-5 id=c", []string{
			`create_constraint{constraint{id:"c" colocation{score:-5 sets{resources:["A","B"] parallel:true} sets{resources:["C","D"]}}}}`}},
		{"constraint colocation set A B", []string{
			`create_constraint{constraint{colocation{score:1000000 sets{resources:["A","B"]}}}}`}},
		{"constraint order set A B action=stop set C require-all=false setoptions kind=Serialize symmetrical=false", []string{
			`create_constraint{constraint{order{kind:ORDER_KIND_SERIALIZE asymmetrical:true
				sets{resources:["A","B"] action:ORDER_ACTION_STOP} sets{resources:"C" any:true}}}}`}},
		{"constraint order stop A then start B require-all=false", []string{
			`create_constraint{constraint{order{first:"A" then:"B" first_action:ORDER_ACTION_STOP any_instance:true}}}`}},
		{"constraint order stop A then B", []string{
			`create_constraint{constraint{order{first:"A" then:"B" first_action:ORDER_ACTION_STOP then_action:ORDER_ACTION_STOP}}}`}},
		{"constraint colocation add A with B 5 influence=false node-attribute=rack", []string{
			`create_constraint{constraint{colocation{resource:"A" with:"B" score:5 node_attribute:"rack" influence:false}}}`}},

		{"constraint colocation add WebService with VirtualIP INFINITY", []string{
			`create_constraint{constraint{colocation{resource:"WebService" with:"VirtualIP" score:1000000}}}`}},
		{"constraint colocation add WebService with VirtualIP", []string{
			`create_constraint{constraint{colocation{resource:"WebService" with:"VirtualIP" score:1000000}}}`}},
		{"constraint colocation add WebSite ClusterIP INFINITY", []string{
			`create_constraint{constraint{colocation{resource:"WebSite" with:"ClusterIP" score:1000000}}}`}},
		{"constraint colocation add Started A with Started B -inf id=apart", []string{
			`create_constraint{constraint{id:"apart" colocation{resource:"A" with:"B" score:-1000000}}}`}},
		{"constraint colocation add A with B score=-7", []string{
			`create_constraint{constraint{colocation{resource:"A" with:"B" score:-7}}}`}},
		{"constraint colocation add master with slave", []string{
			`create_constraint{constraint{colocation{resource:"master" with:"slave" score:1000000}}}`}},

		{"constraint order VirtualIP then WebService", []string{
			`create_constraint{constraint{order{first:"VirtualIP" then:"WebService"}}}`}},
		{"constraint order start A then start B", []string{
			`create_constraint{constraint{order{first:"A" then:"B"}}}`}},
		{"constraint order A then B kind=optional symmetrical=false id=ab", []string{
			`create_constraint{constraint{id:"ab" order{first:"A" then:"B" kind:ORDER_KIND_OPTIONAL asymmetrical:true}}}`}},
		{"constraint order start then stop", []string{
			`create_constraint{constraint{order{first:"start" then:"stop"}}}`}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			edits, err := parse(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if len(edits) != len(tt.want) {
				t.Fatalf("got %d edits, want %d: %v", len(edits), len(tt.want), edits)
			}
			for i, text := range tt.want {
				want := new(pb.Edit)
				if err := prototext.Unmarshal([]byte(text), want); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(edits[i], want) {
					t.Errorf("edit %d\n got %v\nwant %v", i, edits[i], want)
				}
			}
		})
	}
}

func TestBadWordsAreNamed(t *testing.T) {
	tests := []struct{ line, want string }{
		{"resource create A", `a resource needs an id and a type; write for example VirtualIP ocf:heartbeat:IPaddr2 ip=10.0.0.5`},
		{"resource create A ip=1.2.3.4", `"ip=1.2.3.4" stands where the id and the type belong; write ID TYPE first, then NAME=VALUE`},
		{"resource create A vip 10.0.0.5", `"10.0.0.5" is not a parameter; write NAME=VALUE`},
		{"resource create A vip =5", `"=5" has no name before the =; write NAME=VALUE`},
		{"resource create A vip ip=a ip=b", `parameter "ip" is given twice`},
		{"resource create A vip op", `"op" is followed by nothing; write for example op monitor interval=30s`},
		{"resource create A vip op interval=5s", `"interval=5s" stands where an operation belongs; write for example op monitor interval=5s`},
		{"resource create A vip op monitor interval=soon", `op monitor interval: "soon" is not a time; write for example 20s, 500ms, 10m or 1h`},
		{"resource create A vip op monitor interval=-5", `op monitor interval: "-5" is not a time; write for example 20s, 500ms, 10m or 1h`},
		{"resource create A vip bundle", `"bundle": bundles are not available; leave it out`},
		{"resource create --group web A vip clone", `clone and --group exclude each other; clone the group with "resource clone web"`},
		{"resource create A vip clone 2 copies", `"copies" is not a meta attribute; write NAME=VALUE`},
		{"resource update A clone", `"clone" stands in an update; use "resource clone A"`},
		{"resource clone", `a clone needs the id of a resource or group; write for example Web clone-max=2`},
		{"resource clone clone-max=2", `a clone needs the id of a resource or group; write for example Web clone-max=2`},
		{"resource create --after C A vip", `--before and --after need --group`},
		{"resource create --group web --before B --after C A vip", `--before and --after exclude each other`},
		{"resource update A", `an update needs an id and what to change; write for example VirtualIP ip=10.0.0.6`},
		{"constraint location A prefers lvsm=abc", `score "abc" is not a number or INFINITY; write a whole number, INFINITY or -INFINITY`},
		{"constraint location A prefers lvsm=", `score "" is not a number or INFINITY; write a whole number, INFINITY or -INFINITY`},
		{"constraint location A prefers lvsm=1.5", `score "1.5" is not a number or INFINITY; write a whole number, INFINITY or -INFINITY`},
		{"constraint location A prefers", `"prefers" is followed by no node; write RESOURCE prefers NODE[=SCORE], RESOURCE avoids NODE[=SCORE] or RESOURCE rule EXPRESSION`},
		{"constraint location A likes lvsm", `"likes" is none of prefers, avoids and rule; write RESOURCE prefers NODE[=SCORE], RESOURCE avoids NODE[=SCORE] or RESOURCE rule EXPRESSION`},
		{"constraint location regexp%A.* prefers lvsm", `"regexp%A.*": patterns are not supported by this version; name one resource`},
		{"constraint location A rule score=5", `the rule has no expression; ` + ruleUsage},
		{"constraint location A rule score=5 score-attribute=b x eq 1", `score and score-attribute are both given; give one of them`},
		{"constraint location A rule resource-discovery=often x eq 1", `resource-discovery "often" is not known; write always or exclusive`},
		{"constraint location A rule when=now x eq 1", `rule option "when" is not known; known are id, constraint-id, resource-discovery, role, score, score-attribute`},
		{"constraint location add l A n 5 discover=never", `location option "discover" is not known; known are resource-discovery, role`},
		{"constraint colocation set setoptions score=5", `a set has no resources; write colocation set RESOURCE RESOURCE…`},
		{"constraint colocation set A B action=start", `set option "action" is not known; known are sequential, role`},
		{"constraint order set A B set", `a set has no resources; write order set RESOURCE RESOURCE…`},
		{"constraint order set A B sequential=maybe", `sequential: "maybe" is neither true nor false`},
		{"constraint order A then B require-all=5", `require-all: "5" is neither true nor false`},
		{"constraint location add id A lvsm", `location add needs four words and got 3; write ID RESOURCE NODE SCORE`},
		{"constraint colocation add A with", `a colocation needs two resources; write RESOURCE with RESOURCE [SCORE]`},
		{"constraint colocation add A with B lots", `score "lots" is not a number or INFINITY; write a whole number, INFINITY or -INFINITY`},
		{"constraint colocation add A with B 5 rsc-role=no", `colocation option "rsc-role" is not known; known are id, score, influence, node-attribute`},
		{"constraint colocation add A with B 5 influence=maybe", `influence: "maybe" is neither true nor false`},
		{"constraint order A B", `an order needs the word "then"; write RESOURCE then RESOURCE`},
		{"constraint order A then", `an order needs a resource on both sides of "then"; write RESOURCE then RESOURCE`},
		{"constraint order A B then C", `"B" stands before "then"; write RESOURCE then RESOURCE`},
		{"constraint order A then B kind=sometimes", `kind "sometimes" is not known; write Mandatory, Optional or Serialize`},
		{"constraint order A then B symmetrical=maybe", `symmetrical: "maybe" is neither true nor false`},
		{"property set", `no property is given; write NAME=VALUE`},
		{"property set stonith-enabled", `"stonith-enabled" is not a property; write NAME=VALUE`},
		{"node attribute lvsm", `no attribute is given; write NODE NAME=VALUE`},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			_, err := parse(tt.line)
			if !errors.As(err, new(*Error)) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got %s\nwant %s", err, tt.want)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	tests := []struct {
		word string
		want time.Duration
		back string
	}{
		{"20", 20 * time.Second, "20s"},
		{"20s", 20 * time.Second, "20s"},
		{"1.5", 1500 * time.Millisecond, "1.5s"},
		{"250ms", 250 * time.Millisecond, "250ms"},
		{"250us", 250 * time.Microsecond, "250us"},
		{"10min", 10 * time.Minute, "10m"},
		{"1h", time.Hour, "1h"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"90sec", 90 * time.Second, "1m30s"},
		{"0", 0, "0s"},
	}
	for _, tt := range tests {
		got, err := ParseDuration("interval", tt.word)
		if err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.word, got, err, tt.want)
		}
		if back := FormatDuration(got); back != tt.back {
			t.Errorf("FormatDuration(%v) = %q, want %q", got, back, tt.back)
		}
	}
	for _, word := range []string{"", "s", "abc", "1x", "1m30", "-1s", "1e9", "9999999999h", "1..2s"} {
		if d, err := ParseDuration("interval", word); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", word, d)
		}
	}
}

func TestScoresBeyondInfinityAreInfinity(t *testing.T) {
	tests := []struct {
		word string
		want int64
		back string
	}{
		{"0", 0, "0"}, {"+7", 7, "7"}, {"-7", -7, "-7"}, {Minus + "7", -7, "-7"},
		{"infinity", Infinity, "INFINITY"}, {"+INFINITY", Infinity, "INFINITY"}, {"-INF", -Infinity, "-INFINITY"},
		{"1000001", Infinity, "INFINITY"}, {"99999999999999999999", Infinity, "INFINITY"},
		{"-99999999999999999999", -Infinity, "-INFINITY"},
	}
	for _, tt := range tests {
		got, err := ParseScore(tt.word)
		if err != nil || got != tt.want {
			t.Errorf("ParseScore(%q) = %v, %v, want %v", tt.word, got, err, tt.want)
		}
		if back := FormatScore(got); back != tt.back {
			t.Errorf("FormatScore(%d) = %q, want %q", got, back, tt.back)
		}
	}
	for _, word := range []string{"", "-", "--5", "+-5", "5 ", "0x5", "INFINITE"} {
		if n, err := ParseScore(word); err == nil {
			t.Errorf("ParseScore(%q) = %d, want an error", word, n)
		}
	}
}

func TestOnlyNegativeScoresAreProtected(t *testing.T) {
	in := "constraint colocation add A with B -INFINITY -50 -n --wait -5x -- -50"
	want := "constraint colocation add A with B −INFINITY −50 -n --wait -5x -- -50"
	if got := strings.Join(ProtectScores(strings.Fields(in)), " "); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	in = "cluster auth lvsm -p -1234"
	if got := strings.Join(ProtectScores(strings.Fields(in)), " "); got != in {
		t.Errorf("a password that looks like a score: got %s, want %s", got, in)
	}
}

func TestHosts(t *testing.T) {
	tests := []struct{ flag, line, want, skipped string }{
		{"auth_cluster", "lvsm lvss web1",
			`name:"auth_cluster" hosts{name:"lvsm"} hosts{name:"lvss"} hosts{name:"web1"}`, ""},
		{"", "c a addr=10.0.0.1 addr=10.1.0.1 b addr=10.0.0.2:7481 w",
			`name:"c" hosts{name:"a" addresses:["10.0.0.1","10.1.0.1"]} hosts{name:"b" addresses:"10.0.0.2:7481"} hosts{name:"w"}`, ""},
		{"c", "a,a-alt b,b-alt",
			`name:"c" hosts{name:"a" addresses:["a","a-alt"]} hosts{name:"b" addresses:["b","b-alt"]}`, ""},
		{"", "c a b transport knet link linknumber=1 totem token=5000 link x=1",
			`name:"c" hosts{name:"a"} hosts{name:"b"}`, "transport link totem"},
	}
	for _, tt := range tests {
		want := new(pb.SetupRequest)
		if err := prototext.Unmarshal([]byte(tt.want), want); err != nil {
			t.Fatal(err)
		}
		got, skipped, err := Setup(tt.flag, strings.Fields(tt.line))
		if err != nil || !proto.Equal(got, want) || strings.Join(skipped, " ") != tt.skipped {
			t.Errorf("Setup(%q, %q)\n got %v, %v, %v\nwant %v, %s", tt.flag, tt.line, got, skipped, err, want, tt.skipped)
		}
	}
	for line, want := range map[string]string{
		"":               "the cluster has no name; write NAME NODE NODE …",
		"c":              `cluster "c" has no nodes; write NAME NODE NODE …`,
		"c addr=1.2.3.4": `"addr=1.2.3.4" belongs to no node; write NODE addr=ADDRESS`,
		"c a b a":        `node "a" is given twice`,
		"c a port=5":     `"port=5" is not known here; write NODE [addr=ADDRESS]`,
	} {
		if _, _, err := Setup("", strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("Setup(%q)\n got %v\nwant %s", line, err, want)
		}
	}
}

func TestUpdateReplacesTheOperationOfThatName(t *testing.T) {
	u, err := UpdateResource(strings.Fields("A op monitor interval=10s op start timeout=5s"))
	if err != nil {
		t.Fatal(err)
	}
	have := new(pb.Resource)
	if err := prototext.Unmarshal([]byte(`operations{name:"monitor" interval{seconds:30}}
		operations{name:"monitor" interval{seconds:60}} operations{name:"start" timeout{seconds:9}}`), have); err != nil {
		t.Fatal(err)
	}
	ReplaceOperations(u, have.GetOperations())
	want := &pb.OperationSpec{Name: "monitor", Interval: have.GetOperations()[0].GetInterval()}
	if got := u.GetUnsetOperations(); len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("unset %v, want only %v", got, want)
	}
}
