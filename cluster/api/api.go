// Package api owns the gRPC services: who may ask, whether what they ask is
// valid, and then to propose it or to read it.
//
// There are three doors. The unix socket is for this machine; the kernel says
// who calls (SO_PEERCRED). Members and people with a certificate of the cluster
// come over mutual TLS; Agent is for members alone. Machines that are in no
// cluster reach the Join service and nothing else. Nothing answers a caller who
// proved nothing.
//
// A request that is refused changed nothing (S8): everything is checked before
// the first command is proposed, and the state checks each command again when
// it applies it. Refusals are gRPC statuses whose ErrorInfo names the field.
// Reads come from this node's own copy of the state and wait for nobody.
//
// Deciding where things run is the scheduler's, who votes the controller's;
// this package only commits the wish and watches the state follow it.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"quorate/cluster/identity"
	"quorate/cluster/state"
	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// A State is the replicated state as this node has applied it; empty while the
// node is in no cluster.
type State interface {
	Get() state.Snapshot
	// Changed is closed at the next change; take it before Get.
	Changed() <-chan struct{}
}

// A Log commits commands.
type Log interface {
	Propose(ctx context.Context, c *pb.Command) (*state.Applied, error)
}

// A Self is this agent: what it says of itself, and its ways into a cluster and
// out of one.
type Self interface {
	Info() Info
	// Bootstrap makes this machine the first member, with the first entry of the
	// cluster's log. It returns once that is applied.
	Bootstrap(ctx context.Context, r *pb.EnrolRequest, first *pb.Bootstrap) error
	// Enrol makes this machine a member of a cluster that knows it already.
	Enrol(ctx context.Context, r *pb.EnrolRequest) error
	// Forget stops what runs here, leaves the cluster and deletes its data.
	Forget(ctx context.Context) error
	// Unblock lets this node go on although it has not heard its peer since it started.
	Unblock() error
	// Confirm takes a person's word that the silent peer of a pair is off. It reports
	// whether this node waited for that.
	Confirm(peer, actor string) bool
}

// Info is what an agent says of itself.
type Info struct {
	ID      string // node UUID
	Name    string // its name in the cluster; the host's before it is in one
	Version string // of the binary
	Port    uint16 // where it listens
}

// An Identity is this machine's key, and what it trusts.
type Identity interface {
	Fingerprint() identity.Fingerprint
	PeerID(cs tls.ConnectionState) (identity.Peer, error)
	Passwords() *identity.Passwords
	Trust(keys ...identity.TrustedKey) error
	Trusted(f identity.Fingerprint) (identity.TrustedKey, bool)
	TrustedKeys() []identity.TrustedKey
	CertificateRequest() ([]byte, error)
	NewCluster(name string) (*identity.Enrolment, error)
	Cluster() (identity.Enrolment, bool)
}

// A Dialer reaches other agents, and lets this one see who reached it.
type Dialer interface {
	// ClientConn returns a connection to a member's services, to be shared and not closed.
	ClientConn(id string) (*grpc.ClientConn, error)
	// DialHost opens a TLS connection to host:port. verify judges the other end;
	// its error is returned.
	DialHost(ctx context.Context, address, alpn string, verify func(tls.ConnectionState) error) (net.Conn, error)
	// ServerCredentials are for connections whose TLS handshake is done, at either end.
	ServerCredentials() credentials.TransportCredentials
}

// A Resolver finds the addresses of a name, as net.Resolver does.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// A Sight is what this node sees of the cluster, beside the state.
type Sight interface {
	Leader() (id string, ok bool)
	// Voters are those whom consensus counts, as far as this node knows. No lease
	// may be derived from them.
	Voters() ([]string, error)
	LastContact() time.Duration // since the leader was last heard; zero on the leader
	Links() []*pb.Link
	Lease() *pb.LeaseStatus // nil while in no cluster
	Guard() string          // what silences addresses when the lease ends
	Pair() *pb.PairStatus   // nil while this is not one of two that may go on alone
	Known() *pb.State       // what this node knew before it started, while it has heard nothing newer; else nil
	Timing() *pb.TimingStatus
	Trouble() string // what keeps this node out of the consensus; empty: nothing
}

// An Executor runs operations on this node, and uses its fencing devices.
type Executor interface {
	Execute(ctx context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error)
	// Operate has this node use a fencing device.
	Operate(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error)
	// RunByHand does what a person asks for, and tells what that said; with trace, also
	// each command of a script.
	RunByHand(ctx context.Context, r *pb.ExecuteRequest, trace bool) (*pb.RunByHandResponse, error)
}

// Attributes are what programs on this node say of it.
type Attributes interface {
	// Set has a transient attribute set after a while in which it may change again.
	Set(name, value string, dampen time.Duration) error
	// Settle waits until nothing is left to commit of some attributes.
	Settle(ctx context.Context, names ...string) error
}

