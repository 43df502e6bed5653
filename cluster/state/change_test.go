package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
)

// configuration tells of groups and constraints, in one line.
func configuration(s *pb.State) string {
	var out []string
	for _, g := range s.Groups {
		out = append(out, fmt.Sprintf("%s(%s)", g.Id, strings.Join(g.Members, " ")))
	}
	for _, c := range s.Constraints {
		out = append(out, c.Id)
	}
	return strings.Join(out, " ")
}

func TestChanges(t *testing.T) {
	tests := []struct {
		name   string
		script string
		want   string // configuration
	}{
		{"resources and groups share their ids", `
			group g vip
			! create vip: there is a resource vip already
			! create g: there is a group g already
			! group db vip: there is a resource db already`, "g(vip)"},
		{"ids are made of plain letters", `
			! create 1a: "1a" has letters that a name may not have
			! create a/b: use letters
			! create ä: use letters
			create _a.b-1`, ""},
		{"a group is made by its first member", `
			create web group=g
			group g vip db`, "g(web vip db)"},
		{"a member moves to another group, and an empty group ends", `
			group g vip
			order g db
			group h db
			! group h db: db is in group h already
			group h vip`, "h(db vip)"},
		{"groups hold resources that exist", `
			group g vip
			! group h g: g is a group itself
			! group h none: there is no resource or group "none"
			! group h vip vip: vip is named twice
			! group h: name at least one`, "g(vip)"},
		{"a dissolved group takes its constraints with it", `
			create web
			group g vip db
			colocation g web 10
			ungroup g vip
			! ungroup g vip: vip is not in group g
			! ungroup h: there is no resource or group "h"
			ungroup g`, ""},
		{"constraints get ids that tell what they are", `
			location vip na 50
			location vip nb -INFINITY
			colocation db vip INFINITY
			order vip db`, "colocation-db-vip-INFINITY location-vip-na-50 location-vip-nb--INFINITY order-vip-db-mandatory"},
		{"a preference that is said anew replaces the old one", `
			location vip na 50
			! location vip na 50: location-vip-na-50 says the same
			location vip na 100`, "location-vip-na-100"},
		{"one colocation and one order of a pair", `
			colocation db vip INFINITY
			! colocation db vip 5: colocation-db-vip-INFINITY says the same
			order vip db
			! order vip db optional: order-vip-db-mandatory says the same`, "colocation-db-vip-INFINITY order-vip-db-mandatory"},
		{"constraints name what exists", `
			! location none na 50: there is no resource or group "none"
			! location vipp na 50: did you mean "vip"?
			! location vip nz 50: there is no node "nz"
			! colocation vip none 5: there is no resource or group "none"
			! order none vip: there is no resource or group "none"
			! unconstrain none: there is no constraint "none"`, ""},
		{"nothing is bound to itself", `
			group g vip
			! colocation vip vip 5: vip cannot be placed with itself
			! order db db: db cannot be ordered after itself
			! order vip g: one is a member of the other
			! colocation g vip 5: one is a member of the other`, "g(vip)"},
		{"orders do not go in a circle", `
			create web
			order vip db
			order db web
			! order web vip: the order goes in a circle: db then web then vip then db
			order web vip serialize`, "order-db-web-mandatory order-vip-db-mandatory order-web-vip-serialize"},
		{"orders do not go in a circle through a group", `
			create web
			group g vip db
			order db web
			! order web vip: the order goes in a circle: db then web then vip then db
			! order web g: the order goes in a circle: db then web then g then vip then db`, "g(vip db) order-db-web-mandatory"},
		{"a group is not made of what is ordered otherwise", `
			order vip db
			! group g db vip: the order goes in a circle: db then vip then db
			group g vip db`, "g(vip db) order-vip-db-mandatory"},
		{"what is ordered around a group is fine", `
			create web
			group g vip db
			order g web
			! order web db: the order goes in a circle: db then g then web then db`, "g(vip db) order-g-web-mandatory"},
		{"what is deleted takes its constraints with it", `
			start vip a
			location vip na 5
			colocation db vip 5
			order vip db
			delete vip
			! location vip na 5: vip is being deleted
			! group g vip: vip is being deleted
			! meta vip priority=5: vip is being deleted
			! move vip na: vip is being deleted`, ""},
		{"a deleted group takes its members with it", `
			group g vip db
			location g na 5
			delete g
			! delete g: there is no resource or group "g"
			create vip`, ""},
		{"a group stays until its last member is stopped", `
			group g vip db
			start vip a
			done vip a
			delete g`, "g(vip)"},
		{"moves name nodes that can host", `
			! move vip nz: there is no node "nz"
			! move none na: there is no resource or group "none"
			put c witness
			! move vip nc: nc is a witness
			group g vip db
			move g na
			clear g
			restart g
			! restart none: there is no resource or group "none"
			! cleanup none: there is no resource or group "none"`, "g(vip db)"},
		{"meta attributes are known and make sense", `
			! meta vip prioritty=5: did you mean "priority"?
			! meta vip priority=abc: "abc" is not a score
			! meta vip start-failure-is-fatal=true: start-failure-is-fatal is a property
			! meta none priority=5: there is no resource or group "none"
			meta vip priority=5
			group g db
			meta g priority=7`, "g(db)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t)
			c.run(tt.script)
			if got := configuration(c.state()); got != tt.want {
				t.Errorf("after%s\n got %s\nwant %s", tt.script, got, tt.want)
			}
		})
	}
}

