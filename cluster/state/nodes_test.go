package state

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "quorate/proto/quorate/v1"
)

func TestBootstrap(t *testing.T) {
	c := &cluster{t: t, store: New()}
	bootstrap := func(b *pb.Bootstrap) error {
		return c.propose(&pb.Command{Body: &pb.Command_Bootstrap{Bootstrap: b}})
	}
	c.run("! put a: this node is in no cluster")
	tests := []struct {
		bootstrap *pb.Bootstrap
		want      string
	}{
		{&pb.Bootstrap{ClusterName: "web", Node: node("a")}, "cluster id: it is empty"},
		{&pb.Bootstrap{ClusterId: "id", Node: node("a")}, "cluster name: it is empty"},
		{&pb.Bootstrap{ClusterId: "id", ClusterName: "web"}, "node id: it is empty"},
		{&pb.Bootstrap{ClusterId: "id", ClusterName: "web", Node: node("a", "replica")}, "the first node of a cluster must vote"},
		{&pb.Bootstrap{ClusterId: "id", ClusterName: "web", Node: node("a"), Properties: map[string]string{"x": "y"}}, "property x"},
		{&pb.Bootstrap{ClusterId: "id", ClusterName: "web", Node: node("a"), ResourceDefaults: map[string]string{"priority": "y"}}, "meta attribute priority"},
	}
	for _, tt := range tests {
		if err := bootstrap(tt.bootstrap); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Bootstrap(%v) answered %v, want %q", tt.bootstrap, err, tt.want)
		}
	}
	if err := bootstrap(&pb.Bootstrap{
		ClusterId: "id", ClusterName: "web", Node: node("a"),
		Properties: map[string]string{"stonith-enabled": "false"}, ResourceDefaults: map[string]string{"resource-stickiness": "1"},
	}); err != nil {
		t.Fatal(err)
	}
	s := c.state()
	if s.Properties["fencing"] != "stop" || s.ResourceDefaults["resource-stickiness"] != "1" ||
		s.Electorate.Version != 1 || !slices.Equal(s.Electorate.Voters, []string{"a"}) || s.ConfigurationIndex != c.index {
		t.Errorf("state is %v", s)
	}
	c.run("! bootstrap b: this node is in cluster web already")
}

func TestNodes(t *testing.T) {
	runScenarios(t, []scenario{
		{"a name belongs to one node", `
			! put d name=na: na is the name of another member
			! put b name=na: na is the name of another member
			! put d name=: node name: it is empty
			! put d name=-x: has letters that a name may not have
			! put d name=a/b: has letters that a name may not have
			put d name=7.example.org`, "db\nvip"},
		{"a voter is not removed", `
			! remove c: nc still votes
			! remove c force: nc still votes
			! remove z: z is not a member`, "db\nvip"},
		{"S1: a live owner is not removed, even by force", `
			put d replica
			admit d
			start vip d
			done vip d
			! remove d: nd owns vip
			! remove d force: nd owns vip
			gone d a=1s b=1s
			remove d`, "db\nvip"},
		{"S4: what may run on a live node needs force", `
			put d replica
			admit d
			probe vip d
			failed vip d
			! remove d: vip is not known to be stopped on nd
			remove d force`, "db\nvip"},
		{"what outlives a gone node's lease needs force", `
			put d replica
			admit d
			start db d
			done db d
			gone d a=1s b=1s
			! remove d: nd is gone, but db may still run there
			remove d force`, "db\nvip"},
		{"rule 3: a removed id never returns", `
			put d replica
			remove d
			! put d replica: d was removed from this cluster, and an id never returns`, "db\nvip"},
		{"a removed node takes its operations with it", `
			put d replica
			admit d
			probe vip d
			remove d
			start vip a`, `
			db
			vip owned by a#1; start on a`},
	})
}

func TestPutNodeKeepsWhatWasLearned(t *testing.T) {
	c := newCluster(t)
	c.run("admit a\nlocation vip na 50\nmove vip na\nput a name=renamed replica stopped")
	n := NodeByID(c.state(), "a")
	if n.Epoch != 2 || n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Role != pb.Role_ROLE_REPLICA || n.Stopped {
		t.Errorf("node is %v, want epoch 2, a replica, not stopped", n)
	}
	if got := c.state().Constraints[0].GetLocation().Node; got != "renamed" {
		t.Errorf("the location constraint names %q", got)
	}
	if got := ResourceByID(c.state(), "vip").Move.Node; got != "renamed" {
		t.Errorf("the move names %q", got)
	}
	if e := c.state().Events[len(c.state().Events)-1]; e.Text != "na (voter) is now renamed (replica)" || c.state().ConfigurationIndex != c.index {
		t.Errorf("the last event is %v", e)
	}
	if NodeByName(c.state(), "na") != nil || NodeByName(c.state(), "renamed") != n {
		t.Errorf("nodes are %v", c.state().Nodes)
	}
	if err := c.propose(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: &pb.Node{Id: "a"}}}}); err != nil {
		t.Fatal(err)
	}
	if got := NodeByID(c.state(), "a"); got.Name != "renamed" || len(got.Addresses) != 1 || got.Role != pb.Role_ROLE_REPLICA || got.Version != "1.0" {
		t.Errorf("a message that says nothing changed the node to %v", got)
	}
}

