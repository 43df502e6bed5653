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
	address := a.server
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), defaultPort)
	}
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		t := tls.Client(conn, config)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return t, nil
	}, nil
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
