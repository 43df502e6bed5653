package api

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"quorate/cluster/consensus"
	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// remote connects with a user's certificate, as a program far away does.
func remote(t *testing.T, to *agent, certificate *pb.CreateCertificateResponse) *grpc.ClientConn {
	t.Helper()
	config, err := identity.ClientConfig(certificate.CertificatePem, certificate.KeyPem, certificate.CaPem)
	must(t, err)
	return dialTLS(t, to, config)
}

func dialTLS(t *testing.T, to *agent, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(to.net.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(config)))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestCertificateOpensTheClusterToAPerson(t *testing.T) {
	w := newWorld(t)
	a := w.boot("lvsm")
	a.setup(t, true)
	made, err := a.cluster().CreateCertificate(t.Context(), &pb.CreateCertificateRequest{User: "alice"})
	must(t, err)
	conn := remote(t, a, made)
	got, err := pb.NewStatusClient(conn).Get(t.Context(), &pb.GetRequest{})
	if err != nil || got.State.ClusterName != "office" {
		t.Errorf("Get with a certificate: %v, %v", got, err)
	}
	_, err = pb.NewClusterClient(conn).Change(t.Context(), &pb.ChangeRequest{Edits: []*pb.Edit{
		updateNode(&pb.UpdateNode{Name: "lvsm", SetAttributes: map[string]string{"rack": "7"}}),
	}})
	must(t, err)
	events := w.store.Get().State.Events
	if last := events[len(events)-1]; last.Actor != "alice" {
		t.Errorf("newest event: %v, want one that names alice", last)
	}
	_, err = pb.NewAgentClient(conn).Execute(t.Context(), &pb.ExecuteRequest{})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("Execute with a person's certificate: %v, want PERMISSION_DENIED", err)
	}
	_, err = a.cluster().CreateCertificate(t.Context(), &pb.CreateCertificateRequest{User: "a/b"})
	wantRefusal(t, err, codes.InvalidArgument, "user", "a/b")
}

