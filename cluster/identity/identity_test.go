package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Identity {
	t.Helper()
	i, err := Open(dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func closed(t *testing.T, i *Identity) {
	t.Helper()
	if err := i.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// found makes a cluster of the one node.
func found(t *testing.T, i *Identity) Enrolment {
	t.Helper()
	e, err := i.NewCluster("office")
	if err != nil {
		t.Fatalf("NewCluster: %v", err)
	}
	if err := i.Enrol(*e); err != nil {
		t.Fatalf("Enrol: %v", err)
	}
	return *e
}

// enrol makes i a member of e's cluster.
func enrol(t *testing.T, i *Identity, e Enrolment) {
	t.Helper()
	csr, err := i.CertificateRequest()
	if err != nil {
		t.Fatalf("CertificateRequest: %v", err)
	}
	if e.Certificate, err = e.Sign(csr, i.ID()); err != nil {
		t.Fatalf("Sign: %v", err)
	}
	if err := i.Enrol(e); err != nil {
		t.Fatalf("Enrol: %v", err)
	}
}

func state(t *testing.T, c *tls.Certificate) tls.ConnectionState {
	t.Helper()
	var cs tls.ConnectionState
	for _, der := range c.Certificate {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		cs.PeerCertificates = append(cs.PeerCertificates, parsed)
	}
	return cs
}

func TestIdentitySurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "quorate")
	first := open(t, dir)
	e := found(t, first)
	key := TrustedKey{Fingerprint: Fingerprint{1}, Name: "web1", Addresses: []string{"10.0.0.1:7788"}}
	if err := first.Trust(key); err != nil {
		t.Fatal(err)
	}
	closed(t, first)

	second := open(t, dir)
	if second.ID() != first.ID() || second.Fingerprint() != first.Fingerprint() {
		t.Errorf("after restart: id %s, fingerprint %s; want %s, %s", second.ID(), second.Fingerprint(), first.ID(), first.Fingerprint())
	}
	if got, ok := second.Cluster(); !ok || got.ClusterID != e.ClusterID || got.ClusterName != "office" {
		t.Errorf("cluster after restart: %v %v", got, ok)
	}
	if got, ok := second.Trusted(key.Fingerprint); !ok || got.Name != "web1" || got.Addresses[0] != key.Addresses[0] {
		t.Errorf("trusted after restart: %v %v", got, ok)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "quorate")
	i := open(t, dir)
	found(t, i)
	if err := i.Passwords().Set("hacluster", "secret"); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "in use by another agent") {
		t.Fatalf("second Open: %v", err)
	}
	closed(t, first)
	open(t, dir)
}

func TestForgetGivesTheIDUp(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	found(t, i)
	data, err := i.DataDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "log"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := i.Passwords().Set("hacluster", "secret"); err != nil {
		t.Fatal(err)
	}
	if err := i.Forget(); err != nil {
		t.Fatal(err)
	}
	closed(t, i)

	again := open(t, dir)
	if again.ID() == i.ID() || again.Fingerprint() == i.Fingerprint() {
		t.Error("a forgotten id or key came back")
	}
	if _, ok := again.Cluster(); ok {
		t.Error("a forgotten cluster came back")
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("data of the forgotten id: %v", err)
	}
	if !again.Passwords().Any() {
		t.Error("the machine's password was forgotten")
	}
}

// An interrupted Forget has removed node.json and nothing else.
func TestInterruptedForgetIsFinishedByOpen(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	found(t, i)
	data, err := i.DataDir()
	if err != nil {
		t.Fatal(err)
	}
	closed(t, i)
	if err := os.Remove(filepath.Join(dir, nodeFile)); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if _, ok := again.Cluster(); ok || again.ID() == i.ID() {
		t.Error("the former id or its cluster came back")
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("data of the former id: %v", err)
	}
}

func TestDamagedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	closed(t, open(t, dir))
	path := filepath.Join(dir, nodeFile)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open: %v, want an error that names %s", err, path)
	}
}

