package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "quorate/proto/quorate/v1"
)

// An authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	c := &authority{t: t}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	c.cert, c.key = c.make(template)
	return c
}

// make signs a certificate, with its own key when there is no authority yet.
func (c *authority) make(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if c.cert != nil {
		parent, signer = c.cert, c.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert, key
}

// leaf makes a certificate for a URI.
func (c *authority) leaf(uri string, usage x509.ExtKeyUsage) tls.Certificate {
	c.t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, key := c.make(&x509.Certificate{URIs: []*url.URL{u}, ExtKeyUsage: []x509.ExtKeyUsage{usage}})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// files writes what --ca, --cert and --key name.
func (c *authority) files() (ca, cert, key string) {
	c.t.Helper()
	dir := c.t.TempDir()
	user := c.leaf("quorate://c/user/anna", x509.ExtKeyUsageClientAuth)
	secret, err := x509.MarshalPKCS8PrivateKey(user.PrivateKey)
	if err != nil {
		c.t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			c.t.Fatal(err)
		}
		return path
	}
	return write("ca.crt", "CERTIFICATE", c.cert.Raw), write("anna.crt", "CERTIFICATE", user.Certificate[0]),
		write("anna.key", "PRIVATE KEY", secret)
}

// serve answers for w over TLS, to those whose certificate c has signed.
func (c *authority) serve(w *world, uri string) (address string) {
	c.t.Helper()
	users := x509.NewCertPool()
	users.AddCert(c.cert)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: users,
		Certificates: []tls.Certificate{c.leaf(uri, x509.ExtKeyUsageServerAuth)},
	})))
	pb.RegisterStatusServer(server, w)
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(l) })
	c.t.Cleanup(func() {
		server.Stop()
		running.Wait()
	})
	return l.Addr().String()
}

func TestRemote(t *testing.T) {
	w := newWorld(t, "lvsm", "lvss")
	ours, theirs := newAuthority(t), newAuthority(t)
	member := ours.serve(w, "quorate://c/node/id-lvsm")
	user := ours.serve(w, "quorate://c/user/mallory")
	stranger := theirs.serve(w, "quorate://d/node/id-lvsm")
	ca, cert, key := ours.files()
	_, theirCert, theirKey := theirs.files()
	tests := []struct {
		name, server, cert, key string
		exit                    int
		want                    string // in what is printed
	}{
		{"a member", member, cert, key, exitDone, "web: quorum"},
		{"another user in a member's place", user, cert, key, exitBadInput, "its certificate is not that of a node"},
		{"another cluster", stranger, cert, key, exitBadInput, "its certificate is not of the cluster that --ca is of"},
		{"our certificate is of another cluster", member, theirCert, theirKey, exitBadInput, "does not accept the certificate of --cert"},
		{"nobody", "127.0.0.1:1", cert, key, exitFailed, "127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"no certificate", member, "", "", exitBadInput, "--server needs --ca, --cert and --key, too"},
		{"no such file", member, "/does/not/exist", key, exitBadInput, "--cert, --key: open /does/not/exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			a := newApp("quorate", nil, &out, &out, func(string) string { return "" })
			a.now = w.now
			exit := a.run(t.Context(), []string{"status", "--server", tt.server, "--ca", ca, "--cert", tt.cert, "--key", tt.key})
			if exit != tt.exit || !strings.Contains(out.String(), tt.want) {
				t.Errorf("got %d, %s\nwant %d, … %s …", exit, out.String(), tt.exit, tt.want)
			}
			if tt.exit != exitDone && strings.Count(out.String(), "\n") != 1 {
				t.Errorf("an error of several lines:\n%s", out.String())
			}
		})
	}
}

func TestMembersAreToldByURI(t *testing.T) {
	for uri, want := range map[string]bool{
		"quorate://c/node/id": true, "quorate://c/user/id": false, "quorate://c/node/": false, "quorate:///node/id": false,
		"quorate://c/node/a/b": false, "https://c/node/id": false, "quorate://c": false,
	} {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := isMember(u); got != want {
			t.Errorf("isMember(%s) = %t, want %t", uri, got, want)
		}
	}
}

func TestServerWithoutPort(t *testing.T) {
	for server, want := range map[string]string{
		"lvsm": "lvsm:7480", "lvsm:7481": "lvsm:7481", "10.0.0.1": "10.0.0.1:7480", "::1": "[::1]:7480", "[::1]": "[::1]:7480", "[::1]:99": "[::1]:99",
	} {
		if got := serverAddress(server); got != want {
			t.Errorf("serverAddress(%q) = %q, want %q", server, got, want)
		}
	}
}
