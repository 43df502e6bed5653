package identity

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrNoCertificate is returned for a connection whose other end showed no certificate.
var ErrNoCertificate = errors.New("the other end shows no certificate")

// A Fingerprint is the SHA-256 of a public key (SubjectPublicKeyInfo).
type Fingerprint [sha256.Size]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText writes f as hexadecimal digits.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(f[:], text); err != nil || n != len(f) || len(text) != 2*len(f) {
		return fmt.Errorf("fingerprint %q: want %d hexadecimal digits", text, 2*len(f))
	}
	return nil
}

// FingerprintOf is that of a public key (SubjectPublicKeyInfo, DER).
func FingerprintOf(publicKey []byte) Fingerprint { return sha256.Sum256(publicKey) }

func fingerprintOf(c *x509.Certificate) Fingerprint { return FingerprintOf(c.RawSubjectPublicKeyInfo) }

// A Peer is who is at the other end of a TLS connection. At most one of Node
// and User is set; none is for a key that our cluster did not sign.
type Peer struct {
	Node        string // id of a member of this node's cluster
	User        string // holder of a certificate for remote use
	Fingerprint Fingerprint
}

// An OtherClusterError refuses a certificate that another cluster has signed.
type OtherClusterError struct {
	Own, Other string // cluster ids; Own is empty when this node is in none
}

func (e *OtherClusterError) Error() string {
	if e.Own == "" {
		return fmt.Sprintf("the other end is in cluster %s, this node is in none", e.Other)
	}
	return fmt.Sprintf("the other end is in another cluster (%s, not %s)", e.Other, e.Own)
}

// PeerID says who is at the other end. A certificate that claims a cluster which
// is not ours, or that our authority did not sign, proves only its key: the Peer
// has a fingerprint, and Verify tells what is wrong with it.
func (i *Identity) PeerID(cs tls.ConnectionState) (Peer, error) {
	if len(cs.PeerCertificates) == 0 {
		return Peer{}, ErrNoCertificate
	}
	if p, err := i.Verify(cs); err == nil {
		return p, nil
	}
	return Peer{Fingerprint: fingerprintOf(cs.PeerCertificates[0])}, nil
}

// Verify is PeerID for those who accept only members and users of this cluster.
func (i *Identity) Verify(cs tls.ConnectionState) (Peer, error) {
	if len(cs.PeerCertificates) == 0 {
		return Peer{}, ErrNoCertificate
	}
	leaf := cs.PeerCertificates[0]
	i.mu.RLock()
	m := i.cluster
	i.mu.RUnlock()
	if m != nil {
		return m.verify(leaf)
	}
	if other, _, _, ok := subject(leaf); ok {
		return Peer{}, &OtherClusterError{Other: other}
	}
	return Peer{}, ErrNotEnrolled
}

func (m *membership) verify(leaf *x509.Certificate) (Peer, error) {
	clusterID, kind, name, ok := subject(leaf)
	if !ok {
		return Peer{}, errors.New("the other end is in no cluster; its certificate is self-signed")
	}
	if clusterID != m.ClusterID {
		return Peer{}, &OtherClusterError{Own: m.ClusterID, Other: clusterID}
	}
	if err := verifyChain(leaf, m.roots); err != nil {
		return Peer{}, err
	}
	p := Peer{Fingerprint: fingerprintOf(leaf)}
	switch kind {
	case nodeSegment:
		p.Node = name
	case userSegment:
		p.User = name
	default:
		return Peer{}, fmt.Errorf("certificate for an unknown kind of peer %q", kind)
	}
	return p, nil
}

func verifyChain(leaf *x509.Certificate, roots *x509.CertPool) error {
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now(leaf),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("the other end's certificate was not signed by this cluster: %w", err)
	}
	return nil
}

// VerifyAuthority accepts a server that is a member of the cluster whose
// authority's key has this fingerprint: what a join token vouches for.
func VerifyAuthority(want Fingerprint) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		for _, c := range cs.PeerCertificates {
			if c.IsCA && fingerprintOf(c) == want {
				return verifyMember(cs.PeerCertificates[0], c)
			}
		}
		return errors.New("the other end is not a member of the cluster that made the token")
	}
}

// VerifyFingerprint accepts one key: what `cluster auth` vouched for.
func VerifyFingerprint(want Fingerprint) func(tls.ConnectionState) error {
	return func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return ErrNoCertificate
		}
		if got := fingerprintOf(cs.PeerCertificates[0]); got != want {
			return fmt.Errorf("the other end's key has changed (fingerprint %s, trusted is %s); run cluster auth again", got, want)
		}
		return nil
	}
}

// VerifyAnyone accepts every key. It is for the password exchange, which proves
// the channel afterwards, and for nothing else.
func VerifyAnyone(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return ErrNoCertificate
	}
	return nil
}

// ClientConfig is for remote use of the API with what SignUser made. The server
// may be any member of the cluster, at whatever address.
func ClientConfig(certificatePEM, keyPEM, caPEM []byte) (*tls.Config, error) {
	certificate, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	ca, err := decodeCertificate(string(caPEM))
	if err != nil {
		return nil, fmt.Errorf("the cluster's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{certificate},
		InsecureSkipVerify: true, // VerifyConnection does it, by id and not by host name
		VerifyConnection: func(cs tls.ConnectionState) error {
			return verifyMember(cs.PeerCertificates[0], ca)
		},
	}, nil
}

func verifyMember(leaf, ca *x509.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if err := verifyChain(leaf, roots); err != nil {
		return err
	}
	if _, kind, _, ok := subject(leaf); !ok || kind != nodeSegment {
		return errors.New("the other end is not a node of the cluster")
	}
	return nil
}
