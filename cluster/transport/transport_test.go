package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/cluster/identity"
)

// A lab is a few nodes of one cluster on 127.0.0.1.
type lab struct {
	t  testing.TB
	mu sync.Mutex
	at map[string]string // id → host:port

	via map[string][]string // id → where it is reached instead, if it has several links
}

func newLab(t testing.TB) *lab {
	return &lab{t: t, at: map[string]string{}, via: map[string][]string{}}
}

func (l *lab) addresses(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all, ok := l.via[id]; ok {
		return all
	}
	if a, ok := l.at[id]; ok {
		return []string{a}
	}
	return nil
}

// A running transport, with what it takes to end it.
type running struct {
	*Transport
	id    *identity.Identity
	addr  string
	log   *syncBuffer
	stop  context.CancelFunc
	ended chan error
}

// A syncBuffer is a log that can be waited for.
type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{} // holds one
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

// await waits until the log holds all the words.
func (s *syncBuffer) await(t *testing.T, words ...string) {
	t.Helper()
	for ctx := soon(t); ; {
		text := s.String()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return
		}
		select {
		case <-s.wrote:
		case <-ctx.Done():
			t.Fatalf("the log does not say %q:\n%s", words, text)
		}
	}
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start runs a transport; listen is host:port, and every node is told where it is.
func (l *lab) start(id *identity.Identity, listen string) *running {
	l.t.Helper()
	log := &syncBuffer{wrote: make(chan struct{}, 1)}
	r := &running{id: id, log: log, ended: make(chan error, 1)}
	r.Transport = New(Config{
		Identity:  id,
		Addresses: l.addresses,
		Listen:    listen,
		Log:       slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.ended <- r.Run(ctx) })
	select {
	case <-r.Ready():
	case err := <-r.ended:
		l.t.Fatalf("Run: %v", err)
	}
	r.addr = r.Addr().String()
	l.mu.Lock()
	l.at[id.ID()] = r.addr
	l.mu.Unlock()
	l.t.Cleanup(func() { r.stop(); wg.Wait() })
	return r
}

