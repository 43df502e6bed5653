package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/user"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "quorate/proto/quorate/v1"
)

// Nothing hangs: each kind of question has a time in which it is answered.
const (
	readTimeout   = 5 * time.Second  // from the agent's own copy of the state
	changeTimeout = 30 * time.Second // until a majority has it on disk
	proofTimeout  = 2 * time.Minute  // until hosts have proved a password, which is slow work on a small machine
	lineTimeout   = 3 * time.Minute  // between two lines of a long work
)

// A client talks to one agent.
type client struct {
	pb.ClusterClient
	pb.StatusClient
	servers pb.ServersClient
	conn    *grpc.ClientConn

	mu     sync.Mutex
	failed error // of the newest attempt to connect
}

// connect makes a client; the first question connects it.
func (a *app) connect() (*client, error) {
	dial, err := a.dialer()
	if err != nil {
		return nil, err
	}
	c := new(client)
	// The dialer returns connections that are a unix socket or TLS already.
	c.conn, err = grpc.NewClient("passthrough:///quorate",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}), // the far end may vanish
		grpc.WithUnaryInterceptor(c.unary(a)),
		grpc.WithStreamInterceptor(c.stream(a)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			conn, err := dial(ctx)
			c.note(err)
			return conn, err
		}))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c.ClusterClient, c.StatusClient, c.servers = pb.NewClusterClient(c.conn), pb.NewStatusClient(c.conn), pb.NewServersClient(c.conn)
	return c, nil
}

// dialer returns how the agent is reached: here, or with --server elsewhere.
func (a *app) dialer() (func(context.Context) (net.Conn, error), error) {
	if a.server != "" {
		return a.remote()
	}
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", a.socket)
	}, nil
}

func (c *client) close() { _ = c.conn.Close() } // nothing is left to lose

func (c *client) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
}

func (c *client) lastFailure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *client) unary(a *app) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, resp any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return c.cause(a, invoke(ctx, method, req, resp, conn, opts...))
	}
}

func (c *client) stream(a *app) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		s, err := open(ctx, desc, conn, method, opts...)
		return s, c.cause(a, err)
	}
}

// cause replaces gRPC's account of a failed connection by our own.
func (c *client) cause(a *app, err error) error {
	failed := c.lastFailure()
	if status.Code(err) != codes.Unavailable || failed == nil {
		return err
	}
	return a.unreachable(failed)
}

// unreachable says why no connection came about, and what to do.
func (a *app) unreachable(err error) error {
	var bad *certificateError
	switch {
	case errors.As(err, &bad):
		return bad
	case a.server != "":
		return fmt.Errorf("%s does not answer: %w", a.server, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("user %s may not use the agent at %s: be root, or a member of the group named in the agent's file", userName(), a.socket)
	}
	return fmt.Errorf("the agent on this machine does not answer at %s: start it with %q", a.socket, "systemctl start quorate")
}

func userName() string {
	u, err := user.Current()
	if err != nil {
		return "?"
	}
	return u.Username
}