func TestChangeIsAllOrNothing(t *testing.T) {
	c := newCluster(t)
	err := c.propose(change(createResource("web"), createConstraint("location", "web", "na", "5"), createResource("vip")))
	if err == nil || ResourceByID(c.state(), "web") != nil || len(c.state().Constraints) != 0 {
		t.Errorf("S8: a change whose last edit is wrong answered %v and left %v", err, c.state().Resources)
	}
	if err := c.propose(change()); err == nil {
		t.Error("a change without edits was accepted")
	}
	if err := c.propose(change(&pb.Edit{})); err == nil {
		t.Error("an empty edit was accepted")
	}
}

func TestChangeIsRecordedWithItsActor(t *testing.T) {
	c := newCluster(t)
	if err := c.propose(change(
		createResource("web"), createConstraint("location", "web", "na", "5"), setOptions(ofCluster, "no-quorum-policy", "stop"),
	)); err != nil {
		t.Fatal(err)
	}
	e := c.state().Events[len(c.state().Events)-1]
	want := "resource web created (ocf:heartbeat:Dummy); constraint created: web on na with score 5; property no-quorum-policy=stop"
	if e.Kind != "configuration" || e.Actor != "root@na" || e.Text != want || e.Index != c.index {
		t.Errorf("event is %v, want the text %q by root@na", e, want)
	}
	if got := c.state().ConfigurationIndex; got != c.index {
		t.Errorf("configuration index is %d, want %d", got, c.index)
	}
	before := c.state().ConfigurationIndex
	c.run("start web a")
	if got := c.state().ConfigurationIndex; got != before {
		t.Errorf("an operation moved the configuration index to %d", got)
	}
}

