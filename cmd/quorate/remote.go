package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"quorate/cmd/quorate/grammar"
)

// defaultPort is the one port that members use.
const defaultPort = "7480"

// A certificateError says that one of the two ends was not believed.
type certificateError struct{ text string }

func (e *certificateError) Error() string { return e.text }

// remote returns how --server is reached: over TLS 1.3, both ends with a
// certificate of the cluster's own CA.
func (a *app) remote() (func(context.Context) (net.Conn, error), error) {
	config, err := a.tlsConfig()
	if err != nil {
		return nil, err
	}
	address := serverAddress(a.server)
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		t := tls.Client(conn, config)
		first, err := shakeHands(ctx, a.server, t)
		if err != nil {
			_ = conn.Close() // the error is told already
			return nil, err
		}
		return &peeked{t, first}, nil
	}, nil
}

// shakeHands returns once both ends have accepted each other. In TLS 1.3 a
// client learns only after its handshake that its certificate was refused; a
// gRPC server that accepts it speaks first, and those bytes are returned.
func shakeHands(ctx context.Context, server string, t *tls.Conn) (first []byte, err error) {
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = t.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	first = make([]byte, 512)
	n, err := t.Read(first)
	if refused, ok := errors.AsType[*net.OpError](err); ok && refused.Op == "remote error" {
		return nil, &certificateError{fmt.Sprintf("--server %s: it does not accept the certificate of --cert: %v", server, refused.Err)}
	}
	return first[:n], err
}

// peeked is a connection of which the first bytes were read already.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.first)
	p.first = p.first[n:]
	return n, nil
}

// serverAddress adds the port where there is none.
func serverAddress(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), defaultPort)
}

// tlsConfig accepts any member of the cluster and nobody else. Members are told
// by the URI in their certificate, as their host names are not in it.
func (a *app) tlsConfig() (*tls.Config, error) {
	if a.ca == "" || a.cert == "" || a.key == "" {
		return nil, grammar.Errorf("--server needs --ca, --cert and --key, too").
			With("make the files on a node with %q", "cluster certificate USER")
	}
	pem, err := os.ReadFile(a.ca)
	if err != nil {
		return nil, grammar.Errorf("--ca: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, grammar.Errorf("--ca: %s holds no certificate", a.ca)
	}
	own, err := tls.LoadX509KeyPair(a.cert, a.key)
	if err != nil {
		return nil, grammar.Errorf("--cert, --key: %v", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		ServerName:         "quorate",
		Certificates:       []tls.Certificate{own},
		InsecureSkipVerify: true, // VerifyConnection does it, by URI instead of by host name
		VerifyConnection: func(cs tls.ConnectionState) error {
			return verifyMember(a.server, cs, roots)
		},
	}, nil
}

// verifyMember checks that the other end is a node of the cluster that the CA
// belongs to.
func verifyMember(server string, cs tls.ConnectionState, roots *x509.CertPool) error {
	leaf := cs.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return &certificateError{fmt.Sprintf("--server %s: its certificate is not of the cluster that --ca is of: %v", server, err)}
	}
	for _, u := range leaf.URIs {
		if isMember(u) {
			return nil
		}
	}
	return &certificateError{fmt.Sprintf("--server %s: its certificate is not that of a node", server)}
}

// isMember matches quorate://CLUSTER/node/UUID.
func isMember(u *url.URL) bool {
	id, ok := strings.CutPrefix(u.Path, "/node/")
	return u.Scheme == "quorate" && u.Host != "" && ok && id != "" && !strings.Contains(id, "/")
}
