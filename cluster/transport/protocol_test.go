package transport

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

func TestRaftAsksForPreVotesByNodeID(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	log := slog.New(slog.DiscardHandler)
	near, far := a.RaftTransport(unforked(log)), b.RaftTransport(unforked(log))
	defer near.Close()
	defer far.Close()
	if got := string(near.LocalAddr()); got != a.id.ID() {
		t.Errorf("raft address %s, want the node id %s", got, a.id.ID())
	}

	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		rpc := <-far.Consumer()
		_, ok := rpc.Command.(*raft.RequestPreVoteRequest)
		rpc.Respond(&raft.RequestPreVoteResponse{Term: 7, Granted: ok}, nil)
	})
	var answer raft.RequestPreVoteResponse
	err := near.RequestPreVote(raft.ServerID(b.id.ID()), raft.ServerAddress(b.id.ID()), &raft.RequestPreVoteRequest{Term: 7}, &answer)
	if err != nil || !answer.Granted || answer.Term != 7 {
		t.Errorf("pre-vote: %+v, %v", answer, err)
	}
}

// serve runs gRPC's health service at r; its answers say who asked.
func serve(t *testing.T, r *running) *grpc.Server {
	t.Helper()
	s := grpc.NewServer(grpc.Creds(r.ServerCredentials()), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
			p, _ := grpcpeer.FromContext(ctx)
			tls, ok := p.AuthInfo.(credentials.TLSInfo)
			if !ok {
				return nil, status.Error(codes.Internal, "no TLS")
			}
			who, err := r.id.PeerID(tls.State)
			return nil, status.Errorf(codes.Unknown, "%s asked, %v", who.Node, err)
		}))
	healthpb.RegisterHealthServer(s, health.NewServer())
	var wg sync.WaitGroup
	listener := r.Listener(ALPNAPI)
	wg.Go(func() { _ = s.Serve(listener) })
	t.Cleanup(func() { s.Stop(); wg.Wait() })
	return s
}

func TestGRPCKnowsWhoAsksAndHeals(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	s := serve(t, b)
	c, err := a.ClientConn(b.id.ID())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := a.ClientConn(b.id.ID()); err != nil || again != c {
		t.Errorf("not shared: %v", err)
	}
	ask := func(options ...grpc.CallOption) string {
		_, err := healthpb.NewHealthClient(c).Check(soon(t), &healthpb.HealthCheckRequest{}, options...)
		return status.Convert(err).Message()
	}
	want := a.id.ID() + " asked, <nil>"
	if got := ask(); got != want {
		t.Errorf("answer %q, want %q", got, want)
	}

	s.Stop()
	b.halt(t)
	began := time.Now()
	if got := ask(); got == want {
		t.Error("a halted node answers")
	}
	if took := time.Since(began); took > attemptTimeout {
		t.Errorf("failed after %v, want at once", took)
	}
	serve(t, l.start(b.id, b.addr))
	if got := ask(grpc.WaitForReady(true)); got != want {
		t.Errorf("after the restart: %q, want %q", got, want)
	}
}

func TestCredentialsRefuseAnUnprovenConnection(t *testing.T) {
	if _, _, err := (finished{}).ServerHandshake(nil); err == nil {
		t.Error("a connection without TLS was taken")
	}
}
