package api

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// read returns what a long work said, and how it ended.
func read(stream grpc.ServerStreamingClient[pb.Progress], err error) ([]*pb.Progress, error) {
	if err != nil {
		return nil, err
	}
	var lines []*pb.Progress
	for {
		line, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
}

// auth makes a trust the others.
func (a *agent) auth(t *testing.T, others ...*agent) {
	t.Helper()
	for _, o := range others {
		o.password(t)
		_, err := a.cluster().Auth(t.Context(), &pb.AuthRequest{Hosts: []*pb.HostSpec{o.host()}, Password: "secret of " + o.name})
		must(t, err)
	}
}

// password sets a's own password, over its socket.
func (a *agent) password(t *testing.T) {
	t.Helper()
	_, err := a.cluster().SetPassword(t.Context(), &pb.SetPasswordRequest{Password: "secret of " + a.name})
	must(t, err)
}

// setup makes a cluster of a and the others.
func (a *agent) setup(t *testing.T, start bool, others ...*agent) []*pb.Progress {
	t.Helper()
	a.auth(t, others...)
	r := &pb.SetupRequest{Name: "office", Hosts: []*pb.HostSpec{a.host()}, Start: start}
	for _, o := range others {
		r.Hosts = append(r.Hosts, o.host())
	}
	lines, err := read(a.cluster().Setup(t.Context(), r))
	must(t, err)
	return lines
}

// wantRefusal checks code, field and a part of the text.
func wantRefusal(t *testing.T, err error, code codes.Code, field, text string) {
	t.Helper()
	_, metadata := Reason(err)
	if status.Code(err) != code || metadata[keyField] != field || !strings.Contains(err.Error(), text) {
		t.Errorf("error\n got %v, field %q\nwant %v, field %q, with %q", err, metadata[keyField], code, field, text)
	}
}

func TestSetupMakesAClusterOfThree(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	lines := a.setup(t, false, b, c)

	st := w.store.Get().State
	if st.ClusterName != "office" || len(st.Electorate.GetVoters()) != 3 {
		t.Errorf("after setup cluster %q has %d voters, want office with 3", st.ClusterName, len(st.Electorate.GetVoters()))
	}
	for _, n := range st.Nodes {
		if !n.Stopped || !admitted(st, n.Id) {
			t.Errorf("node %s after setup: stopped %t, admitted %t, want both", n.Name, n.Stopped, admitted(st, n.Id))
		}
	}
	if last := lines[len(lines)-1]; last.Index == 0 || last.Failed {
		t.Errorf("last line of setup: %v, want an index to wait for", last)
	}

	_, err := read(b.cluster().Start(t.Context(), &pb.StartRequest{All: true}))
	must(t, err)
	for _, n := range w.store.Get().State.Nodes {
		if n.Stopped {
			t.Errorf("node %s is stopped after start --all", n.Name)
		}
	}
}

func TestBadSetupChangesNothing(t *testing.T) { // S8
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.auth(t, b)
	taken := newWorld(t).boot("taken")
	taken.setup(t, false)
	a.auth(t, taken)
	away := &pb.HostSpec{Name: "away", Addresses: []string{"127.0.0.1:1"}}
	same := &pb.HostSpec{Name: "alias", Addresses: b.host().Addresses}
	tests := []struct {
		name  string
		r     *pb.SetupRequest
		code  codes.Code
		field string
		text  string
	}{
		{"no host", &pb.SetupRequest{Name: "x"}, codes.InvalidArgument, "host", "none"},
		{"no name", &pb.SetupRequest{Hosts: []*pb.HostSpec{a.host()}}, codes.InvalidArgument, "cluster name", "empty"},
		{"wrong property", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host()}, Properties: map[string]string{"no-quorum-policy": "dance"}}, codes.InvalidArgument, "property no-quorum-policy", "dance"},
		{"never authenticated", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), c.host()}}, codes.FailedPrecondition, "host", "quorate cluster auth web1"},
		{"in another cluster", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), b.host(), taken.host()}}, codes.AlreadyExists, "host taken", `"office"; use ` + "`quorate cluster destroy`"},
		{"named twice", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), b.host(), b.host()}}, codes.AlreadyExists, "host", "lvss is named twice"},
		{"two names of one machine", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), b.host(), same}}, codes.AlreadyExists, "host", "lvss and alias are the same machine"},
		{"without this node", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{b.host()}}, codes.InvalidArgument, "host", "lvsm, is not among"},
		{"unreachable", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), away}}, codes.Unavailable, "host away", "host away: connect: dial 127.0.0.1:1"},
		{"unknown name", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), {Name: "nobody"}}}, codes.Unavailable, "host nobody", "host nobody: resolve: "},
		{"wrong address", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{{Name: "lvss", Addresses: []string{"127.0.0.1:http:1"}}}}, codes.InvalidArgument, "host lvss addr", "not an address"},
		{"one address twice", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{{Name: "lvss", Addresses: []string{"10.0.0.2", "10.0.0.2:7480"}}}}, codes.InvalidArgument, "host lvss addr", "given twice"},
		{"a further address where nobody answers", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), {Name: "lvss", Addresses: []string{b.host().Addresses[0], "127.0.0.1:1"}}}}, codes.Unavailable, "host lvss", "connect: dial 127.0.0.1:1"},
		{"a further address of another machine", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{a.host(), {Name: "lvss", Addresses: []string{b.host().Addresses[0], c.host().Addresses[0]}}}}, codes.Unavailable, "host lvss", "another machine answers there"},
		{"a further address of this machine that is another's", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{{Name: "lvsm", Addresses: []string{a.host().Addresses[0], b.host().Addresses[0]}}}}, codes.Unavailable, "host lvsm", "another machine answers there"},
		{"five links", &pb.SetupRequest{Name: "x", Hosts: []*pb.HostSpec{{Name: "lvss", Addresses: []string{"10.0.0.2", "10.1.0.2", "10.2.0.2", "10.3.0.2", "10.4.0.2"}}}}, codes.InvalidArgument, "host lvss addr", "at most 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(a.cluster().Setup(t.Context(), tt.r))
			wantRefusal(t, err, tt.code, tt.field, tt.text)
			for _, m := range []*agent{a, b, c} {
				if _, member := m.identity.Cluster(); member {
					t.Fatalf("%s is in a cluster after a refused setup", m.name)
				}
			}
		})
	}
	if st := w.store.Get().State; st.ClusterId != "" {
		t.Errorf("a refused setup founded cluster %s", st.ClusterId)
	}
}

