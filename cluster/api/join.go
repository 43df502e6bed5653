package api

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// joinService answers machines that are no members.
type joinService struct {
	*Server
	pb.UnimplementedJoinServer
}

// Describe tells who this machine is.
func (j joinService) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	info := j.self.Info()
	request, err := j.identity.CertificateRequest()
	if err != nil {
		return nil, err
	}
	e, _ := j.identity.Cluster()
	return &pb.DescribeResponse{Id: info.ID, ClusterName: e.ClusterName, Version: info.Version, CertificateRequest: request}, nil
}

// Enrol makes this machine a member.
func (j joinService) Enrol(ctx context.Context, r *pb.EnrolRequest) (*pb.EnrolResponse, error) {
	info := j.self.Info()
	if e, member := j.identity.Cluster(); member && e.ClusterID != r.ClusterId {
		return nil, inCluster(info.Name, e.ClusterName)
	}
	if r.GetNode().GetId() != info.ID {
		return nil, invalid("node id", fmt.Sprintf("this machine is %s, not %s", info.ID, r.GetNode().GetId()), "")
	}
	if err := j.self.Enrol(ctx, r); err != nil {
		return nil, err
	}
	j.logger.Info("enrolled", "cluster", r.ClusterName, "key", callerOf(ctx).key.String())
	return &pb.EnrolResponse{}, nil
}

// Redeem uses a join token up. The state decides whether it is good: it alone
// knows that a token was not used on another member at the same moment.
func (j joinService) Redeem(ctx context.Context, r *pb.RedeemRequest) (*pb.EnrolRequest, error) {
	e, member := j.identity.Cluster()
	if !member {
		return nil, errNoCluster
	}
	if r.Node == nil {
		return nil, invalid("node", "none is given", "")
	}
	if err := ownsKey(r.CertificateRequest, callerOf(ctx).key); err != nil {
		return nil, invalid("certificate request", err.Error(), "")
	}
	certificate, err := e.Sign(r.CertificateRequest, r.Node.Id)
	if err != nil {
		return nil, invalid("certificate request", err.Error(), "")
	}
	r.Node.Stopped = rests(j.state.Get().State)
	ctx = context.WithValue(ctx, callerKey{}, caller{actor: "join token " + r.TokenId})
	_, err = j.propose(ctx, &pb.Command{Body: &pb.Command_RedeemToken{RedeemToken: &pb.RedeemToken{
		Id: r.TokenId, SecretSha256: identity.HashSecret(r.Secret), Node: r.Node,
	}}})
	if err != nil {
		return nil, err
	}
	st, known := j.state.Get().State, r.Node
	if n := state.NodeByID(st, r.Node.Id); n != nil {
		known = n
	}
	return enrolRequest(e, known, certificate, st), nil
}

// ownsKey refuses a request for another key than the one that asks.
func ownsKey(request []byte, key identity.Fingerprint) error {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return err
	}
	if sha256.Sum256(csr.RawSubjectPublicKeyInfo) != key {
		return errors.New("it is for another key than the caller's")
	}
	return nil
}

// defaultLifetime is how long a join token is good for.
const defaultLifetime = time.Hour

// CreateToken makes a one-time join token.
func (c clusterService) CreateToken(ctx context.Context, r *pb.CreateTokenRequest) (*pb.CreateTokenResponse, error) {
	e, member := c.identity.Cluster()
	if !member {
		return nil, errNoCluster
	}
	lifetime := r.Lifetime.AsDuration()
	switch {
	case lifetime < 0:
		return nil, invalid("lifetime", "it is negative", "")
	case lifetime == 0:
		lifetime = defaultLifetime
	}
	ca, err := e.CAFingerprint()
	if err != nil {
		return nil, err
	}
	token, err := identity.NewToken(ca, c.memberAddresses())
	if err != nil {
		return nil, err
	}
	expires := timestamppb.New(time.Now().Add(lifetime))
	_, err = c.propose(ctx, &pb.Command{Body: &pb.Command_PutToken{PutToken: &pb.PutToken{Token: &pb.Token{
		Id: token.ID, SecretSha256: token.SecretHash(), ExpiresAt: expires, Role: c.roleFor(r.Role),
	}}}})
	if err != nil {
		return nil, err
	}
	return &pb.CreateTokenResponse{Token: token.String(), ExpiresAt: expires}, nil
}

// tokenAddresses is how many members a token names: enough to find one, few
// enough to paste.
const tokenAddresses = 4

