package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"quorate/cluster/identity"
)

// errNotMember refuses a user's certificate where only nodes may speak.
var errNotMember = errors.New("the other end is not a node of this cluster")

// serverConfig answers one handshake by what this node is at that moment, so
// that an enrolment needs no restart.
func (t *Transport) serverConfig(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	alpn := t.choose(hello.SupportedProtos)
	c := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{*t.Identity.Certificate()},
		NextProtos:             []string{alpn},
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true, // every connection proves its ends anew
		VerifyConnection:       func(cs tls.ConnectionState) error { return t.admit(alpn, cs) },
	}
	if alpn == ALPNJoin {
		c.ClientAuth = tls.RequestClientCert
	}
	return c, nil
}

// choose picks what is served of what the client offers. When that is nothing it
// returns a name that nobody offers, which TLS refuses with the fitting alert.
func (t *Transport) choose(offered []string) string {
	_, enrolled := t.Identity.Cluster()
	for _, alpn := range offered {
		if (enrolled || alpn == ALPNJoin) && t.listeners.serves(alpn) {
			return alpn
		}
	}
	return "quorate-nothing"
}

// admit says whether the client may use the ALPN.
func (t *Transport) admit(alpn string, cs tls.ConnectionState) error {
	if cs.NegotiatedProtocol != alpn {
		return fmt.Errorf("the client asks for no protocol of ours (%q)", cs.NegotiatedProtocol)
	}
	if alpn == ALPNJoin {
		return nil // who it is, and what it may, the service decides
	}
	p, err := t.Identity.Verify(cs)
	if err != nil {
		return err
	}
	if alpn == ALPNAPI && (p.User != "" || p.Node == t.Identity.ID()) {
		return nil
	}
	return t.admitNode(p)
}

func (t *Transport) admitNode(p identity.Peer) error {
	if p.Node == "" {
		return errNotMember
	}
	if p.Node == t.Identity.ID() {
		return fmt.Errorf("the other end claims this node's own id %s; was its data directory copied from here?", p.Node)
	}
	if t.Refuse != nil {
		return t.Refuse(p.Node)
	}
	return nil
}

// clientConfig asks for one ALPN and accepts whom verify accepts.
func (t *Transport) clientConfig(alpn string, verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{alpn},
		InsecureSkipVerify: true, // VerifyConnection does it, by id and not by host name
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return t.Identity.Certificate(), nil
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			if cs.NegotiatedProtocol != alpn {
				return fmt.Errorf("the other end does not speak %s", alpn)
			}
			return verify(cs)
		},
	}
}

// verifyNode accepts one member.
func (t *Transport) verifyNode(id string) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		p, err := t.Identity.Verify(cs)
		if err != nil {
			return err
		}
		if p.Node != id {
			return fmt.Errorf("node %s answers there", p.Node)
		}
		if t.Refuse != nil {
			return t.Refuse(id)
		}
		return nil
	}
}

// Alerts of the other end, in crypto/tls's words: it has no values for them.
const (
	alertNoProtocol     = "tls: no application protocol"
	alertBadCertificate = "tls: bad certificate"
)

func isAlert(err error, alert string) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == alert
}

// explain puts words to the alerts that the other end can send.
func explain(err error, alpn string) error {
	switch {
	case isAlert(err, alertNoProtocol):
		return fmt.Errorf("it does not serve %s: it is in no cluster or still starting: %w", alpn, err)
	case isAlert(err, alertBadCertificate):
		return fmt.Errorf("it refuses this node's certificate, its log says why: %w", err)
	}
	return err
}

// alpns is every name that Listener takes.
var alpns = []string{ALPNRaft, ALPNGossip, ALPNAPI, ALPNJoin, alpnKeys}

func mustKnow(alpn string) {
	if !slices.Contains(alpns, alpn) {
		panic("unknown ALPN " + alpn)
	}
}