// halt ends a transport and waits for it.
func (r *running) halt(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func newIdentity(t testing.TB) *identity.Identity {
	t.Helper()
	i, err := identity.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

// cluster makes n identities of one new cluster.
func cluster(t testing.TB, n int) []*identity.Identity {
	t.Helper()
	first := newIdentity(t)
	e, err := first.NewCluster("office")
	if err == nil {
		err = first.Enrol(*e)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := []*identity.Identity{first}
	for len(all) < n {
		next := newIdentity(t)
		enrol(t, next, *e)
		all = append(all, next)
	}
	return all
}

func enrol(t testing.TB, i *identity.Identity, e identity.Enrolment) {
	t.Helper()
	csr, err := i.CertificateRequest()
	if err == nil {
		e.Certificate, err = e.Sign(csr, i.ID())
	}
	if err == nil {
		err = i.Enrol(e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const anyPort = "127.0.0.1:0"

// soon bounds what a test waits for; nothing takes nearly as long.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDialProvesBothEndsAndDispatchesByALPN(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	for _, alpn := range []string{ALPNRaft, ALPNGossip, ALPNAPI, ALPNJoin} {
		listener := b.Listener(alpn)
		c, err := a.Dial(soon(t), b.id.ID(), alpn)
		if err != nil {
			t.Fatalf("dial %s: %v", alpn, err)
		}
		s, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		cs := s.(*tls.Conn).ConnectionState()
		if who, err := b.id.PeerID(cs); err != nil || who.Node != a.id.ID() || cs.NegotiatedProtocol != alpn {
			t.Errorf("%s: accepted %+v over %s, %v", alpn, who, cs.NegotiatedProtocol, err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: read %q, %v", alpn, got, err)
		}
		c.Close()
		s.Close()
	}
}

func TestDialRefusals(t *testing.T) {
	ids := cluster(t, 3)
	stranger := cluster(t, 1)[0]
	fresh := newIdentity(t)
	l := newLab(t)
	a, b, s, f := l.start(ids[0], anyPort), l.start(ids[1], anyPort), l.start(stranger, anyPort), l.start(fresh, anyPort)
	for _, r := range []*running{b, s, f} {
		r.Listener(ALPNRaft)
	}
	l.at[ids[2].ID()] = b.addr // where another node answers

	tests := []struct {
		name, id, alpn, want string
	}{
		{"nobody knows it", "11111111-1111-4111-8111-111111111111", ALPNRaft, "no address"},
		{"another node answers", ids[2].ID(), ALPNRaft, "node " + b.id.ID() + " answers there"},
		{"in another cluster", stranger.ID(), ALPNRaft, "in another cluster"},
		{"in no cluster", fresh.ID(), ALPNRaft, "does not serve quorate-raft/1"},
		{"not served", b.id.ID(), ALPNGossip, "does not serve quorate-gossip/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := a.Dial(soon(t), tt.id, tt.alpn)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Dial = %v, want %q on one line", err, tt.want)
			}
		})
	}
}

// Whoever refuses first, both ends say what is the matter.
func TestBothEndsSayThatTheClustersDiffer(t *testing.T) {
	here, there := cluster(t, 1)[0], cluster(t, 1)[0]
	l := newLab(t)
	caller, server := l.start(here, anyPort), l.start(there, anyPort)
	server.Listener(ALPNRaft)
	if _, err := caller.Dial(soon(t), there.ID(), ALPNRaft); err == nil || !strings.Contains(err.Error(), "in another cluster") {
		t.Errorf("Dial: %v", err)
	}
	server.log.await(t, "may be in another cluster", "level=WARN")
}

// A caller that does not mind whose server it is still has to show its own certificate.
func TestServerRefusesAnotherClustersCertificate(t *testing.T) {
	a, stranger := cluster(t, 1)[0], cluster(t, 1)[0]
	l := newLab(t)
	server, caller := l.start(a, anyPort), l.start(stranger, anyPort)
	server.Listener(ALPNAPI)
	c, err := caller.DialHost(soon(t), server.addr, ALPNAPI, identity.VerifyAnyone)
	if err != nil {
		t.Fatal(err) // in TLS 1.3 the client is done before the server has judged it
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad certificate") {
		t.Errorf("the caller was told %v", err)
	}
	server.log.await(t, "in another cluster", "level=WARN")
}

func TestUsersReachTheAPIOnly(t *testing.T) {
	node := cluster(t, 1)[0]
	server := newLab(t).start(node, anyPort)
	e, _ := node.Cluster()
	certificate, key, ca, err := e.SignUser("ann")
	if err != nil {
		t.Fatal(err)
	}
	api := server.Listener(ALPNAPI)
	server.Listener(ALPNRaft)
	read := func(alpn string) error {
		config, err := identity.ClientConfig(certificate, key, ca)
		if err != nil {
			t.Fatal(err)
		}
		config.NextProtos = []string{alpn}
		c, err := (&tls.Dialer{Config: config}).DialContext(soon(t), "tcp", server.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
		return err
	}
	if err := read(ALPNRaft); err == nil || !strings.Contains(err.Error(), "bad certificate") {
		t.Errorf("a user speaks raft: %v", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		c, err := api.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
	})
	if err := read(ALPNAPI); err != io.EOF {
		t.Errorf("a user at the API: %v", err)
	}
}

func TestEnrolmentNeedsNoRestart(t *testing.T) {
	member := cluster(t, 1)[0]
	fresh := newIdentity(t)
	l := newLab(t)
	a, b := l.start(member, anyPort), l.start(fresh, anyPort)
	b.Listener(ALPNJoin)
	b.Listener(ALPNRaft)
	if _, err := a.Dial(soon(t), fresh.ID(), ALPNRaft); err == nil {
		t.Fatal("a machine in no cluster speaks raft")
	}
	c, err := a.DialHost(soon(t), b.addr, ALPNJoin, identity.VerifyFingerprint(fresh.Fingerprint()))
	if err != nil {
		t.Fatalf("join before enrolment: %v", err)
	}
	c.Close()
	if _, err := a.DialHost(soon(t), b.addr, ALPNJoin, identity.VerifyFingerprint(member.Fingerprint())); err == nil || !strings.Contains(err.Error(), "key has changed") {
		t.Errorf("join with another key: %v", err)
	}
	e, _ := member.Cluster()
	enrol(t, fresh, e)
	c, err = a.Dial(soon(t), fresh.ID(), ALPNRaft)
	if err != nil {
		t.Fatalf("raft after enrolment: %v", err)
	}
	c.Close()
}

func TestCopiedIdentityIsRefused(t *testing.T) {
	node := cluster(t, 1)[0]
	l := newLab(t)
	original := l.start(node, anyPort)
	original.Listener(ALPNRaft)
	address := original.addr
	copied := l.start(node, anyPort)
	c, err := copied.DialHost(soon(t), address, ALPNRaft, identity.VerifyAnyone)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a copy of the node was let in")
	}
	original.log.await(t, "copied from here")
}

// The first address leads nowhere and does not say so.
func TestDialTriesTheNextAddressBeforeTheFirstFails(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	b.Listener(ALPNRaft)
	silent, err := net.Listen("tcp", anyPort) // accepts in the kernel, never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	a.Addresses = func(string) []string { return []string{silent.Addr().String(), b.addr} }
	began := time.Now()
	c, err := a.Dial(soon(t), b.id.ID(), ALPNRaft)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if took := time.Since(began); took > attemptTimeout {
		t.Errorf("took %v, as if the addresses were tried one after the other", took)
	}
}

func TestRunEndsWhatItStarted(t *testing.T) {
	ids := cluster(t, 2)
	l := newLab(t)
	a, b := l.start(ids[0], anyPort), l.start(ids[1], anyPort)
	exchangeDatagrams(t, a, b)
	listener := a.Listener(ALPNRaft)
	a.halt(t)
	if _, err := listener.Accept(); err == nil {
		t.Error("a listener outlived Run")
	}
	if _, err := a.ClientConn(b.id.ID()); err == nil {
		t.Error("a client was made after Run")
	}
}