// memberAddresses returns where a joining machine may knock: the first address of
// each member, this node first, then their further ones.
func (s *Server) memberAddresses() []string {
	var own, others, further []string
	for _, n := range s.state.Get().State.Nodes {
		switch {
		case len(n.Addresses) == 0:
			continue
		case n.Id == s.self.Info().ID:
			own = n.Addresses[:1]
		default:
			others = append(others, n.Addresses[0])
		}
		further = append(further, n.Addresses[1:]...)
	}
	list := slices.Concat(own, others, further)
	return list[:min(len(list), tokenAddresses)]
}

// Join makes this machine a member by a token.
func (c clusterService) Join(r *pb.JoinRequest, stream grpc.ServerStreamingServer[pb.Progress]) error {
	info := c.self.Info()
	if e, member := c.identity.Cluster(); member {
		return inCluster(info.Name, e.ClusterName)
	}
	token, err := identity.ParseToken(r.Token)
	if err != nil {
		return invalid("token", strings.TrimPrefix(err.Error(), "token: "), "")
	}
	ctx, cancel := c.carryOn(stream.Context())
	defer cancel()
	p := progress{stream}
	membership, err := c.redeem(ctx, token, r)
	if err != nil {
		return err
	}
	if err := c.self.Enrol(ctx, membership); err != nil {
		return fmt.Errorf("enrol: %w; use `quorate cluster node remove --force %s` on a member and try again", err, membership.Node.Name)
	}
	p.say(membership.Node.Name, "enrolled in cluster %s", membership.ClusterName)
	if err := c.awaitMembers(ctx, []*pb.Node{membership.Node}, p); err != nil {
		return err
	}
	return p.end(c.state.Get().Index, "%s is a member of %s", membership.Node.Name, membership.ClusterName)
}

// redeem gives the token's secret to a member: to one that proved to be of the
// cluster whose fingerprint the token carries, and to nobody else.
func (s *Server) redeem(ctx context.Context, token *identity.Token, r *pb.JoinRequest) (*pb.EnrolRequest, error) {
	request, err := s.identity.CertificateRequest()
	if err != nil {
		return nil, err
	}
	l, err := s.dial(ctx, "of the token", token.Addresses, identity.VerifyAuthority(token.CA))
	if err != nil {
		return nil, err
	}
	defer l.close()
	node, err := s.joiningNode(ctx, r, l.local)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	membership, err := l.Redeem(ctx, &pb.RedeemRequest{
		TokenId: token.ID, Secret: token.Secret[:], Node: node, CertificateRequest: request,
	})
	if refused, ok := errors.AsType[*state.Refusal](FromError(err)); ok && refused.Field == "token" && refused.Code == state.Precondition {
		return nil, invalid("token", refused.Problem, refused.Fix) // an expired one will never be right again
	}
	return membership, err
}

// joiningNode is this machine as it wants to be known.
func (s *Server) joiningNode(ctx context.Context, r *pb.JoinRequest, local netip.Addr) (*pb.Node, error) {
	info := s.self.Info()
	n := &pb.Node{Id: info.ID, Name: info.Name, Version: info.Version}
	if r.Name != "" {
		n.Name = r.Name
	}
	if len(r.Addresses) == 0 {
		n.Addresses = []string{netip.AddrPortFrom(local, info.Port).String()}
		return n, nil
	}
	var err error
	n.Addresses, err = s.resolve(ctx, &pb.HostSpec{Name: n.Name, Addresses: r.Addresses})
	return n, err
}

// CreateCertificate signs a certificate for remote use of this API.
func (c clusterService) CreateCertificate(ctx context.Context, r *pb.CreateCertificateRequest) (*pb.CreateCertificateResponse, error) {
	e, member := c.identity.Cluster()
	if !member {
		return nil, errNoCluster
	}
	certificate, key, ca, err := e.SignUser(r.User)
	if err != nil {
		return nil, invalid("user", err.Error(), "")
	}
	c.logger.Info("certificate made", "user", r.User, "actor", callerOf(ctx).actor)
	return &pb.CreateCertificateResponse{CertificatePem: certificate, KeyPem: key, CaPem: ca}, nil
}

// DescribeAgents lists kinds of resources. What is installed is this node's.
func (c clusterService) DescribeAgents(_ context.Context, r *pb.DescribeAgentsRequest) (*pb.DescribeAgentsResponse, error) {
	resp := &pb.DescribeAgentsResponse{Node: c.self.Info().Name}
	if r.Name != "" {
		agent, err := c.agents.Find(r.Name)
		if err == nil && resources.Missing(agent) != nil {
			err = c.agents.Unknown(r.Name)
		}
		if err != nil {
			return nil, agentRefusal(err)
		}
		resp.Agents = append(resp.Agents, agent.Metadata())
		return resp, nil
	}
	for _, agent := range c.agents.All() {
		resp.Agents = append(resp.Agents, agent.Metadata())
	}
	resp.Installed = c.agents.Installed()
	return resp, nil
}