func TestAuthNamesTheHostAndTheCheckThatFailed(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.password(t)
	b.password(t)
	away := &pb.HostSpec{Name: "away", Addresses: []string{"127.0.0.1:1"}}
	tests := []struct {
		name     string
		hosts    []*pb.HostSpec
		password string
		code     codes.Code
		reason   string
		check    string
		text     string
	}{
		{"wrong password", []*pb.HostSpec{b.host()}, "wrong", codes.PermissionDenied, ReasonPassword, "password", "host lvss: password: wrong user or password"},
		{"unreachable", []*pb.HostSpec{away}, "secret of lvss", codes.Unavailable, ReasonUnreachable, "connect", "host away: connect: dial 127.0.0.1:1"},
		{"no password set", []*pb.HostSpec{c.host()}, "x", codes.FailedPrecondition, ReasonPrecondition, "password", "host web1: password: no password is set"},
		{"unknown name", []*pb.HostSpec{{Name: "nobody"}}, "secret of lvss", codes.Unavailable, ReasonUnreachable, "resolve", "host nobody: resolve: "},
		{"the worst decides", []*pb.HostSpec{away, a.host(), b.host()}, "secret of lvss", codes.PermissionDenied, ReasonPassword, "password", "host lvsm: password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.cluster().Auth(t.Context(), &pb.AuthRequest{Hosts: tt.hosts, Password: tt.password})
			reason, metadata := Reason(err)
			if status.Code(err) != tt.code || reason != tt.reason || metadata[keyCheck] != tt.check || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v (%s, check %q)\nwant %v (%s, check %q) with %q", err, reason, metadata[keyCheck], tt.code, tt.reason, tt.check, tt.text)
			}
		})
	}
	if _, trusted := a.identity.Trusted(b.identity.Fingerprint()); !trusted {
		t.Error("lvss knew its password beside failing hosts, and is not trusted")
	}
	if _, trusted := b.identity.Trusted(a.identity.Fingerprint()); !trusted {
		t.Error("lvss does not trust lvsm, which knew its password")
	}
}