func TestUpdateResource(t *testing.T) {
	c := newCluster(t)
	update := func(u *pb.UpdateResource) error {
		return c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: u}}))
	}
	monitor := func(interval time.Duration) *pb.OperationSpec {
		return &pb.OperationSpec{Name: "monitor", Interval: durationpb.New(interval)}
	}
	created := ResourceByID(c.state(), "vip").Revision
	if err := update(&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{monitor(10 * time.Second)}, SetMeta: map[string]string{"is-managed": "no"}}); err != nil {
		t.Fatal(err)
	}
	if r := ResourceByID(c.state(), "vip"); r.Revision != created || len(r.Operations) != 1 || r.Meta["is-managed"] != "false" {
		t.Errorf("meta and operations made a new revision: %v", r)
	}
	if err := update(&pb.UpdateResource{Id: "vip", SetParameters: map[string]string{"ip": "10.0.0.1", "nic": "eth0"}}); err != nil {
		t.Fatal(err)
	}
	changed := ResourceByID(c.state(), "vip").Revision
	if changed != c.index {
		t.Errorf("parameters made revision %d, want %d", changed, c.index)
	}
	if err := update(&pb.UpdateResource{Id: "vip", SetParameters: map[string]string{"ip": "10.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	if got := ResourceByID(c.state(), "vip").Revision; got != changed {
		t.Errorf("the same parameters made revision %d", got)
	}
	replaced := monitor(10 * time.Second)
	replaced.Timeout = durationpb.New(5 * time.Second)
	if err := update(&pb.UpdateResource{
		Id: "vip", UnsetParameters: []string{"nic"}, UnsetMeta: []string{"is-managed"},
		SetOperations: []*pb.OperationSpec{replaced, monitor(20 * time.Second)},
	}); err != nil {
		t.Fatal(err)
	}
	r := ResourceByID(c.state(), "vip")
	if !maps.Equal(r.Parameters, map[string]string{"ip": "10.0.0.1"}) || len(r.Meta) != 0 || len(r.Operations) != 2 || r.Operations[0].Timeout.AsDuration() != 5*time.Second {
		t.Errorf("resource is %v", r)
	}
	if err := update(&pb.UpdateResource{Id: "vip", UnsetOperations: []*pb.OperationSpec{{Name: "monitor"}}}); err != nil {
		t.Fatal(err)
	}
	if r := ResourceByID(c.state(), "vip"); len(r.Operations) != 0 {
		t.Errorf("operations are %v, want none", r.Operations)
	}
	c.run("group g vip")
	for _, tt := range []struct {
		update *pb.UpdateResource
		want   string
	}{
		{&pb.UpdateResource{Id: "vip"}, "nothing to change"},
		{&pb.UpdateResource{Id: "g"}, "nothing to change"},
		{&pb.UpdateResource{Id: "g", SetParameters: map[string]string{"ip": "x"}}, "g is a group"},
		{&pb.UpdateResource{Id: "vip", SetParameters: map[string]string{"ip": "x"}, UnsetParameters: []string{"ip"}}, "parameter ip: it is set and unset"},
		{&pb.UpdateResource{Id: "vip", SetMeta: map[string]string{"priority": "1"}, UnsetMeta: []string{"priority"}}, "meta attribute priority: it is set and unset"},
		{&pb.UpdateResource{Id: "vip", UnsetMeta: []string{"prioritys"}}, `did you mean "priority"?`},
		{&pb.UpdateResource{Id: "vip", UnsetOperations: []*pb.OperationSpec{{Name: "monitor"}}}, "op monitor: resource vip has no such operation"},
		{&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{{Name: "monitr"}}}, `op monitr: there is no such operation; did you mean "monitor"?`},
		{&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{monitor(-1)}}, "op monitor: its interval or timeout is out of range"},
		{&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{monitor(1), monitor(1)}}, "op monitor: it is given twice"},
		{&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{{Name: "monitor", Options: map[string]string{"on-fail": "demote"}}}}, "op monitor: on-fail=demote is not possible for a failed monitor"},
		{&pb.UpdateResource{Id: "vip", SetOperations: []*pb.OperationSpec{{Name: "stop", Options: map[string]string{"on-fail": "restart"}}}}, "op stop: on-fail=restart is not possible for a failed stop"},
	} {
		if err := update(tt.update); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("update %v\nanswered %v, want %q", tt.update, err, tt.want)
		}
	}
}

