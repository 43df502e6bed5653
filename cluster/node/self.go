package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"quorate/cluster/api"
	"quorate/cluster/consensus"
	"quorate/cluster/identity"
	"quorate/cluster/state"
	"quorate/cluster/transport"
	pb "quorate/proto/quorate/v1"
)

// errNoCluster is what the core's parts answer while there is no core.
var errNoCluster = errors.New("this node is in no cluster")

func (a *Agent) apiConfig() api.Config {
	return api.Config{
		Self: self{a}, Identity: a.identity, State: a.store, Log: coreLog{a}, Own: ownLog{a}, Sight: sight{a},
		Executor: coreExecutor{a}, Attributes: coreAttributes{a}, Meeting: meeting{a}, Agents: a.agents, Devices: a.devices, Dialer: a.transport, Resolver: net.DefaultResolver,
		Socket: a.socket(), Group: a.config.Group,
		Members: a.transport.Listener(transport.ALPNAPI), Strangers: a.transport.Listener(transport.ALPNJoin),
		Logger: a.logger,
	}
}

// self is this machine's way into a cluster and out of one.
type self struct{ *Agent }

func (s self) Info() api.Info {
	info := api.Info{ID: s.identity.ID(), Name: s.config.Name, Version: s.version}
	if n := state.NodeByID(s.store.Get().State, info.ID); n != nil {
		info.Name = n.Name
	}
	if addr, ok := s.transport.Addr().(*net.TCPAddr); ok {
		info.Port = uint16(addr.Port)
	}
	return info
}

func (s self) Bootstrap(ctx context.Context, r *pb.EnrolRequest, first *pb.Bootstrap) error {
	if err := s.Enrol(ctx, r); err != nil {
		return err
	}
	return s.current().Bootstrap(ctx, first)
}

// Enrol makes this machine a member, durably, and returns once its core runs.
func (s self) Enrol(ctx context.Context, r *pb.EnrolRequest) error {
	s.directory.Learn(append(r.Peers, r.Node))
	s.profile.learn(profileByName(r.Profile).Name)
	err := s.identity.Enrol(identity.Enrolment{
		ClusterID: r.ClusterId, ClusterName: r.ClusterName,
		CA: r.CaCertificate, CAKey: r.CaKey, Certificate: r.Certificate,
	})
	if err != nil {
		return err
	}
	select {
	case s.enrolled <- struct{}{}:
	default:
	}
	select {
	case <-s.began:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the node to start as a member: %w", ctx.Err())
	}
}

// Forget ends the core, halts what it serves, and gives the identity up.
func (s self) Forget(ctx context.Context) error {
	s.mu.Lock()
	leave := s.leave
	s.mu.Unlock()
	if leave == nil {
		return errNoCluster
	}
	leave()
	select {
	case <-s.forgotten:
		return s.forgetErr
	case <-ctx.Done():
		return fmt.Errorf("wait for the node to leave: %w", ctx.Err())
	}
}

func (s self) Confirm(peer, actor string) bool {
	core := s.current()
	return core != nil && core.Confirm(peer, actor)
}

func (s self) Unblock() error {
	core := s.current()
	if core == nil {
		return errNoCluster
	}
	return core.Unblock()
}

// forget gives the identity up once nothing uses it, and tells Forget.
func (a *Agent) forget(err error) {
	a.forgetErr = errors.Join(err, a.identity.Forget())
	if a.forgetErr != nil {
		a.logger.Error("cluster data not deleted", "err", a.forgetErr)
	}
	close(a.forgotten)
}

// refuse keeps nodes out that were removed: their ids never return (lease
// protocol, rule 3).
func (a *Agent) refuse(id string) error {
	if _, removed := slices.BinarySearch(a.store.Get().State.Removed, id); removed {
		return fmt.Errorf("node %s was removed from the cluster", id)
	}
	return nil
}

