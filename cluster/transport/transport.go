// Package transport owns the one port number, TCP and UDP, that a node has on
// the network, and proves who is at the other end of everything that crosses it.
//
// Over TCP there is TLS 1.3 with certificates at both ends and nothing else.
// ALPN tells what a connection is for, see [ALPNRaft] and its neighbours; all
// but joining needs a certificate of the cluster. Over UDP there are sealed
// datagrams: their keys come from a TLS session between the two nodes, so the
// same certificates prove their sender (see session.go and keeper.go).
//
// A node may have several addresses, each on a network of its own. Then there are
// several links to it (see link.go): a datagram goes over all of them and is taken
// once, a stream goes over one and is closed when that link alone is down.
//
// It promises:
//   - [Transport.Dial] returns only a connection to the node that was asked for,
//     and a [Listener] only connections whose other end may use that ALPN.
//   - [Transport.SendDatagram] never waits, for the network, for a disk or for a
//     lock that is held over either. A datagram may be lost, never altered,
//     repeated or taken for another node's.
//   - A peer that restarts is heard again as soon as it answers.
//
// Where a node is, its Addresses function says; which datagrams and streams
// mean what is the business of the packages above.
package transport

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"quorate/cluster/identity"
)

// What a connection is for, by ALPN.
const (
	ALPNRaft   = "quorate-raft/1"   // members
	ALPNGossip = "quorate-gossip/1" // members
	ALPNAPI    = "h2"               // gRPC; members and users with a certificate
	ALPNJoin   = "quorate-join/1"   // gRPC; anyone, also before enrolment
	alpnKeys   = "quorate-keys/1"   // members: keys for datagrams
)

// Identity is what the transport must know of this node and whom it trusts.
type Identity interface {
	ID() string
	Certificate() *tls.Certificate
	Cluster() (identity.Enrolment, bool)
	Verify(cs tls.ConnectionState) (identity.Peer, error)
}

// Config is what a Transport needs.
type Config struct {
	Identity  Identity
	Addresses func(id string) []string // of a node, host:port, preferred first
	Refuse    func(id string) error    // optional: why a node must stay out (lease protocol, rule 3)
	Moved     func(id string)          // optional: streams with a node were closed, because their link is down and another is up
	Listen    string                   // host:port; an empty host is every address
	Log       *slog.Logger
}

// A Transport is a node's end of the network. Its methods may be called by any
// goroutine, also before Run; nothing moves until Run runs.
type Transport struct {
	Config

	began     time.Time // the zero of all times below
	nonce     nonce     // of this process
	ready     chan struct{}
	address   net.Addr   // once ready
	udp       *udpSocket // once ready
	tasks     tasks
	listeners listeners
	warnings  warnLimit
	handlers  [256]atomic.Pointer[func(from string, payload []byte)]
	buffers   sync.Pool // *sealBuffer
	hints     hintLimit // read loop only

	// Readers load these maps without a lock; writers copy them under mu.
	sessions atomic.Pointer[map[keyID]*session]
	peers    atomic.Pointer[map[string]*peer]
	mu       sync.Mutex

	clientsMu sync.Mutex
	clients   map[string]*grpc.ClientConn
}

// New makes a transport that Run starts.
func New(c Config) *Transport {
	t := &Transport{Config: c, began: time.Now(), ready: make(chan struct{}), clients: map[string]*grpc.ClientConn{}}
	_, _ = rand.Read(t.nonce[:]) // never fails
	t.buffers.New = func() any { return new(sealBuffer) }
	t.sessions.Store(&map[keyID]*session{})
	t.peers.Store(&map[string]*peer{})
	return t
}

// Ready is closed when the transport listens.
func (t *Transport) Ready() <-chan struct{} { return t.ready }

// Addr is where it listens, once it is ready.
func (t *Transport) Addr() net.Addr { return t.address }

// Run listens and keeps up the sessions until ctx is canceled. It returns after
// everything it started has ended; it can run once.
func (t *Transport) Run(ctx context.Context) error {
	tcp, udp, err := listen(ctx, t.Listen)
	if err != nil {
		return err
	}
	keys := t.Listener(alpnKeys)
	t.address, t.udp = tcp.Addr(), udp
	close(t.ready)

	g, ctx := errgroup.WithContext(ctx)
	t.tasks.open(ctx)
	g.Go(func() error { return t.acceptLoop(ctx, tcp) })
	g.Go(func() error { return t.readLoop(ctx) })
	g.Go(func() error { return t.acceptKeys(ctx, keys) })
	g.Go(func() error { return t.sweepLoop(ctx) })
	<-ctx.Done()
	err = errors.Join(tcp.Close(), udp.Close(), t.closeClients())
	t.listeners.closeAll()
	if failed := g.Wait(); failed != nil {
		err = failed
	}
	t.tasks.wait()
	return err
}

// elapsed is the time since the transport was made, by the monotonic clock.
func (t *Transport) elapsed() time.Duration { return time.Since(t.began) }

// listen takes one port for TCP and UDP. When any port will do and the one that
// TCP got is in use over UDP, it tries others.
func listen(ctx context.Context, address string) (net.Listener, *udpSocket, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen address %q: %w; write host:port or :port", address, err)
	}
	for try := 0; ; try++ {
		tcp, err := listenTCP(ctx, address)
		if err != nil {
			return nil, nil, fmt.Errorf("listen on TCP %s: %w", address, err)
		}
		udp, err := listenUDP(ctx, tcp.Addr().String())
		if err == nil {
			return tcp, udp, nil
		}
		err = errors.Join(fmt.Errorf("listen on UDP %s: %w", tcp.Addr(), err), tcp.Close())
		if port != "0" || try == 10 {
			return nil, nil, err
		}
	}
}

// tasks are goroutines that others start on behalf of Run, which waits for them.
// Those asked for before Run start with it; those asked for after it, never.
type tasks struct {
	mu      sync.Mutex
	ctx     context.Context // of Run; nil before it
	waiting []func(context.Context)
	closed  bool
	wg      sync.WaitGroup
}

func (s *tasks) start(f func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.ctx == nil:
		s.waiting = append(s.waiting, f)
	default:
		s.wg.Go(func() { f(s.ctx) })
	}
}

func (s *tasks) open(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx = ctx
	for _, f := range s.waiting {
		s.wg.Go(func() { f(ctx) })
	}
	s.waiting = nil
}

func (s *tasks) wait() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wg.Wait()
}
