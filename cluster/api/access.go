package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"quorate/cluster/identity"
	pb "quorate/proto/quorate/v1"
)

// A caller is who asks, proved by the kernel or by a certificate.
type caller struct {
	actor string               // as the state records it
	node  string               // id, of a member
	key   identity.Fingerprint // of the other end's key; zero on the unix socket
	tls   *tls.ConnectionState // nil on the unix socket
}

type callerKey struct{}

// callerOf returns who asks. Every call that reaches a service has one.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// A door is one way in: who may come through it, and to what.
type door func(info credentials.AuthInfo, method string) (caller, error)

// unary lets callers in, and makes statuses of the errors that go out.
func (d door) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, err := d.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	resp, err := handle(ctx, req)
	return resp, toStatus(err)
}

// stream is unary for streams.
func (d door) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, err := d.enter(s.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return toStatus(handle(srv, &enteredStream{s, ctx}))
}

type enteredStream struct {
	grpc.ServerStream
	ctx context.Context // of the call, with its caller; the interface wants it stored
}

func (s *enteredStream) Context() context.Context { return s.ctx }

func (d door) enter(ctx context.Context, method string) (context.Context, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, denied("it is not known who asks")
	}
	c, err := d(p.AuthInfo, method)
	if err != nil {
		return nil, err
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

func denied(why string) error { return fail(codes.PermissionDenied, ReasonDenied, why) }

// localDoor is the unix socket: people and programs of this machine.
func localDoor(access localAccess, node func() string) door {
	return func(info credentials.AuthInfo, _ string) (caller, error) {
		p, ok := info.(process)
		if !ok {
			return caller{}, denied("it is not known which process asks")
		}
		name := userName(p.uid)
		if !access.allows(p) {
			return caller{}, denied(fmt.Sprintf("user %s (uid %d) may not use the cluster: %s", name, p.uid, access.who()))
		}
		return caller{actor: fmt.Sprintf("%s@%s (uid %d)", name, node(), p.uid)}, nil
	}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return id // a user that only another machine or name service knows
	}
	return u.Username
}

// memberDoor is for certificates of the cluster: what members ask of each
// other is for nodes alone; all else also for people.
func (s *Server) memberDoor(info credentials.AuthInfo, method string) (caller, error) {
	c, p, err := s.identify(info)
	if err != nil {
		return caller{}, err
	}
	switch {
	case slices.Contains(s.state.Get().State.GetRemoved(), p.Node): // on a connection from before (lease protocol, rule 3)
		return caller{}, denied("node " + p.Node + " was removed from the cluster")
	case p.Node != "":
		c.node, c.actor = p.Node, s.nodeName(p.Node)
	case p.User != "" && !serves(method, pb.Agent_ServiceDesc.ServiceName):
		c.actor = p.User
	case p.User != "":
		return caller{}, denied("only members may call " + method)
	default:
		return caller{}, denied("the caller's certificate was not signed by this cluster")
	}
	return c, nil
}

// strangerDoor is for machines that are in no cluster, or in none yet. Whoever
// is not trusted may only prove a password or a token.
func (s *Server) strangerDoor(info credentials.AuthInfo, method string) (caller, error) {
	c, p, err := s.identify(info)
	if err != nil {
		return caller{}, err
	}
	switch method {
	case pb.Join_Auth_FullMethodName, pb.Join_Redeem_FullMethodName:
		return c, nil
	}
	if _, trusted := s.identity.Trusted(c.key); trusted || p.Node != "" || c.key == s.identity.Fingerprint() {
		return c, nil
	}
	return caller{}, fail(codes.PermissionDenied, ReasonNotTrusted,
		fmt.Sprintf("%s does not trust the caller's key: run `quorate cluster auth` first", s.self.Info().Name))
}

func (s *Server) identify(info credentials.AuthInfo) (caller, identity.Peer, error) {
	t, ok := info.(credentials.TLSInfo)
	if !ok {
		return caller{}, identity.Peer{}, denied("only over TLS")
	}
	p, err := s.identity.PeerID(t.State)
	if err != nil {
		return caller{}, p, denied(err.Error())
	}
	return caller{key: p.Fingerprint, tls: &t.State}, p, nil
}

func serves(method, service string) bool { return strings.HasPrefix(method, "/"+service+"/") }