// openStores waits for a disk that takes no writes: a full one, say. An agent
// that ended instead would only be started again, many times a second.
func (a *Agent) openStores(ctx context.Context) (consensus.Stores, error) {
	data, err := a.identity.DataDir()
	if err != nil {
		return consensus.Stores{}, err
	}
	if err := finishArchive(data); err != nil {
		return consensus.Stores{}, err
	}
	for told := false; ; told = true {
		stores, err := consensus.OpenStores(filepath.Join(data, "raft"), a.logger)
		if err == nil || !badDisk(err) {
			return stores, err
		}
		if !told {
			a.logger.Error("the disk takes no writes: this node waits for it, and takes no part in its cluster until then", "err", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return consensus.Stores{}, ctx.Err()
		}
	}
}

// badDisk reports whether an error is of a disk that may get well.
func badDisk(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// coreLog commits through the core; ownLog only while this node leads.
type coreLog struct{ *Agent }

func (l coreLog) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	if core := l.current(); core != nil {
		return core.log.Propose(ctx, c)
	}
	return nil, errNoCluster
}

type ownLog struct{ *Agent }

func (l ownLog) Propose(ctx context.Context, c *pb.Command) (*state.Applied, error) {
	if core := l.current(); core != nil {
		return localLog{core.raft}.Propose(ctx, c)
	}
	return nil, errNoCluster
}

type coreExecutor struct{ *Agent }

func (e coreExecutor) Execute(ctx context.Context, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	if core := e.current(); core != nil {
		return core.Execute(ctx, r)
	}
	return nil, errNoCluster
}

func (e coreExecutor) Operate(ctx context.Context, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	if core := e.current(); core != nil {
		return core.Operate(ctx, r)
	}
	return nil, errNoCluster
}

func (e coreExecutor) RunByHand(ctx context.Context, r *pb.ExecuteRequest, trace bool) (*pb.RunByHandResponse, error) {
	if core := e.current(); core != nil {
		return core.executor.RunByHand(ctx, r, trace)
	}
	return nil, errNoCluster
}

// coreAttributes are what programs on this machine say of it.
type coreAttributes struct{ *Agent }

func (s coreAttributes) Set(name, value string, dampen time.Duration) error {
	if core := s.current(); core != nil {
		return core.attributes.Set(name, value, dampen)
	}
	return errNoCluster
}

func (s coreAttributes) Settle(ctx context.Context, names ...string) error {
	if core := s.current(); core != nil {
		return core.attributes.Settle(ctx, names...)
	}
	return errNoCluster
}

// meeting answers nodes whose logs went apart from this one's.
type meeting struct{ *Agent }

func (m meeting) Meet(r *pb.MeetRequest) (*pb.MeetResponse, error) {
	if core := m.current(); core != nil {
		return core.Meet(r)
	}
	return nil, errNoCluster
}

// sight is what this node sees beside the state.
type sight struct{ *Agent }

func (s sight) Leader() (string, bool) {
	if core := s.current(); core != nil {
		return core.raft.Leader()
	}
	return "", false
}

func (s sight) Voters() ([]string, error) {
	core := s.current()
	if core == nil {
		return nil, errNoCluster
	}
	servers, err := core.raft.Servers()
	var ids []string
	for _, server := range servers {
		if server.Voter {
			ids = append(ids, server.ID)
		}
	}
	return ids, err
}

func (s sight) LastContact() time.Duration {
	if core := s.current(); core != nil {
		return core.raft.LastContact()
	}
	return 0
}

func (s sight) Links() []*pb.Link {
	var links []*pb.Link
	for _, id := range s.directory.Others(s.identity.ID()) {
		for _, l := range s.transport.Links(id) {
			link := &pb.Link{Node: id, Address: l.Address, Up: l.Up, Loss: l.Loss, Index: uint32(l.Index)}
			if l.RTT > 0 {
				link.Rtt = durationpb.New(l.RTT)
			}
			if l.LastHeard >= 0 {
				link.LastHeard = durationpb.New(l.LastHeard)
			}
			links = append(links, link)
		}
	}
	return links
}

func (s sight) Guard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard == nil {
		return ""
	}
	return s.guard.String()
}

func (s sight) Lease() *pb.LeaseStatus {
	if core := s.current(); core != nil {
		status := core.lease.Status()
		status.Scheduling = s.threads.String()
		status.Warden = wardenStatus(s.warden.Status())
		return status
	}
	return nil
}

func (s sight) Pair() *pb.PairStatus {
	if core := s.current(); core != nil {
		return core.Pair()
	}
	return nil
}

func (s sight) Timing() *pb.TimingStatus {
	return timing(s.profile.running(), s.store.Get().State)
}

func (s sight) Trouble() string {
	if core := s.current(); core != nil {
		if hang := core.raft.Hang(); hang != nil {
			return "its disk hangs: " + hang.Error()
		}
	}
	return ""
}

func (s sight) Known() *pb.State {
	if core := s.current(); core != nil {
		return core.Known()
	}
	return nil
}

// peers asks other members over gRPC.
type peers struct{ *transport.Transport }

func (p peers) Execute(ctx context.Context, node string, r *pb.ExecuteRequest) (*pb.ExecuteResponse, error) {
	conn, err := p.ClientConn(node)
	if err != nil {
		return nil, err
	}
	return pb.NewAgentClient(conn).Execute(ctx, r)
}

func (p peers) Operate(ctx context.Context, node string, r *pb.OperateRequest) (*pb.OperateResponse, error) {
	conn, err := p.ClientConn(node)
	if err != nil {
		return nil, err
	}
	return pb.NewAgentClient(conn).Operate(ctx, r)
}

func (p peers) Propose(ctx context.Context, node string, r *pb.ProposeRequest) (*pb.ProposeResponse, error) {
	conn, err := p.ClientConn(node)
	if err != nil {
		return nil, err
	}
	answer, err := pb.NewAgentClient(conn).Propose(ctx, r)
	if unsent(err) {
		return nil, &consensus.NotLeaderError{} // gone; another will lead
	}
	if err != nil {
		return nil, api.FromError(err)
	}
	return answer, nil
}

func (p peers) Meet(ctx context.Context, node string, r *pb.MeetRequest) (*pb.MeetResponse, error) {
	conn, err := p.ClientConn(node)
	if err != nil {
		return nil, err
	}
	return pb.NewAgentClient(conn).Meet(ctx, r)
}

// unsent reports whether a call certainly never left this node: its connection
// did not stand.
func unsent(err error) bool {
	s, ok := status.FromError(err)
	return ok && s.Code() == codes.Unavailable && strings.HasPrefix(s.Message(), "connection error:")
}