func TestAuthErrorCarriesTheResponse(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.password(t)
	b.password(t)
	_, err := a.cluster().Auth(t.Context(), &pb.AuthRequest{Hosts: []*pb.HostSpec{a.host(), b.host()}, Password: "secret of lvss"})
	for _, d := range status.Convert(err).Details() {
		if resp, ok := d.(*pb.AuthResponse); ok {
			if resp.Hosts[0].Error != "password: wrong user or password" || resp.Hosts[1].Fingerprint != b.identity.Fingerprint().String() {
				t.Errorf("got %v, want an error for lvsm and the key of lvss", resp)
			}
			return
		}
	}
	t.Errorf("error %v has no AuthResponse", err)
}

func TestWrongPasswordLeavesNoTrust(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	b.password(t)
	if _, err := a.cluster().Auth(t.Context(), &pb.AuthRequest{Hosts: []*pb.HostSpec{b.host()}, Password: "guess"}); err == nil {
		t.Fatal("a wrong password was accepted")
	}
	if len(a.identity.TrustedKeys())+len(b.identity.TrustedKeys()) != 0 {
		t.Error("a wrong password left a trusted key")
	}
}

func TestAddAndRemoveNode(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.setup(t, true, b)
	a.auth(t, c)
	_, err := read(a.cluster().AddNode(t.Context(), &pb.AddNodeRequest{Host: c.host(), Role: pb.Role_ROLE_WITNESS}))
	must(t, err)
	added := state.NodeByName(w.store.Get().State, "web1")
	if added.GetRole() != pb.Role_ROLE_WITNESS || !state.Votes(w.store.Get().State, c.identity.ID()) {
		t.Errorf("added node: %v, want a witness that votes", added)
	}
	_, err = read(a.cluster().AddNode(t.Context(), &pb.AddNodeRequest{Host: c.host()}))
	wantRefusal(t, err, codes.AlreadyExists, "host", "web1 is a member already")

	_, err = read(b.cluster().RemoveNode(t.Context(), &pb.RemoveNodeRequest{Name: "web1"}))
	must(t, err)
	st := w.store.Get().State
	if state.NodeByName(st, "web1") != nil || len(st.Electorate.Voters) != 2 {
		t.Errorf("after remove: nodes %v, electorate %v", names(st.Nodes), st.Electorate)
	}
	if _, member := c.identity.Cluster(); member {
		t.Error("the removed node did not forget the cluster")
	}
}

func TestLeaderChangeDoesNotStopARemoval(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	must(t, w.commit(rack("1")))
	forget, err := a.server.farewellOf(t.Context(), state.NodeByName(w.store.Get().State, "lvss"))
	must(t, err)
	w.with(func() { w.unsure = 1 })
	must(t, a.server.unvote(t.Context(), state.NodeByName(w.store.Get().State, "lvss")))
	w.with(func() { w.unsure = 1; b.member = false })
	index, err := a.server.dismiss(t.Context(), b.identity.ID(), true)
	if err != nil || index == 0 || state.NodeByName(w.store.Get().State, "lvss") != nil {
		t.Errorf("dismiss while the leader changes: index %d, %v, want lvss removed", index, err)
	}
	must(t, forget(t.Context()))
}

