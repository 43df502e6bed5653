package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A machine is a host that was asked who it is. Its line stays open, so that
// what is enrolled later is what was looked at.
type machine struct {
	node    *pb.Node // as it would join
	request []byte   // for its certificate
	line    *line    // nil for this machine
}

func (m *machine) close() {
	if m.line != nil {
		m.line.close()
	}
}

func closeAll(machines []*machine) {
	for _, m := range machines {
		if m != nil {
			m.close()
		}
	}
}

// survey asks every host who it is, and changes nothing. It fails as a whole
// when any host cannot become a member; the error names each that cannot.
func (s *Server) survey(ctx context.Context, hosts []*pb.HostSpec) (machines []*machine, err error) {
	machines = make([]*machine, len(hosts))
	defer func() {
		if err != nil {
			closeAll(machines)
		}
	}()
	errs := make([]error, len(hosts))
	var g errgroup.Group
	g.SetLimit(8)
	for i, h := range hosts {
		g.Go(func() error {
			machines[i], errs[i] = s.look(ctx, h)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return machines, err
	}
	if err := joined(errs); err != nil {
		return machines, err
	}
	s.outwardly(machines)
	return machines, distinct(machines)
}

// distinct refuses two names for one thing, and addresses that the machines
// cannot use among each other.
func distinct(machines []*machine) error {
	byName, byID := make(map[string]bool), make(map[string]string)
	outward, inward := "", ""
	for _, m := range machines {
		n := m.node
		if byName[n.Name] {
			return &state.Refusal{Code: state.Exists, Field: "host", Problem: fmt.Sprintf("%s is named twice", n.Name)}
		}
		if other := byID[n.Id]; other != "" {
			return &state.Refusal{
				Code: state.Exists, Field: "host", Problem: fmt.Sprintf("%s and %s are the same machine", other, n.Name),
				Fix: "give each host its own address; clones of a machine need `quorate cluster destroy` first",
			}
		}
		byName[n.Name], byID[n.Id] = true, n.Name
		if loopback(n.Addresses) {
			inward = n.Name
		} else {
			outward = n.Name
		}
	}
	if inward != "" && outward != "" {
		return invalid("host "+inward, "its name leads to a loopback address, which the others cannot reach",
			"give its address, or mend /etc/hosts")
	}
	return nil
}

func loopback(addresses []string) bool {
	for _, a := range addresses {
		if at, err := netip.ParseAddrPort(a); err != nil || !at.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// look asks one host. This machine needs no password to be asked by itself.
func (s *Server) look(ctx context.Context, h *pb.HostSpec) (*machine, error) {
	addresses, err := s.resolve(ctx, h)
	if err != nil {
		return nil, err
	}
	self := s.self.Info()
	if h.Name == self.Name {
		return s.lookAtSelf(ctx, h.Name, addresses)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	l, err := s.dial(ctx, h.Name, addresses, s.verifyTrusted(h.Name))
	if err != nil {
		return nil, err
	}
	d, err := l.Describe(ctx, &pb.DescribeRequest{})
	switch {
	case err != nil:
		err = describeError(h.Name, err)
	case d.Id == self.ID:
		l.close()
		return s.lookAtSelf(ctx, h.Name, addresses)
	case d.ClusterName != "":
		err = inCluster(h.Name, d.ClusterName)
	default:
		err = s.lookEverywhere(ctx, h.Name, addresses, l.state)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	node := &pb.Node{Id: d.Id, Name: h.Name, Addresses: addresses, Version: d.Version}
	return &machine{node: node, request: d.CertificateRequest, line: l}, nil
}

// lookEverywhere checks that the machine at the other end of a connection answers
// at all the addresses that it was given.
func (s *Server) lookEverywhere(ctx context.Context, name string, addresses []string, cs tls.ConnectionState) error {
	p, err := s.identity.PeerID(cs)
	if err != nil {
		return err
	}
	return s.answersAtAll(ctx, name, addresses, p.Fingerprint)
}

// answersAtAll checks that the machine with a key answers at each of several
// addresses: a link that is wrong from the start would be missed only when the
// other one fails.
func (s *Server) answersAtAll(ctx context.Context, name string, addresses []string, key identity.Fingerprint) error {
	if len(addresses) < 2 {
		return nil
	}
	for _, a := range addresses {
		if err := s.knock(ctx, name, a, s.verifyKey(key)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) verifyKey(key identity.Fingerprint) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		p, err := s.identity.PeerID(cs)
		if err == nil && p.Fingerprint != key {
			err = errOtherMachine
		}
		return err
	}
}

// errOtherMachine is why an address is not a machine's further one.
var errOtherMachine = errors.New("another machine answers there")

// lookAtSelf describes this machine. Where its own name leads to itself alone,
// the address by which it reaches others is left to be found (see outwardly).
func (s *Server) lookAtSelf(ctx context.Context, name string, addresses []string) (*machine, error) {
	if e, member := s.identity.Cluster(); member {
		return nil, inCluster(name, e.ClusterName)
	}
	if err := s.answersAtAll(ctx, name, addresses, s.identity.Fingerprint()); err != nil {
		return nil, err
	}
	self := s.self.Info()
	return &machine{node: &pb.Node{Id: self.ID, Name: name, Addresses: addresses, Version: self.Version}}, nil
}

// outwardly replaces a loopback address of this machine by the one that it uses
// towards the others: Debian's /etc/hosts says 127.0.1.1.
func (s *Server) outwardly(machines []*machine) {
	other := slices.IndexFunc(machines, func(m *machine) bool { return m.line != nil && !m.line.local.IsLoopback() })
	if other < 0 {
		return
	}
	for _, m := range machines {
		if m.line == nil && loopback(m.node.Addresses) {
			at := netip.AddrPortFrom(machines[other].line.local, s.self.Info().Port)
			m.node.Addresses = []string{at.String()}
		}
	}
}

func inCluster(host, cluster string) error {
	return &state.Refusal{
		Code: state.Exists, Field: "host " + host, Problem: fmt.Sprintf("it already is in cluster %q", cluster),
		Fix: "use `quorate cluster destroy` there first",
	}
}

// errNotTrusted is why a machine whose key nobody vouched for is not spoken to.
var errNotTrusted = errors.New("its key is not trusted here")

// verifyTrusted accepts the key that `cluster auth` vouched for under a name.
// A member of this cluster needs nobody's word.
func (s *Server) verifyTrusted(name string) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		p, err := s.identity.PeerID(cs)
		if err != nil {
			return err
		}
		if _, trusted := s.identity.Trusted(p.Fingerprint); trusted || p.Node != "" || p.Fingerprint == s.identity.Fingerprint() {
			return nil
		}
		for _, k := range s.identity.TrustedKeys() {
			if k.Name == name {
				return fmt.Errorf("its key is not the one of the last `quorate cluster auth %s`: %w", name, identity.VerifyFingerprint(k.Fingerprint)(cs))
			}
		}
		return errNotTrusted
	}
}

// describeError tells a host that does not trust this node from one that does
// not answer and from one that refuses.
func describeError(host string, err error) error {
	text := status.Convert(err).Message()
	switch reason, _ := Reason(err); status.Code(err) {
	case codes.PermissionDenied:
		return notAuthenticated(host)
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return unreachable(host, "answer", errors.New(text))
	default:
		return fail(status.Code(err), reason, fmt.Sprintf("host %s: %s", host, text), keyField, "host "+host, keyHost, host)
	}
}

func notAuthenticated(host string) error {
	return fail(codes.FailedPrecondition, ReasonNotTrusted,
		fmt.Sprintf("host %s: it was not authenticated; use `quorate cluster auth %s` first", host, host),
		keyField, "host", keyHost, host, keyFix, "quorate cluster auth "+host)
}