func TestCertificateOfAnotherClusterOpensNothing(t *testing.T) {
	a, b := newWorld(t).boot("lvsm"), newWorld(t).boot("lvss")
	a.setup(t, true)
	b.setup(t, true)
	made, err := b.cluster().CreateCertificate(t.Context(), &pb.CreateCertificateRequest{User: "mallory"})
	must(t, err)
	config, err := identity.ClientConfig(made.CertificatePem, made.KeyPem, made.CaPem)
	must(t, err)
	config.VerifyConnection = nil // mallory does not mind who answers
	if _, err := pb.NewStatusClient(dialTLS(t, a, config)).Get(t.Context(), &pb.GetRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("Get with another cluster's certificate: %v, want a refused handshake", err)
	}
	anonymous := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	if _, err := pb.NewStatusClient(dialTLS(t, a, anonymous)).Get(t.Context(), &pb.GetRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("Get without a certificate: %v, want a refused handshake", err)
	}
	plain, err := grpc.NewClient(a.net.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer plain.Close()
	if _, err := pb.NewStatusClient(plain).Get(t.Context(), &pb.GetRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("Get without TLS: %v, want no answer", err)
	}
}

func TestStrangerMayProveAPasswordAndNothingElse(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	l, err := b.server.dial(t.Context(), "lvsm", a.host().Addresses, identity.VerifyAnyone)
	must(t, err)
	defer l.close()
	_, err = l.Describe(t.Context(), &pb.DescribeRequest{})
	if reason, _ := Reason(err); reason != ReasonNotTrusted {
		t.Errorf("Describe by a stranger: %v, want %s", err, ReasonNotTrusted)
	}
	_, err = l.Enrol(t.Context(), &pb.EnrolRequest{})
	if reason, _ := Reason(err); reason != ReasonNotTrusted {
		t.Errorf("Enrol by a stranger: %v, want %s", err, ReasonNotTrusted)
	}
	_, err = pb.NewStatusClient(l.conn).Get(t.Context(), &pb.GetRequest{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("Get at the strangers' door: %v, want UNIMPLEMENTED", err)
	}
}

func TestTokenIsForTheKeyThatAsks(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.boot("lvsm"), w.boot("lvss"), w.boot("web1")
	a.setup(t, true)
	others, err := c.identity.CertificateRequest()
	must(t, err)
	l, err := b.server.dial(t.Context(), "lvsm", a.host().Addresses, identity.VerifyAnyone)
	must(t, err)
	defer l.close()
	_, err = l.Redeem(t.Context(), &pb.RedeemRequest{Node: &pb.Node{Id: b.identity.ID(), Name: "lvss"}, CertificateRequest: others})
	wantRefusal(t, err, codes.InvalidArgument, "certificate request", "another key")
}

func TestMembersForwardProposals(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	conn, err := b.net.ClientConn(a.identity.ID())
	must(t, err)
	agent := pb.NewAgentClient(conn)
	edit := func(name string) *pb.ProposeRequest {
		return &pb.ProposeRequest{Command: &pb.Command{Actor: "bob", Body: &pb.Command_Change{Change: &pb.Change{Edits: []*pb.Edit{
			updateNode(&pb.UpdateNode{Name: name, SetAttributes: map[string]string{"rack": "7"}}),
		}}}}}
	}
	answer, err := agent.Propose(t.Context(), edit("lvss"))
	if err != nil || answer.Index == 0 {
		t.Errorf("Propose: %v, %v, want an index", answer, err)
	}
	_, err = agent.Propose(t.Context(), edit("nobody"))
	if refused, ok := errors.AsType[*state.Refusal](FromError(err)); !ok || refused.Code != state.NotFound || refused.Field != "node" {
		t.Errorf("refused proposal: %v, want the state's own refusal", FromError(err))
	}
	w.with(func() { w.lost = true })
	_, err = agent.Propose(t.Context(), edit("lvss"))
	if _, ok := errors.AsType[*consensus.NotLeaderError](FromError(err)); !ok {
		t.Errorf("proposal without a leader: %v, want a NotLeaderError", FromError(err))
	}
	executed, err := agent.Execute(t.Context(), &pb.ExecuteRequest{Operation: &pb.Operation{Id: 9}, Resource: &pb.Resource{Id: "x"}})
	if err != nil || executed.Result.GetOperation() != 9 {
		t.Errorf("Execute: %v, %v, want the result of operation 9", executed, err)
	}
}

func TestAMemberMeetsOnItsOwnBehalf(t *testing.T) {
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b)
	conn, err := b.net.ClientConn(a.identity.ID())
	must(t, err)
	agent, self := pb.NewAgentClient(conn), b.identity.ID()
	answer, err := agent.Meet(t.Context(), &pb.MeetRequest{Side: &pb.Side{Node: self}})
	if err != nil || answer.Winner != self {
		t.Errorf("Meet: %v, %v, want an answer", answer, err)
	}
	for _, side := range []*pb.Side{nil, {}, {Node: a.identity.ID()}} {
		_, err = agent.Meet(t.Context(), &pb.MeetRequest{Side: side})
		wantRefusal(t, err, codes.PermissionDenied, "", "not that of the node that asks")
	}
}

func TestRemovedNodeIsDeniedOnItsOldConnection(t *testing.T) { // lease protocol, rule 3
	w := newWorld(t)
	a, b := w.boot("lvsm"), w.boot("lvss")
	a.setup(t, true, b, w.boot("web1"))
	conn, err := b.net.ClientConn(a.identity.ID())
	must(t, err)
	_, err = pb.NewStatusClient(conn).Get(t.Context(), &pb.GetRequest{})
	must(t, err)
	w.with(func() { b.member = false; w.gone(b) })
	_, err = read(a.cluster().RemoveNode(t.Context(), &pb.RemoveNodeRequest{Name: "lvss", Force: true}))
	must(t, err)
	if _, err = pb.NewStatusClient(conn).Get(t.Context(), &pb.GetRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("Get by a removed node: %v, want PERMISSION_DENIED", err)
	}
}

func TestHealthAndReflection(t *testing.T) {
	a := newWorld(t).boot("lvsm")
	got, err := healthpb.NewHealthClient(a.local).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "quorate.v1.Cluster"})
	if err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v, want SERVING", got, err)
	}
	stream, err := reflectionpb.NewServerReflectionClient(a.local).ServerReflectionInfo(t.Context())
	must(t, err)
	must(t, stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}))
	answer, err := stream.Recv()
	must(t, err)
	services := make(map[string]bool)
	for _, s := range answer.GetListServicesResponse().GetService() {
		services[s.Name] = true
	}
	for name, want := range map[string]bool{"quorate.v1.Cluster": true, "quorate.v1.Status": true, "quorate.v1.Agent": false, "quorate.v1.Join": false} {
		if services[name] != want {
			t.Errorf("reflection at the local socket lists %s: %t, want %t", name, services[name], want)
		}
	}
	must(t, stream.CloseSend())
}

func TestErrorsKeepTheirMeaningOnTheWire(t *testing.T) {
	tests := []error{
		&state.Refusal{Code: state.Invalid, Field: "ip", Problem: "is wrong", Fix: "mend it"},
		&state.Refusal{Code: state.NotFound, Field: "node", Problem: "is unknown"},
		&state.Refusal{Code: state.Exists, Problem: "is there"},
		&state.Refusal{Code: state.Precondition, Field: "x", Problem: "not yet"},
		&state.Refusal{Code: state.Stale, Field: "epoch", Problem: "is old"},
		&consensus.NotLeaderError{Leader: "n2"},
		&consensus.NotLeaderError{},
	}
	for _, want := range tests {
		got := FromError(toStatus(want))
		if got.Error() != want.Error() {
			t.Errorf("FromError(toStatus(%#v)) = %#v", want, got)
		}
	}
	if got := FromError(toStatus(consensus.ErrUnknown)); !errors.Is(got, consensus.ErrUnknown) {
		t.Errorf("an unknown outcome became %v", got)
	}
	if got := status.Code(toStatus(context.DeadlineExceeded)); got != codes.DeadlineExceeded {
		t.Errorf("a deadline became %v", got)
	}
	if got := toStatus(nil); got != nil {
		t.Errorf("no error became %v", got)
	}
}