// A Meeting settles which of two logs that went apart gives way.
type Meeting interface {
	Meet(r *pb.MeetRequest) (*pb.MeetResponse, error)
}

// Agents are the kinds of resources.
type Agents interface {
	Find(name string) (resources.Agent, error)
	All() []resources.Agent // those that are built in
	Installed() []string    // the names of those beside, on this node
	Unknown(name string) *resources.UnknownAgentError
}

// Config is what a Server is made of.
type Config struct {
	Self       Self
	Identity   Identity
	State      State
	Log        Log // commits from here, by way of the leader
	Own        Log // commits only while this node leads; for members that ask it as the leader
	Sight      Sight
	Executor   Executor
	Attributes Attributes
	Meeting    Meeting
	Agents     Agents
	Devices    fencing.Catalog
	Dialer     Dialer
	Resolver   Resolver

	Socket    string       // path of the unix socket
	Group     string       // whose members may use the socket, beside root; may be empty
	Members   net.Listener // TLS connections, handshake done, for members and people
	Strangers net.Listener // the same, for the Join service
	Logger    *slog.Logger
}

// Server answers the API's callers.
type Server struct {
	self       Self
	identity   Identity
	state      State
	log        Log
	own        Log
	sight      Sight
	executor   Executor
	attributes Attributes
	meeting    Meeting
	agents     Agents
	devices    fencing.Catalog
	dialer     Dialer
	resolver   Resolver
	logger     *slog.Logger
	early      found // what starts too early

	socket    string
	access    localAccess
	members   net.Listener
	strangers net.Listener

	ending context.Context // ends with Run; for work that outlives its caller
	end    context.CancelFunc
}

// New makes a server.
func New(c Config) (*Server, error) {
	access, err := newLocalAccess(c.Group)
	if err != nil {
		return nil, err
	}
	s := &Server{
		self: c.Self, identity: c.Identity, state: c.State, log: c.Log, own: c.Own, sight: c.Sight,
		executor: c.Executor, attributes: c.Attributes, meeting: c.Meeting, agents: c.Agents, devices: c.Devices, dialer: c.Dialer, resolver: c.Resolver, logger: c.Logger,
		socket: c.Socket, access: access, members: c.Members, strangers: c.Strangers,
	}
	s.ending, s.end = context.WithCancel(context.Background())
	return s, nil
}

// farewell is how long calls under way may take to finish when the agent stops.
const farewell = 2 * time.Second

// Run answers until ctx is canceled, and returns when no call is left. It may
// be called once.
func (s *Server) Run(ctx context.Context) error {
	defer s.end()
	local, err := listenLocal(ctx, s.socket)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	s.serve(ctx, g, local, s.localServer())
	s.serve(ctx, g, s.members, s.memberServer())
	s.serve(ctx, g, s.strangers, s.strangerServer())
	return g.Wait()
}

func (s *Server) serve(ctx context.Context, g *errgroup.Group, l net.Listener, server *grpc.Server) {
	g.Go(func() error {
		err := server.Serve(l)
		if errors.Is(err, net.ErrClosed) { // by the transport, which ends with us and may be told first
			<-ctx.Done()
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) {
			return nil
		}
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	})
	g.Go(func() error {
		<-ctx.Done()
		s.end()
		timer := time.AfterFunc(farewell, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
		return nil
	})
}

func (s *Server) localServer() *grpc.Server {
	server := newServer(localCredentials{}, localDoor(s.access, func() string { return s.self.Info().Name }))
	s.registerPublic(server)
	return server
}

func (s *Server) memberServer() *grpc.Server {
	server := newServer(s.dialer.ServerCredentials(), s.memberDoor)
	s.registerPublic(server)
	pb.RegisterAgentServer(server, agentService{Server: s})
	return server
}

func (s *Server) strangerServer() *grpc.Server {
	server := newServer(s.dialer.ServerCredentials(), s.strangerDoor)
	pb.RegisterJoinServer(server, joinService{Server: s})
	return server
}

// registerPublic registers what people use.
func (s *Server) registerPublic(server *grpc.Server) {
	pb.RegisterClusterServer(server, clusterService{Server: s})
	pb.RegisterStatusServer(server, statusService{Server: s})
	pb.RegisterServersServer(server, serversService{Server: s})
	alive := health.NewServer()
	for _, name := range []string{pb.Cluster_ServiceDesc.ServiceName, pb.Status_ServiceDesc.ServiceName, pb.Servers_ServiceDesc.ServiceName} {
		alive.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(server, alive)
	reflection.Register(server)
}

// maxMessage bounds a request; a configuration with files in it may be large.
const maxMessage = 16 << 20

func newServer(c credentials.TransportCredentials, d door) *grpc.Server {
	return grpc.NewServer(
		grpc.Creds(c),
		grpc.UnaryInterceptor(d.unary),
		grpc.StreamInterceptor(d.stream),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
}