func TestSilentNodeIsRemovedOnlyByForce(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	w.with(func() { // a member that never came
		if _, err := w.apply(putNode(&pb.Node{Id: "00000000-0000-4000-8000-000000000001", Name: "ghost", Addresses: []string{"127.0.0.1:1"}, Role: pb.Role_ROLE_REPLICA})); err != nil {
			t.Fatal(err)
		}
	})
	_, err := read(a.cluster().RemoveNode(t.Context(), &pb.RemoveNodeRequest{Name: "ghost"}))
	wantRefusal(t, err, codes.Aborted, "node", "--force")
	lines, err := read(a.cluster().RemoveNode(t.Context(), &pb.RemoveNodeRequest{Name: "ghost", Force: true}))
	must(t, err)
	if !slices.ContainsFunc(lines, func(p *pb.Progress) bool { return p.Failed && strings.Contains(p.Text, "cluster destroy") }) {
		t.Errorf("removal by force said %v, want that the data is still there", lines)
	}
	_, err = read(a.cluster().RemoveNode(t.Context(), &pb.RemoveNodeRequest{Name: "nobody"}))
	wantRefusal(t, err, codes.NotFound, "node", `"nobody"`)
}

func TestTokenJoinsOnceAndExpires(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.setup(t, true)
	made, err := a.cluster().CreateToken(t.Context(), &pb.CreateTokenRequest{})
	must(t, err)
	_, err = read(b.cluster().Join(t.Context(), &pb.JoinRequest{Token: made.Token}))
	must(t, err)
	if n := state.NodeByName(w.store.Get().State, "lvss"); n.GetId() != b.identity.ID() || n.GetRole() != pb.Role_ROLE_VOTER || n.Addresses[0] != b.host().Addresses[0] {
		t.Errorf("joined node: %v, want voter lvss at %s", n, b.host().Addresses[0])
	}
	_, err = read(c.cluster().Join(t.Context(), &pb.JoinRequest{Token: made.Token}))
	wantRefusal(t, err, codes.NotFound, "token", "used already")

	short, err := a.cluster().CreateToken(t.Context(), &pb.CreateTokenRequest{Lifetime: durationpb.New(time.Minute)})
	must(t, err)
	w.with(func() { w.ahead = time.Hour })
	_, err = read(c.cluster().Join(t.Context(), &pb.JoinRequest{Token: short.Token}))
	wantRefusal(t, err, codes.InvalidArgument, "token", "expired")

	_, err = read(c.cluster().Join(t.Context(), &pb.JoinRequest{Token: "qt1.nonsense"}))
	wantRefusal(t, err, codes.InvalidArgument, "token", "copy it whole")
	_, err = read(b.cluster().Join(t.Context(), &pb.JoinRequest{Token: made.Token}))
	wantRefusal(t, err, codes.AlreadyExists, "host lvss", "already is in cluster")
	if _, member := c.identity.Cluster(); member {
		t.Error("a machine joined with a bad token")
	}
}

func TestTokenIsNotShownToAStranger(t *testing.T) {
	ours, theirs := newWorld(t), newWorld(t)
	a, impostor, c := ours.boot("lvsm"), theirs.boot("fake"), ours.boot("web1")
	a.setup(t, true)
	impostor.setup(t, true)
	e, _ := a.identity.Cluster()
	ca, err := e.CAFingerprint()
	must(t, err)
	token, err := identity.NewToken(ca, impostor.host().Addresses)
	must(t, err)
	_, err = read(c.cluster().Join(t.Context(), &pb.JoinRequest{Token: token.String()}))
	reason, metadata := Reason(err)
	if reason != ReasonUnreachable || metadata[keyCheck] != "tls" {
		t.Errorf("join at an impostor: %v (%s, %v), want a TLS refusal", err, reason, metadata)
	}
}

func TestDestroyForgetsEverywhere(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.setup(t, true, b, c)
	_, err := read(c.cluster().Destroy(t.Context(), &pb.DestroyRequest{}))
	must(t, err)
	if state.NodeByName(w.store.Get().State, "web1") != nil {
		t.Error("web1 destroyed its cluster data and is still a member of a cluster with a quorum")
	}
	_, err = read(a.cluster().Destroy(t.Context(), &pb.DestroyRequest{All: true}))
	must(t, err)
	for _, m := range []*agent{a, b, c} {
		if _, member := m.identity.Cluster(); member {
			t.Errorf("%s did not forget the cluster", m.name)
		}
	}
	_, err = read(a.cluster().Destroy(t.Context(), &pb.DestroyRequest{}))
	if reason, _ := Reason(err); reason != ReasonNoCluster {
		t.Errorf("destroy in no cluster: %v, want %s", err, ReasonNoCluster)
	}
}