func TestNewNodeIsAsTheMessageSays(t *testing.T) {
	c := newCluster(t)
	given := node("d", "stopped", "disabled", "witness")
	given.Epoch, given.Admission, given.Nonce = 9, pb.Admission_ADMISSION_ADMITTED, 9
	if err := c.propose(&pb.Command{Body: &pb.Command_PutNode{PutNode: &pb.PutNode{Node: given}}}); err != nil {
		t.Fatal(err)
	}
	n := NodeByID(c.state(), "d")
	if !n.Stopped || !n.Disabled || n.Role != pb.Role_ROLE_WITNESS || n.Epoch != 0 || n.Admission != pb.Admission_ADMISSION_NONE || n.Nonce != 0 {
		t.Errorf("node is %v, want a stopped, disabled witness that was never admitted", n)
	}
}

func TestRemovedNodeTakesWhatNamesIt(t *testing.T) {
	c := newCluster(t)
	c.run("put d replica\nlocation vip nd 50\nlocation vip na 10\nmove db nd\nremove d")
	s := c.state()
	if len(s.Constraints) != 1 || s.Constraints[0].GetLocation().Node != "na" || ResourceByID(s, "db").Move != nil {
		t.Errorf("left of the removed node: %v, move %v", s.Constraints, ResourceByID(s, "db").Move)
	}
	if !slices.Equal(s.Removed, []string{"d"}) {
		t.Errorf("removed ids are %v", s.Removed)
	}
}

func TestAdmitNeedsANonceAndALease(t *testing.T) {
	c := newCluster(t)
	for _, a := range []*pb.Admit{
		{Node: "a", FromEpoch: 1, Lease: durationpb.New(time.Second)},
		{Node: "a", FromEpoch: 1, Nonce: 1},
		{Node: "a", FromEpoch: 1, Nonce: 1, Lease: durationpb.New(-time.Second)},
	} {
		var refusal *Refusal
		if err := c.propose(&pb.Command{Body: &pb.Command_Admit{Admit: a}}); !errors.As(err, &refusal) || refusal.Code != Invalid {
			t.Errorf("Admit(%v) answered %v, want an invalid refusal", a, err)
		}
	}
}

func TestTokens(t *testing.T) {
	c := newCluster(t)
	secret, wrong := sha256.Sum256([]byte("secret")), sha256.Sum256([]byte("wrong"))
	put := func(id string, lifetime time.Duration, hash []byte) error {
		at := noon.Add(time.Duration(c.index+1) * time.Second)
		return c.propose(&pb.Command{Body: &pb.Command_PutToken{PutToken: &pb.PutToken{Token: &pb.Token{
			Id: id, SecretSha256: hash, ExpiresAt: timestamppb.New(at.Add(lifetime)), Role: pb.Role_ROLE_WITNESS,
		}}}})
	}
	redeem := func(id string, hash [32]byte, n *pb.Node) error {
		return c.propose(&pb.Command{Body: &pb.Command_RedeemToken{RedeemToken: &pb.RedeemToken{Id: id, SecretSha256: hash[:], Node: n}}})
	}
	for id, err := range map[string]error{
		"":      put("", time.Hour, secret[:]),
		"short": put("short", time.Hour, secret[:31]),
		"old":   put("old", 0, secret[:]),
	} {
		if err == nil {
			t.Errorf("token %q was accepted", id)
		}
	}
	if err := put("t", 10*time.Second, secret[:]); err != nil {
		t.Fatal(err)
	}
	if err := put("t", time.Hour, secret[:]); err == nil {
		t.Error("a second token of one id was accepted")
	}
	unknown, bad := redeem("u", secret, node("d")), redeem("t", wrong, node("d"))
	if unknown == nil || bad == nil || unknown.Error() != bad.Error() {
		t.Errorf("an unknown id and a wrong secret must be told alike: %v, %v", unknown, bad)
	}
	if err := redeem("t", secret, node("a")); err == nil {
		t.Error("a token changed a node that is a member already")
	}
	if err := redeem("t", secret, node("d")); err != nil {
		t.Fatal(err)
	}
	if n := NodeByID(c.state(), "d"); n.GetRole() != pb.Role_ROLE_WITNESS {
		t.Errorf("node is %v, want the token's role", n)
	}
	if err := redeem("t", secret, node("e")); err == nil || err.Error() != bad.Error() {
		t.Errorf("a used token answered %v", err)
	}
	if err := put("t2", 10*time.Second, secret[:]); err != nil {
		t.Fatal(err)
	}
	c.index += 10
	if err := redeem("t2", secret, node("e")); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired token answered %v", err)
	}
	if err := put("t3", time.Hour, secret[:]); err != nil {
		t.Fatal(err)
	}
	if got := len(c.state().Tokens); got != 1 {
		t.Errorf("%d tokens are kept, want the expired one dropped", got)
	}
}
