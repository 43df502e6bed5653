package identity

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

func TestTokenRoundTrip(t *testing.T) {
	addresses := []string{"10.0.0.1:7788", "[fd00::1]:7788", "web1.example:7788"}
	made, err := NewToken(Fingerprint{7}, addresses)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseToken("  " + made.String() + "\n")
	if err != nil {
		t.Fatalf("ParseToken(%s): %v", made, err)
	}
	if got.ID != made.ID || got.Secret != made.Secret || got.CA != made.CA || !slices.Equal(got.Addresses, addresses) {
		t.Errorf("got %+v, want %+v", got, made)
	}
	if !bytes.Equal(got.SecretHash(), HashSecret(made.Secret[:])) || len(got.SecretHash()) != 32 {
		t.Errorf("secret hash %x", got.SecretHash())
	}
}

func TestTokenRefusals(t *testing.T) {
	made, err := NewToken(Fingerprint{7}, []string{"10.0.0.1:7788"})
	if err != nil {
		t.Fatal(err)
	}
	text := made.String()
	flipped := []byte(text)
	if flipped[40] == 'A' {
		flipped[40] = 'B'
	} else {
		flipped[40] = 'A'
	}
	tests := []struct{ name, text, want string }{
		{"empty", "", "must begin with qt1."},
		{"another thing", "qt2." + text[4:], "must begin with qt1."},
		{"changed", string(flipped), "checksum"},
		{"cut short", text[:40], "copy it whole"},
		{"last character lost", text[:len(text)-1], "token: "},
		{"not base64", text[:20] + "!" + text[21:], "wrong character"},
		{"endless", "qt1." + strings.Repeat("A", 10000), "token: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseToken(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseToken(%q) = %v, want %q", tt.text, err, tt.want)
			}
		})
	}
	for _, addresses := range [][]string{nil, {"10.0.0.1"}, {"a:1\nb"}} {
		if _, err := NewToken(Fingerprint{}, addresses); err == nil {
			t.Errorf("NewToken took addresses %q", addresses)
		}
	}
}

func TestTokenVouchesForItsClusterOnly(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	e := found(t, a)
	found(t, b)
	ca, err := e.CAFingerprint()
	if err != nil {
		t.Fatal(err)
	}
	verify := VerifyAuthority(ca)
	if err := verify(state(t, a.Certificate())); err != nil {
		t.Errorf("member refused: %v", err)
	}
	if err := verify(state(t, b.Certificate())); err == nil {
		t.Error("accepted a member of another cluster")
	}
	// A stranger that shows the right authority behind its own certificate.
	mixed := &tls.Certificate{Certificate: [][]byte{b.Certificate().Certificate[0], e.CA}}
	if err := verify(state(t, mixed)); err == nil {
		t.Error("accepted a stranger behind the right authority")
	}
}