func TestPeerID(t *testing.T) {
	a, b, stranger, fresh := open(t, t.TempDir()), open(t, t.TempDir()), open(t, t.TempDir()), open(t, t.TempDir())
	e := found(t, a)
	enrol(t, b, e)
	found(t, stranger)
	certificate, key, ca, err := e.SignUser("ann")
	if err != nil {
		t.Fatal(err)
	}
	user, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name    string
		shows   *tls.Certificate
		want    Peer
		refusal string // of Verify
	}{
		{"member", b.Certificate(), Peer{Node: b.ID(), Fingerprint: b.Fingerprint()}, ""},
		{"user", &user, Peer{User: "ann", Fingerprint: fingerprintOf(state(t, &user).PeerCertificates[0])}, ""},
		{"in no cluster", fresh.Certificate(), Peer{Fingerprint: fresh.Fingerprint()}, "self-signed"},
		{"in another cluster", stranger.Certificate(), Peer{Fingerprint: stranger.Fingerprint()}, "in another cluster"},
		{"forged", forge(t, fresh, e, a.ID()), Peer{Fingerprint: fresh.Fingerprint()}, "not signed by this cluster"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cs := state(t, tt.shows)
			if got, err := a.PeerID(cs); err != nil || got != tt.want {
				t.Errorf("PeerID = %+v, %v; want %+v", got, err, tt.want)
			}
			_, err := a.Verify(cs)
			if (err == nil) != (tt.refusal == "") || err != nil && !strings.Contains(err.Error(), tt.refusal) {
				t.Errorf("Verify = %v, want %q", err, tt.refusal)
			}
		})
	}
	if _, err := ClientConfig(certificate, key, ca); err != nil {
		t.Errorf("ClientConfig: %v", err)
	}
	if _, err := a.PeerID(tls.ConnectionState{}); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("PeerID without a certificate: %v", err)
	}
}

// forge claims to be a member by a certificate that it signed itself.
func forge(t *testing.T, i *Identity, e Enrolment, id string) *tls.Certificate {
	t.Helper()
	ca, err := x509.ParseCertificate(e.CA)
	if err != nil {
		t.Fatal(err)
	}
	template, err := memberTemplate(e.ClusterID, id, ca)
	if err != nil {
		t.Fatal(err)
	}
	imitation := *ca
	imitation.PublicKey = i.key.Public()
	der, err := sign(template, &imitation, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, e.CA}, PrivateKey: i.key}
}

func TestEnrolRefusals(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	e := found(t, a)
	if err := b.Enrol(e); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("enrolled with another node's certificate: %v", err)
	}
	csr, err := b.CertificateRequest()
	if err != nil {
		t.Fatal(err)
	}
	wrong := e
	if wrong.Certificate, err = e.Sign(csr, a.ID()); err != nil {
		t.Fatal(err)
	}
	if err := b.Enrol(wrong); err == nil || !strings.Contains(err.Error(), b.ID()) {
		t.Errorf("enrolled under another id: %v", err)
	}
	if _, ok := b.Cluster(); ok {
		t.Error("a refused enrolment changed something")
	}
	other, err := a.NewCluster("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Enrol(*other); err == nil || !strings.Contains(err.Error(), `already in cluster "office"`) {
		t.Errorf("second cluster: %v", err)
	}
	if _, err := e.Sign(csr, "x/../y"); err == nil {
		t.Error("signed an id that is no UUID")
	}
	if _, _, _, err := e.SignUser("ann/node"); err == nil {
		t.Error("signed a user name with a slash")
	}
}

func TestMemberCertificateServesOrdinaryClients(t *testing.T) {
	a := open(t, t.TempDir())
	e := found(t, a)
	leaf := a.Certificate().Leaf
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: e.CA}))
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: serverName}); err != nil {
		t.Errorf("verify as %q: %v", serverName, err)
	}
	if got, want := leaf.URIs[0].String(), "quorate://"+e.ClusterID+"/node/"+a.ID(); got != want {
		t.Errorf("URI %s, want %s", got, want)
	}
}

func TestTrustReplacesTheKeyOfAName(t *testing.T) {
	i := open(t, t.TempDir())
	for _, f := range []Fingerprint{{1}, {2}} {
		if err := i.Trust(TrustedKey{Fingerprint: f, Name: "web1"}); err != nil {
			t.Fatal(err)
		}
	}
	if keys := i.TrustedKeys(); len(keys) != 1 || keys[0].Fingerprint != (Fingerprint{2}) {
		t.Errorf("trusted keys: %v", keys)
	}
}