func TestUpdateNode(t *testing.T) {
	c := newCluster(t)
	yes, no := true, false
	update := func(u *pb.UpdateNode) error {
		return c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateNode{UpdateNode: u}}))
	}
	if err := update(&pb.UpdateNode{Name: "na", Standby: &yes, SetAttributes: map[string]string{"rack": "1", "site": "x"}, Addresses: []string{"h:1"}}); err != nil {
		t.Fatal(err)
	}
	if err := update(&pb.UpdateNode{Name: "na", Maintenance: &yes, Standby: &no, SetAttributes: map[string]string{"rack": ""}}); err != nil {
		t.Fatal(err)
	}
	n := NodeByID(c.state(), "a")
	if n.Standby || !n.Maintenance || !maps.Equal(n.Attributes, map[string]string{"site": "x"}) || !slices.Equal(n.Addresses, []string{"h:1"}) {
		t.Errorf("node is %v", n)
	}
	for want, u := range map[string]*pb.UpdateNode{
		`there is no node "nz"`:               {Name: "nz", Standby: &yes},
		"nothing to change":                   {Name: "na"},
		"node attribute: \"a b\" has letters": {Name: "na", SetAttributes: map[string]string{"a b": "c"}},
		"node addresses: h:1 is given twice":  {Name: "na", Addresses: []string{"h:1", "g:1", "h:1"}},
		"node addresses: 5 are given":         {Name: "na", Addresses: []string{"a:1", "b:1", "c:1", "d:1", "e:1"}},
	} {
		if err := update(u); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("update %v answered %v, want %q", u, err, want)
		}
	}
}

func TestMoveAndRestartReachGroupMembers(t *testing.T) {
	c := newCluster(t)
	c.run("group g vip db\nmove g nb\nrestart g")
	for _, id := range []string{"vip", "db"} {
		r := ResourceByID(c.state(), id)
		if r.Move.GetNode() != "nb" || r.Move.At == nil || r.Restart != c.index {
			t.Errorf("%s: move %v, restart %d", id, r.Move, r.Restart)
		}
	}
	c.run("clear g")
	if m := ResourceByID(c.state(), "vip").Move; m != nil {
		t.Errorf("after clear the move is %v", m)
	}
}

func TestAReloadIsForWhatNeedsNoStop(t *testing.T) {
	c := newCluster(t)
	c.run("group g vip db")
	reload := func(id string) error {
		return c.propose(change(&pb.Edit{Kind: &pb.Edit_RestartResource{RestartResource: &pb.RestartResource{Id: id, Reload: true}}}))
	}
	able := func(id string) {
		t.Helper()
		err := c.propose(change(&pb.Edit{Kind: &pb.Edit_UpdateResource{UpdateResource: &pb.UpdateResource{Id: id, Traits: &pb.Traits{Reloadable: true}}}}))
		if err != nil {
			t.Fatal(err)
		}
	}
	able("vip")
	if err := reload("g"); err == nil || !strings.Contains(err.Error(), "db cannot take a configuration over without a stop; use `resource restart`") {
		t.Errorf("reload of what cannot: %v", err)
	}
	able("db")
	if err := reload("g"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"vip", "db"} {
		if r := ResourceByID(c.state(), id); r.Revision != c.index || r.Restart != 0 {
			t.Errorf("%s: revision %d, restart %d at index %d; want a new revision alone", id, r.Revision, r.Restart, c.index)
		}
	}
	if err := reload("none"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("reload of nothing: %v", err)
	}
}

func TestGroupPositions(t *testing.T) {
	tests := []struct{ before, after, want string }{
		{"", "", "g(a b c new)"},
		{"a", "", "g(new a b c)"},
		{"c", "", "g(a b new c)"},
		{"", "a", "g(a new b c)"},
		{"", "c", "g(a b c new)"},
		{"new", "", ""},
		{"vip", "", ""},
		{"a", "b", ""},
	}
	for _, tt := range tests {
		c := newCluster(t)
		c.run("create a\ncreate b\ncreate c\ncreate new\ngroup g a b c")
		err := c.propose(change(&pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{
			Group: "g", Resources: []string{"new"}, Before: tt.before, After: tt.after,
		}}}))
		got := configuration(c.state())
		if tt.want == "" && err == nil || tt.want != "" && got != tt.want {
			t.Errorf("before %q, after %q: got %s (%v), want %s", tt.before, tt.after, got, err, tt.want)
		}
	}
}

