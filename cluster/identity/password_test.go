package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// channel makes a TLS connection and returns what client and server know of it.
func channel(t *testing.T, client, server *Identity) (tls.ConnectionState, tls.ConnectionState) {
	t.Helper()
	c, s := net.Pipe()
	t.Cleanup(func() { c.Close(); s.Close() })
	dial := tls.Client(c, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true,
		Certificates:       []tls.Certificate{*client.Certificate()},
	})
	accept := tls.Server(s, &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{*server.Certificate()},
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,
	})
	var g errgroup.Group
	g.Go(func() error { return accept.HandshakeContext(context.WithoutCancel(t.Context())) })
	if err := errors.Join(dial.HandshakeContext(t.Context()), g.Wait()); err != nil {
		t.Fatal(err)
	}
	return dial.ConnectionState(), accept.ConnectionState()
}

// exchange runs a password exchange and returns the verdicts of both ends.
func exchange(t *testing.T, p *Passwords, user, password string, client, server tls.ConnectionState) (clientErr, serverErr error) {
	t.Helper()
	c, err := NewPasswordClient(user, password, client)
	if err != nil {
		t.Fatal(err)
	}
	s, second, err := p.Answer(user, c.First(), server)
	if err != nil {
		return nil, err
	}
	last, err := c.Finish(second)
	if err != nil {
		return err, s.Finish(make([]byte, 64))
	}
	return nil, s.Finish(last)
}

func TestPasswordExchange(t *testing.T) {
	client, server, middle := open(t, t.TempDir()), open(t, t.TempDir()), open(t, t.TempDir())
	p := server.Passwords()
	straightClient, straightServer := channel(t, client, server)
	if _, err := exchange(t, p, "hacluster", "secret", straightClient, straightServer); !errors.Is(err, ErrNoPassword) {
		t.Fatalf("before a password is set: %v", err)
	}
	if err := p.Set("hacluster", "old"); err != nil {
		t.Fatal(err)
	}
	if err := p.Set("hacluster", "secret"); err != nil {
		t.Fatal(err)
	}
	// A man in the middle ends one channel and begins another, and passes the messages on.
	cutClient, _ := channel(t, client, middle)
	_, cutServer := channel(t, middle, server)

	tests := []struct {
		name, user, password string
		client, server       tls.ConnectionState
		want                 error
	}{
		{"right", "hacluster", "secret", straightClient, straightServer, nil},
		{"wrong", "hacluster", "Secret", straightClient, straightServer, ErrWrongPassword},
		{"replaced", "hacluster", "old", straightClient, straightServer, ErrWrongPassword},
		{"unknown user", "root", "secret", straightClient, straightServer, ErrWrongPassword},
		{"man in the middle", "hacluster", "secret", cutClient, cutServer, ErrWrongPassword},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clientErr, serverErr := exchange(t, p, tt.user, tt.password, tt.client, tt.server)
			if !errors.Is(clientErr, tt.want) || !errors.Is(serverErr, tt.want) {
				t.Errorf("client: %v, server: %v; want %v", clientErr, serverErr, tt.want)
			}
		})
	}
}

func TestPasswordSurvivesRestartAndIsNotStored(t *testing.T) {
	dir := t.TempDir()
	client, server := open(t, t.TempDir()), open(t, dir)
	if err := server.Passwords().Set("hacluster", "correct horse"); err != nil {
		t.Fatal(err)
	}
	closed(t, server)
	data, err := os.ReadFile(server.path(passwordFile))
	if err != nil || bytes.Contains(data, []byte("horse")) {
		t.Fatalf("password file: %v, %s", err, data)
	}
	server = open(t, dir)
	c, s := channel(t, client, server)
	if clientErr, serverErr := exchange(t, server.Passwords(), "hacluster", "correct horse", c, s); clientErr != nil || serverErr != nil {
		t.Errorf("client: %v, server: %v", clientErr, serverErr)
	}
}

func TestPasswordServerRefusesGarbage(t *testing.T) {
	client, server := open(t, t.TempDir()), open(t, t.TempDir())
	p := server.Passwords()
	if err := p.Set("hacluster", "secret"); err != nil {
		t.Fatal(err)
	}
	_, cs := channel(t, client, server)
	for _, first := range [][]byte{nil, {1}, make([]byte, 96), bytes.Repeat([]byte{255}, 96)} {
		if _, _, err := p.Answer("hacluster", first, cs); err == nil {
			t.Errorf("answered %x", first)
		}
	}
	if _, _, err := p.Answer("hacluster", nil, tls.ConnectionState{}); err == nil {
		t.Error("answered without a channel")
	}
}

func TestSixthGuessWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses(time.Now)
		for n := range guessBurst {
			if err := g.take(); err != nil {
				t.Fatalf("guess %d: %v", n+1, err)
			}
		}
		var tooMany *TooManyGuessesError
		if err := g.take(); !errors.As(err, &tooMany) || tooMany.Wait != guessEvery {
			t.Fatalf("sixth guess: %v", err)
		}
		time.Sleep(tooMany.Wait)
		if err := g.take(); err != nil {
			t.Fatalf("after the wait: %v", err)
		}
		g.give() // it was right
		if err := g.take(); err != nil {
			t.Fatalf("after a right one: %v", err)
		}
	})
}
