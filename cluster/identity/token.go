package identity

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

const (
	tokenPrefix   = "qt1."
	tokenIDSize   = 8
	secretSize    = 16
	checksumSize  = 4
	maxTokenSize  = 2048
	tokenHeadSize = tokenIDSize + secretSize + sha256.Size
)

// A Token lets one machine join once. Who holds it can join, so it is handed
// over like a password; what it says of the cluster's key protects the machine
// that uses it from joining a stranger's.
type Token struct {
	ID          string // hexadecimal
	Secret      [secretSize]byte
	CA          Fingerprint // of the cluster's authority
	Addresses   []string    // host:port of members
	printedForm string
}

// NewToken draws a token for the cluster whose authority has the fingerprint ca.
func NewToken(ca Fingerprint, addresses []string) (*Token, error) {
	if err := checkAddresses(addresses); err != nil {
		return nil, err
	}
	var id [tokenIDSize]byte
	rand.Read(id[:]) // never fails
	t := &Token{ID: hex.EncodeToString(id[:]), CA: ca, Addresses: addresses}
	rand.Read(t.Secret[:])
	t.printedForm = t.encode(id[:])
	return t, nil
}

// String is the token as it is printed and typed. It is secret.
func (t *Token) String() string { return t.printedForm }

// SecretHash is what the cluster keeps of the token.
func (t *Token) SecretHash() []byte { return HashSecret(t.Secret[:]) }

// HashSecret is SHA-256; a token's secret is random, so that no slower hash is needed.
func HashSecret(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

func (t *Token) encode(id []byte) string {
	body := bytes.Join([][]byte{id, t.Secret[:], t.CA[:], []byte(strings.Join(t.Addresses, "\n"))}, nil)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(body, checksum(body)...))
}

// checksum finds slips of typing and copying.
func checksum(body []byte) []byte {
	sum := sha256.Sum256(append([]byte(tokenPrefix), body...))
	return sum[:checksumSize]
}

// ParseToken reads a printed token.
func ParseToken(text string) (*Token, error) {
	text = strings.TrimSpace(text)
	encoded, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return nil, fmt.Errorf("token: it must begin with %s; copy it whole, as `cluster token` printed it", tokenPrefix)
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(body) > maxTokenSize {
		return nil, errors.New("token: it is not complete or has a wrong character; copy it whole")
	}
	if len(body) < tokenHeadSize+checksumSize {
		return nil, errors.New("token: it is cut short; copy it whole")
	}
	body, sum := body[:len(body)-checksumSize], body[len(body)-checksumSize:]
	if !bytes.Equal(sum, checksum(body)) {
		return nil, errors.New("token: its checksum is wrong; copy it again")
	}
	return decodeToken(body, text)
}

func decodeToken(body []byte, text string) (*Token, error) {
	t := &Token{ID: hex.EncodeToString(body[:tokenIDSize]), printedForm: text}
	copy(t.Secret[:], body[tokenIDSize:])
	copy(t.CA[:], body[tokenIDSize+secretSize:])
	t.Addresses = strings.Split(string(body[tokenHeadSize:]), "\n")
	return t, checkAddresses(t.Addresses)
}

func checkAddresses(addresses []string) error {
	if len(addresses) == 0 {
		return errors.New("token: no address of a member")
	}
	for _, a := range addresses {
		if _, port, err := net.SplitHostPort(a); err != nil || port == "" || strings.ContainsAny(a, " \n") {
			return fmt.Errorf("token: address %q is not host:port", a)
		}
	}
	return nil
}
