package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

const (
	skew            = 24 * time.Hour // how far a clock may be behind the signer's
	authorityYears  = 20
	leafYears       = 10
	uriScheme       = "quorate"
	nodeSegment     = "node"
	userSegment     = "user"
	serverName      = "quorate" // in every member's certificate, for ordinary TLS clients
	certificateType = "CERTIFICATE"
	keyType         = "PRIVATE KEY"
)

// selfSigned makes the certificate of a node that is in no cluster. It proves a
// key and nothing else.
func selfSigned(id string, key *ecdsa.PrivateKey, at time.Time) ([]byte, error) {
	template, err := template(id, leafYears, at)
	if err != nil {
		return nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return sign(template, template, key.Public(), key)
}

// newAuthority makes the certificate of a cluster's own authority.
func newAuthority(clusterID string, key *ecdsa.PrivateKey, at time.Time) ([]byte, error) {
	template, err := template("quorate cluster "+clusterID, authorityYears, at)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.URIs = []*url.URL{{Scheme: uriScheme, Host: clusterID}}
	return sign(template, template, key.Public(), key)
}

func memberTemplate(clusterID, id string, ca *x509.Certificate) (*x509.Certificate, error) {
	template, err := template(id, leafYears, issueTime(ca))
	if err != nil {
		return nil, err
	}
	template.URIs = []*url.URL{subjectURI(clusterID, nodeSegment, id)}
	template.DNSNames = []string{serverName, id}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return template, nil
}

func userTemplate(clusterID, user string, ca *x509.Certificate) (*x509.Certificate, error) {
	template, err := template(user, leafYears, issueTime(ca))
	if err != nil {
		return nil, err
	}
	template.URIs = []*url.URL{subjectURI(clusterID, userSegment, user)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return template, nil
}

// issueTime is the time that a certificate is made at: never before the
// authority, whatever this machine's clock says.
func issueTime(ca *x509.Certificate) time.Time {
	if t := time.Now(); t.After(ca.NotBefore.Add(skew)) {
		return t
	}
	return ca.NotBefore.Add(skew)
}

func template(name string, years int, at time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             at.Add(-skew),
		NotAfter:              at.AddDate(years, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}, nil
}

func sign(template, parent *x509.Certificate, public any, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

func subjectURI(clusterID, kind, name string) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: clusterID, Path: "/" + kind + "/" + name}
}

// subject is what a certificate's URI says; ok is false when it says nothing of ours.
func subject(c *x509.Certificate) (clusterID, kind, name string, ok bool) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != uriScheme {
		return "", "", "", false
	}
	kind, name, ok = strings.Cut(strings.TrimPrefix(c.URIs[0].Path, "/"), "/")
	return c.URIs[0].Host, kind, name, ok && name != ""
}

func encodeCertificate(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: der}))
}

func decodeCertificate(text string) (*x509.Certificate, error) {
	der, err := decodePEM(text, certificateType)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	return c, nil
}

func encodeKey(key *ecdsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der})), nil
}

func decodeKey(text string) (*ecdsa.PrivateKey, error) {
	der, err := decodePEM(text, keyType)
	if err != nil {
		return nil, err
	}
	return parseKey(der)
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("parse key: not an ECDSA key")
	}
	return ec, nil
}

func decodePEM(text, want string) ([]byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != want {
		return nil, fmt.Errorf("no PEM block %q", want)
	}
	return block.Bytes, nil
}

func sameKey(a *x509.Certificate, b *ecdsa.PrivateKey) bool {
	public, err := x509.MarshalPKIXPublicKey(b.Public())
	return err == nil && bytes.Equal(a.RawSubjectPublicKeyInfo, public)
}
