package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/identity"
	pb "quorate/proto/quorate/v1"
)

// defaultUser is whose password pcs asks for, too.
const defaultUser = "hacluster"

// Auth makes this node and the named ones trust each other's keys. If a host
// fails, the error says which and why, and carries the whole AuthResponse; the
// others are trusted nonetheless.
func (c clusterService) Auth(ctx context.Context, r *pb.AuthRequest) (*pb.AuthResponse, error) {
	if len(r.Hosts) == 0 {
		return nil, invalid("host", "none is given", "name the hosts of the cluster to be")
	}
	if r.Password == "" {
		return nil, invalid("password", "it is empty", "")
	}
	user := r.User
	if user == "" {
		user = defaultUser
	}
	resp := &pb.AuthResponse{Hosts: make([]*pb.HostResult, len(r.Hosts))}
	errs := make([]error, len(r.Hosts))
	var g errgroup.Group
	g.SetLimit(4) // a password exchange takes 64 MiB
	for i, h := range r.Hosts {
		g.Go(func() error {
			resp.Hosts[i], errs[i] = c.authHost(ctx, h, user, r.Password)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if err := joined(errs, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// authHost exchanges proofs of the password with one host and trusts its key.
func (s *Server) authHost(ctx context.Context, h *pb.HostSpec, user, password string) (*pb.HostResult, error) {
	result := &pb.HostResult{Name: h.Name}
	key, err := s.prove(ctx, h, user, password)
	if err == nil {
		err = s.identity.Trust(key)
	}
	if err != nil {
		result.Error = strings.TrimPrefix(status.Convert(toStatus(err)).Message(), "host "+h.Name+": ")
		return result, err
	}
	result.Fingerprint = key.Fingerprint.String()
	return result, nil
}

// proofTimeout bounds an exchange. Both ends stretch the password (Argon2id), which takes
// a small or a very busy machine many seconds.
const proofTimeout = 45 * time.Second

// prove runs the OPAQUE exchange (RFC 9807) over a TLS channel whose other end
// is not known yet: only who holds the password's record, at the end of this
// very channel, can complete it.
func (s *Server) prove(ctx context.Context, h *pb.HostSpec, user, password string) (identity.TrustedKey, error) {
	addresses, err := s.resolve(ctx, h)
	if err != nil {
		return identity.TrustedKey{}, err
	}
	l, err := s.dial(ctx, h.Name, addresses, identity.VerifyAnyone)
	if err != nil {
		return identity.TrustedKey{}, err
	}
	defer l.close()
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	if err := exchange(ctx, l, user, password); err != nil {
		return identity.TrustedKey{}, passwordError(h.Name, err)
	}
	peer, err := s.identity.PeerID(l.state)
	if err != nil {
		return identity.TrustedKey{}, unreachable(h.Name, "tls", err)
	}
	return identity.TrustedKey{Fingerprint: peer.Fingerprint, Name: h.Name, Addresses: addresses}, nil
}

// exchange sends KE1, takes KE2, sends KE3 and waits to be accepted.
func exchange(ctx context.Context, l *line, user, password string) error {
	client, err := identity.NewPasswordClient(user, password, l.state)
	if err != nil {
		return err
	}
	stream, err := l.Auth(ctx)
	if err != nil {
		return err
	}
	answer, err := ask(stream, &pb.AuthMessage{User: user, Opaque: client.First()})
	if err != nil {
		return err
	}
	last, err := client.Finish(answer.Opaque)
	if err != nil {
		return err
	}
	answer, err = ask(stream, &pb.AuthMessage{Opaque: last})
	if err == nil && !answer.Accepted {
		err = identity.ErrWrongPassword
	}
	return err
}

type authStream interface {
	Send(m *pb.AuthMessage) error
	Recv() (*pb.AuthMessage, error)
}

func ask(stream authStream, m *pb.AuthMessage) (*pb.AuthMessage, error) {
	if err := stream.Send(m); err != nil {
		if _, received := stream.Recv(); received != nil { // it holds the reason
			err = received
		}
		return nil, err
	}
	return stream.Recv()
}

// passwordError names the host whose exchange failed.
func passwordError(host string, err error) error {
	reason, _ := Reason(err)
	switch {
	case errors.Is(err, identity.ErrWrongPassword), reason == ReasonPassword:
		return fail(codes.PermissionDenied, ReasonPassword, fmt.Sprintf("host %s: password: wrong user or password", host),
			keyField, "host "+host, keyHost, host, keyCheck, "password")
	case status.Code(err) == codes.Unavailable, status.Code(err) == codes.DeadlineExceeded:
		return unreachable(host, "answer", errors.New(status.Convert(err).Message()))
	default:
		s := status.Convert(err)
		return fail(s.Code(), reason, fmt.Sprintf("host %s: password: %s", host, s.Message()), keyField, "host "+host, keyHost, host, keyCheck, "password")
	}
}

// Auth answers the exchange and then trusts the caller's key.
func (j joinService) Auth(stream grpc.BidiStreamingServer[pb.AuthMessage, pb.AuthMessage]) error {
	who := callerOf(stream.Context())
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	server, second, err := j.identity.Passwords().Answer(first.User, first.Opaque, *who.tls)
	if err != nil {
		return passwordRefusal(err)
	}
	last, err := ask(stream, &pb.AuthMessage{Opaque: second})
	if err != nil {
		return err
	}
	if err := server.Finish(last.Opaque); err != nil {
		j.logger.Warn("password refused", "user", first.User, "key", who.key.String())
		return passwordRefusal(err)
	}
	if err := j.identity.Trust(identity.TrustedKey{Fingerprint: who.key}); err != nil {
		return err
	}
	j.logger.Info("key trusted by password", "user", first.User, "key", who.key.String())
	return stream.Send(&pb.AuthMessage{Accepted: true})
}

// passwordRefusal is what the asking end is told.
func passwordRefusal(err error) error {
	_, guessed := errors.AsType[*identity.TooManyGuessesError](err)
	switch {
	case errors.Is(err, identity.ErrWrongPassword):
		return fail(codes.PermissionDenied, ReasonPassword, err.Error())
	case errors.Is(err, identity.ErrNoPassword):
		return fail(codes.FailedPrecondition, ReasonPrecondition, err.Error()+": `quorate cluster password`")
	case guessed:
		return fail(codes.ResourceExhausted, ReasonPassword, err.Error())
	default:
		return fail(codes.InvalidArgument, ReasonInvalid, err.Error())
	}
}

// SetPassword sets the password that `cluster auth` asks of this node.
func (c clusterService) SetPassword(ctx context.Context, r *pb.SetPasswordRequest) (*pb.SetPasswordResponse, error) {
	if err := c.identity.Passwords().Set(defaultUser, r.Password); err != nil {
		return nil, invalid("password", err.Error(), "")
	}
	c.logger.Info("password set", "actor", callerOf(ctx).actor)
	return &pb.SetPasswordResponse{}, nil
}