func TestMovingWithinAGroup(t *testing.T) {
	c := newCluster(t)
	c.run("create a\ncreate b\ncreate c\ngroup g a b c")
	if err := c.propose(change(&pb.Edit{Kind: &pb.Edit_AddToGroup{AddToGroup: &pb.AddToGroup{
		Group: "g", Resources: []string{"c", "b"}, Before: "a",
	}}})); err != nil {
		t.Fatal(err)
	}
	if got := configuration(c.state()); got != "g(c b a)" {
		t.Errorf("got %s", got)
	}
}

func TestNamedConstraintsStandBesideOthers(t *testing.T) {
	c := newCluster(t)
	c.run("location vip na 50")
	ban := createConstraint("location", "vip", "na", "-INFINITY")
	ban.GetCreateConstraint().Constraint.Id = "cli-ban-vip-on-na"
	if err := c.propose(change(ban)); err != nil {
		t.Fatal(err)
	}
	if got := configuration(c.state()); got != "cli-ban-vip-on-na location-vip-na-50" {
		t.Errorf("got %s", got)
	}
	for _, id := range []string{"cli-ban-vip-on-na", "a b"} {
		twin := createConstraint("location", "vip", "nb", "-INFINITY")
		twin.GetCreateConstraint().Constraint.Id = id
		if err := c.propose(change(twin)); err == nil {
			t.Errorf("a second constraint with the id %q was accepted", id)
		}
	}
}

func TestAutomaticIdsAreUnique(t *testing.T) {
	c := newCluster(t)
	taken := createConstraint("location", "db", "nb", "5")
	taken.GetCreateConstraint().Constraint.Id = "location-vip-na-50"
	if err := c.propose(change(taken)); err != nil {
		t.Fatal(err)
	}
	c.run("location vip na 50")
	if got := configuration(c.state()); got != "location-vip-na-50 location-vip-na-50-1" {
		t.Errorf("got %s", got)
	}
}

