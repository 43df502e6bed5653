package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
)

// ServerCredentials tell gRPC servers who calls: handlers find
// credentials.TLSInfo in the peer of their context. The connections are those of
// a Listener, so the handshake is done.
func (t *Transport) ServerCredentials() credentials.TransportCredentials { return finished{} }

// ClientConn returns the gRPC connection to a node's API. It is shared, heals by
// itself, fails at once while the node does not answer, and is closed when Run ends.
func (t *Transport) ClientConn(id string) (*grpc.ClientConn, error) {
	t.clientsMu.Lock()
	defer t.clientsMu.Unlock()
	if t.clients == nil {
		return nil, fmt.Errorf("call node %s: %w", id, net.ErrClosed)
	}
	if c := t.clients[id]; c != nil {
		return c, nil
	}
	c, err := newClient(id, func(ctx context.Context, _ string) (net.Conn, error) {
		return t.Dial(ctx, id, ALPNAPI)
	})
	if err != nil {
		return nil, err
	}
	t.clients[id] = c
	return c, nil
}

// newClient leaves the finding of dead hosts to TCP (socket.go: 2 s, or 4 s when
// idle): gRPC's own keepalive is not done more often than every 10 s, and a
// server that is not told of it ends such connections.
func newClient(name string, dial func(context.Context, string) (net.Conn, error)) (*grpc.ClientConn, error) {
	c, err := grpc.NewClient("passthrough:///"+name,
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(finished{}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: minBackoff, Multiplier: 2, Jitter: 0.2, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: attemptTimeout,
		}),
		grpc.WithIdleTimeout(0))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	return c, nil
}

func (t *Transport) closeClients() error {
	t.clientsMu.Lock()
	clients := t.clients
	t.clients = nil
	t.clientsMu.Unlock()
	var errs []error
	for _, c := range clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// finished are credentials for connections whose TLS handshake is done.
type finished struct{}

var errNotTLS = errors.New("not a connection of this transport")

func (finished) ClientHandshake(_ context.Context, _ string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return proven(c)
}

func (finished) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return proven(c)
}

func proven(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, ok := c.(*tls.Conn)
	if !ok || !secure.ConnectionState().HandshakeComplete {
		return nil, nil, errNotTLS
	}
	return c, credentials.TLSInfo{
		State:          secure.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

func (finished) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (f finished) Clone() credentials.TransportCredentials { return f }

func (finished) OverrideServerName(string) error { return nil }
