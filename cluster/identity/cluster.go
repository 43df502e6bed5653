package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// ErrNotEnrolled is returned for what only a member of a cluster can do.
var ErrNotEnrolled = errors.New("this node is in no cluster; use cluster setup or cluster join first")

// An Enrolment is what makes a machine a member.
type Enrolment struct {
	ClusterID   string // UUID
	ClusterName string
	CA          []byte // the authority's certificate, DER
	CAKey       []byte // PKCS #8, DER
	Certificate []byte // the machine's own, DER
}

// membership is an Enrolment in use.
type membership struct {
	Enrolment
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	roots *x509.CertPool
	own   tls.Certificate
}

// userName keeps a name readable in a URI, a log and a shell.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// NewCluster makes the authority of a new cluster and this node's certificate
// in it. Nothing is kept until Enrol.
func (i *Identity) NewCluster(name string) (*Enrolment, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("draw a cluster id: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's key: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the cluster's key: %w", err)
	}
	ca, err := newAuthority(id.String(), key, time.Now())
	if err != nil {
		return nil, err
	}
	e := &Enrolment{ClusterID: id.String(), ClusterName: name, CA: ca, CAKey: keyDER}
	request, err := i.CertificateRequest()
	if err != nil {
		return nil, err
	}
	e.Certificate, err = e.Sign(request, i.id)
	return e, err
}

// CertificateRequest is PKCS #10, DER. It proves that this node has its key.
func (i *Identity) CertificateRequest() ([]byte, error) {
	template := &x509.CertificateRequest{Subject: i.own.Leaf.Subject}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, i.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return der, nil
}

// Sign makes a member's certificate from its request. Of the request only the
// key is used; the id is the caller's word.
func (e *Enrolment) Sign(request []byte, id string) ([]byte, error) {
	if _, err := uuid.Parse(id); err != nil {
		return nil, fmt.Errorf("node id %q is not a UUID", id)
	}
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	m, err := e.authority()
	if err != nil {
		return nil, err
	}
	template, err := memberTemplate(e.ClusterID, id, m.ca)
	if err != nil {
		return nil, err
	}
	return sign(template, m.ca, csr.PublicKey, m.caKey)
}

// SignUser makes a key and a certificate for remote use of the API by a person.
func (e *Enrolment) SignUser(user string) (certificatePEM, keyPEM, caPEM []byte, err error) {
	if !userName.MatchString(user) {
		return nil, nil, nil, fmt.Errorf("user %q: use 1 to 64 letters, digits and . _ @ -", user)
	}
	m, err := e.authority()
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("make a key for %s: %w", user, err)
	}
	template, err := userTemplate(e.ClusterID, user, m.ca)
	if err != nil {
		return nil, nil, nil, err
	}
	der, err := sign(template, m.ca, key.Public(), m.caKey)
	if err != nil {
		return nil, nil, nil, err
	}
	encoded, err := encodeKey(key)
	return []byte(encodeCertificate(der)), []byte(encoded), []byte(encodeCertificate(e.CA)), err
}

// CAFingerprint is that of the authority's key, as join tokens carry it.
func (e *Enrolment) CAFingerprint() (Fingerprint, error) {
	ca, err := x509.ParseCertificate(e.CA)
	if err != nil {
		return Fingerprint{}, fmt.Errorf("the cluster's certificate: %w", err)
	}
	return fingerprintOf(ca), nil
}

// Cluster returns a copy of the node's enrolment; false when it is in no cluster.
func (i *Identity) Cluster() (Enrolment, bool) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if i.cluster == nil {
		return Enrolment{}, false
	}
	return i.cluster.Enrolment, true
}

// Enrol makes this machine a member, durably. It is refused when the machine is
// in another cluster, or when the certificate is not for its id and key.
// Enrolling again in the same cluster replaces the certificates.
func (i *Identity) Enrol(e Enrolment) error {
	m, err := i.check(e)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cluster != nil && i.cluster.ClusterID != e.ClusterID {
		return fmt.Errorf("this node is already in cluster %q; destroy that one here first", i.cluster.ClusterName)
	}
	if err := writeJSON(i.path(clusterFile), e); err != nil {
		return err
	}
	i.cluster = m
	return nil
}

func (i *Identity) loadCluster() error {
	var e Enrolment
	err := readJSON(i.path(clusterFile), &e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if i.cluster, err = i.check(e); err != nil {
		return fmt.Errorf("%s: %w", i.path(clusterFile), err)
	}
	return nil
}

func (i *Identity) check(e Enrolment) (*membership, error) {
	m, err := e.authority()
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(e.Certificate)
	if err != nil {
		return nil, fmt.Errorf("enrolment: certificate: %w", err)
	}
	if !sameKey(leaf, i.key) {
		return nil, errors.New("enrolment: the certificate is for another key")
	}
	if p, err := m.verify(leaf); err != nil || p.Node != i.id {
		return nil, errors.Join(fmt.Errorf("enrolment: the certificate is not for node %s", i.id), err)
	}
	m.own = tls.Certificate{Certificate: [][]byte{leaf.Raw, m.ca.Raw}, PrivateKey: i.key, Leaf: leaf}
	return m, nil
}

func (e *Enrolment) authority() (*membership, error) {
	if _, err := uuid.Parse(e.ClusterID); err != nil {
		return nil, fmt.Errorf("enrolment: cluster id %q is not a UUID", e.ClusterID)
	}
	ca, err := x509.ParseCertificate(e.CA)
	if err != nil {
		return nil, fmt.Errorf("enrolment: the cluster's certificate: %w", err)
	}
	key, err := parseKey(e.CAKey)
	if err != nil {
		return nil, fmt.Errorf("enrolment: the cluster's key: %w", err)
	}
	if !ca.IsCA || !sameKey(ca, key) {
		return nil, errors.New("enrolment: the cluster's certificate and key do not belong together")
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	return &membership{Enrolment: *e, ca: ca, caKey: key, roots: roots}, nil
}