func TestReplaceConfiguration(t *testing.T) {
	c := newCluster(t)
	c.run(`
		create web
		create old
		parameter vip ip=10.0.0.1
		start vip a
		done vip a
		start old a
		done old a
		group g db web
		order g vip
		property no-quorum-policy=stop`)
	vip := ResourceByID(c.state(), "vip")
	wanted := &pb.Configuration{
		Properties:       map[string]string{"stonith-enabled": "no"},
		ResourceDefaults: map[string]string{"resource-stickiness": "+infinity"},
		Nodes:            []*pb.NodeConfiguration{{Name: "nb", Standby: true, Attributes: map[string]string{"rack": "1"}}},
		Resources: []*pb.Resource{
			{Id: "vip", Agent: vip.Agent, Parameters: vip.Parameters, Meta: map[string]string{"priority": "5"}},
			{Id: "new", Agent: "ocf:heartbeat:Dummy"},
			{Id: "web", Agent: "systemd:web"},
		},
		Groups:      []*pb.Group{{Id: "h", Members: []string{"vip", "new"}, Meta: map[string]string{"is-managed": "off"}}},
		Constraints: []*pb.Constraint{createConstraint("colocation", "web", "h", "7").GetCreateConstraint().Constraint},
	}
	replace := func(cfg *pb.Configuration) error {
		return c.propose(change(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: cfg}}}))
	}
	if err := replace(wanted); err != nil {
		t.Fatal(err)
	}
	s := c.state()
	if got, want := configuration(s), "h(vip new) colocation-web-h-7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := summary(s), "new\nold deleting owned by a#2: a running\nvip owned by a#1: a running\nweb\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	kept := ResourceByID(s, "vip")
	if kept.Revision != vip.Revision || kept.Meta["priority"] != "5" || kept.Traits == nil {
		t.Errorf("vip is %v, want its revision and traits kept", kept)
	}
	if !maps.Equal(s.Properties, map[string]string{"fencing": "stop"}) || s.ResourceDefaults["resource-stickiness"] != "INFINITY" || GroupByID(s, "h").Meta["is-managed"] != "false" {
		t.Errorf("options are %v, %v, %v", s.Properties, s.ResourceDefaults, GroupByID(s, "h").Meta)
	}
	if n := NodeByName(s, "nb"); !n.Standby || n.Attributes["rack"] != "1" || n.Epoch != 1 {
		t.Errorf("node is %v", n)
	}
	for want, spoil := range map[string]func(*pb.Configuration){
		"configuration: it is missing":     nil,
		"property x":                       func(c *pb.Configuration) { c.Properties = map[string]string{"x": "y"} },
		`there is no node "nz"`:            func(c *pb.Configuration) { c.Nodes[0].Name = "nz" },
		"nb is given twice":                func(c *pb.Configuration) { c.Nodes = append(c.Nodes, c.Nodes[0]) },
		"web is given twice":               func(c *pb.Configuration) { c.Resources[0].Id = "web" },
		"old is still being deleted":       func(c *pb.Configuration) { c.Resources[1].Id = "old" },
		"vip may run as":                   func(c *pb.Configuration) { c.Resources[0].Agent = "systemd:x" },
		"new is in the groups h and i":     func(c *pb.Configuration) { c.Groups = append(c.Groups, &pb.Group{Id: "i", Members: []string{"new"}}) },
		"meta attribute is-mnaged":         func(c *pb.Configuration) { c.Groups[0].Meta = map[string]string{"is-mnaged": "off"} },
		`no resource or group "none"`:      func(c *pb.Configuration) { c.Constraints[0].GetColocation().With = "none" },
		"there is a group h already":       func(c *pb.Configuration) { c.Groups = append(c.Groups, &pb.Group{Id: "h", Members: []string{"web"}}) },
		"op x: there is no such operation": func(c *pb.Configuration) { c.Resources[0].Operations = []*pb.OperationSpec{{Name: "x"}} },
	} {
		var spoilt *pb.Configuration
		if spoil != nil {
			spoilt = with(wanted, spoil)
		}
		var refusal *Refusal
		if err := replace(spoilt); !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) {
			t.Errorf("answered %v, want %q", err, want)
		}
	}
}

func TestReplacingByWhatIsThereChangesNothing(t *testing.T) {
	c := newCluster(t)
	c.run("create web\ngroup g vip db\norder g web\nlocation web na 5\nmeta vip priority=4\nproperty fencing=none\nstart vip a\ndone vip a")
	s := c.state()
	before := &pb.Configuration{
		Properties: s.Properties, ResourceDefaults: s.ResourceDefaults, OperationDefaults: s.OperationDefaults,
		Resources: s.Resources, Groups: s.Groups, Constraints: s.Constraints,
	}
	for _, n := range s.Nodes {
		before.Nodes = append(before.Nodes, &pb.NodeConfiguration{Name: n.Name, Standby: n.Standby, Maintenance: n.Maintenance, Attributes: n.Attributes})
	}
	if err := c.propose(change(&pb.Edit{Kind: &pb.Edit_ReplaceConfiguration{ReplaceConfiguration: &pb.ReplaceConfiguration{Configuration: before}}})); err != nil {
		t.Fatal(err)
	}
	after := shallow(c.state())
	after.Events, after.LastEvent, after.ConfigurationIndex = s.Events, s.LastEvent, s.ConfigurationIndex
	if got, want := string(encoded(t, after)), string(encoded(t, s)); got != want {
		t.Errorf("got\n%v\nwant\n%v", after, s)
	}
}
