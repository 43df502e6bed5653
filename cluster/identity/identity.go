// Package identity owns what makes a machine the node it is: its id and key on
// disk, and, once it is a member, the cluster's authority and certificates. It
// also keeps what lets machines trust each other before that: passwords, join
// tokens and the keys that `cluster auth` vouched for.
//
// It promises:
//   - An id is made together with its data directory and never returns once it
//     was given up ([Identity.Forget]; lease protocol, rule 3). A directory that
//     was copied or restored by other means is not noticed: two machines would
//     then claim one id. Do not clone a data directory.
//   - One process at a time uses a data directory ([Open] locks it; lease
//     protocol, rule 4).
//   - What a method has written survives a crash, whole or not at all. Files are
//     readable by their owner alone.
//   - A password is never stored, sent, or open to guessing by who only listens
//     ([Passwords]).
//
// Every member holds the authority's key, so that no member is special: who
// has a member's data directory can act as any member. Removing a node is
// therefore no defense against a machine that has turned hostile.
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
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	nodeFile    = "node.json"
	clusterFile = "cluster.json"
	trustFile   = "trusted.json"
	lockFile    = "lock"
	dataPrefix  = "data-" // followed by the id that the data belong to
)

// An Identity is one node's id, keys and certificates. Its methods may be
// called by any goroutine.
type Identity struct {
	dir  string
	lock *os.File
	id   string
	key  *ecdsa.PrivateKey
	own  tls.Certificate // self-signed

	passwords *Passwords

	mu      sync.RWMutex
	cluster *membership // nil: in no cluster
	trusted map[Fingerprint]TrustedKey
}

// nodeRecord is what node.json holds.
type nodeRecord struct {
	ID          string `json:"id"`
	Key         string `json:"key"`         // PKCS #8, PEM
	Certificate string `json:"certificate"` // self-signed, PEM
}

// Open reads the identity in dir and makes it on first use. A second process
// that opens the same directory gets an error until the first one calls Close.
func Open(dir string) (*Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return nil, err
	}
	i := &Identity{dir: dir, lock: lock}
	if err := i.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return i, nil
}

func (i *Identity) load() error {
	var record nodeRecord
	err := readJSON(i.path(nodeFile), &record)
	if errors.Is(err, fs.ErrNotExist) {
		record, err = i.create()
	}
	if err != nil {
		return err
	}
	if err := i.adopt(record); err != nil {
		return fmt.Errorf("%s: %w", i.path(nodeFile), err)
	}
	if i.passwords, err = openPasswords(i.path(passwordFile)); err != nil {
		return err
	}
	if err := i.loadTrusted(); err != nil {
		return err
	}
	return i.loadCluster()
}

// create makes a new id. Whatever an older one left behind, for instance when
// Forget was interrupted, is removed first: nobody will ever be it again.
func (i *Identity) create() (nodeRecord, error) {
	if err := i.wipe(); err != nil {
		return nodeRecord{}, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nodeRecord{}, fmt.Errorf("draw a node id: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nodeRecord{}, fmt.Errorf("make a node key: %w", err)
	}
	certificate, err := selfSigned(id.String(), key, time.Now())
	if err != nil {
		return nodeRecord{}, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nodeRecord{}, err
	}
	record := nodeRecord{ID: id.String(), Key: keyPEM, Certificate: encodeCertificate(certificate)}
	return record, writeJSON(i.path(nodeFile), record)
}

func (i *Identity) adopt(record nodeRecord) error {
	if _, err := uuid.Parse(record.ID); err != nil {
		return fmt.Errorf("id %q: %w", record.ID, err)
	}
	key, err := decodeKey(record.Key)
	if err != nil {
		return err
	}
	certificate, err := decodeCertificate(record.Certificate)
	if err != nil {
		return err
	}
	i.id, i.key = record.ID, key
	i.own = tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
	return nil
}

// ID is the node's UUID.
func (i *Identity) ID() string { return i.id }

// Fingerprint is that of the node's key. It stays the same when the node joins a cluster.
func (i *Identity) Fingerprint() Fingerprint { return fingerprintOf(i.own.Leaf) }

// Passwords are those that `cluster auth` asks of this node.
func (i *Identity) Passwords() *Passwords { return i.passwords }

// DataDir makes and returns the directory where other parts keep what belongs
// to this id (log, snapshots, marks). Forget removes it.
func (i *Identity) DataDir() (string, error) {
	dir := i.path(dataPrefix + i.id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	return dir, syncDirectory(i.dir)
}

// Certificate is what this node shows to others, the authority's behind it:
// the one of its cluster, or a self-signed one before it has joined any.
func (i *Identity) Certificate() *tls.Certificate {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if i.cluster != nil {
		return &i.cluster.own
	}
	return &i.own
}

// Forget gives the id up, with its cluster, keys, trust and DataDir. Only the
// passwords stay: they are the machine's, not the cluster's. Whoever uses
// DataDir must have stopped. The Identity is then good for Close alone; the next
// Open makes a new id, since a removed one never returns (lease protocol, rule 3).
func (i *Identity) Forget() error {
	i.mu.Lock()
	i.cluster, i.trusted = nil, nil
	i.mu.Unlock()
	if err := removeDurably(i.path(nodeFile)); err != nil { // first: from here on the id is gone
		return err
	}
	return i.wipe()
}

func (i *Identity) wipe() error {
	for _, name := range []string{clusterFile, trustFile} {
		if err := removeDurably(i.path(name)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(i.dir)
	if err != nil {
		return fmt.Errorf("list the data directory: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutPrefix(e.Name(), dataPrefix)
		if _, err := uuid.Parse(id); !ok || err != nil {
			continue
		}
		if err := os.RemoveAll(i.path(e.Name())); err != nil {
			return fmt.Errorf("remove the data of a former id: %w", err)
		}
	}
	return syncDirectory(i.dir)
}

// Close releases the data directory.
func (i *Identity) Close() error { return i.lock.Close() }

func (i *Identity) path(name string) string { return filepath.Join(i.dir, name) }

// now is when a certificate is judged. A machine without a battery-backed clock
// may start in 1970: it must not be locked out for that, so a certificate that
// seems to be from the future is judged as of its first day. Expiry counts.
func now(c *x509.Certificate) time.Time {
	if t := time.Now(); t.After(c.NotBefore) {
		return t
	}
	return c.NotBefore
}
