package transport

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"quorate/cluster/fork"
)

const (
	raftTimeout = time.Second // of a dial, of the exchange of histories, and of one message
	raftPool    = 3
)

// Raft turns pre-vote off without a word when its transport lacks it.
var _ raft.WithPreVote = (*RaftTransport)(nil)

// RaftConfig says which log's messages a RaftTransport carries.
type RaftConfig struct {
	Ready   <-chan struct{} // nothing is taken in before it is closed: History is not known yet
	History func() []string // ids of the log's forks, as they are now; quick, and takes no lock of this package
	// Split is told, each time that it is found, that a node's log and this one
	// went apart. It must not wait.
	Split func(node string)
	Log   *slog.Logger
}

// RaftTransport carries Raft's messages over this transport: heartbeats as
// datagrams, the rest over streams. A server's address is its node id. It works
// from the start on; the caller closes it.
//
// Every stream begins with an exchange of the histories of both ends' logs
// (history.go), and ends when this end's history changes: see [RaftTransport.Recheck].
type RaftTransport struct {
	*raft.NetworkTransport
	streams    *raftStreams
	heartbeats *heartbeats
}

// RaftTransport makes one. While it is not closed it is the only one.
func (t *Transport) RaftTransport(c RaftConfig) *RaftTransport {
	ctx, cancel := context.WithCancel(context.Background())
	s := &raftStreams{
		RaftConfig: c, Listener: t.Listener(ALPNRaft), transport: t, ctx: ctx, cancel: cancel,
		conns: map[*raftConn]bool{}, told: map[string]error{},
	}
	n := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  s,
		MaxPool: raftPool,
		Timeout: raftTimeout,
		Logger:  hclog.FromStandardLogger(slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug), &hclog.LoggerOptions{Name: "raft-net"}),
	})
	return &RaftTransport{n, s, newHeartbeats(t, c)}
}

// Close ends all streams, also those in use: nobody waits for an answer to what
// is under way.
func (r *RaftTransport) Close() error {
	r.streams.cancel()
	r.heartbeats.close()
	err := r.NetworkTransport.Close()
	r.streams.closeConns(func(*raftConn) bool { return true })
	return err
}

// SetHeartbeatHandler implements raft.Transport.
func (r *RaftTransport) SetHeartbeatHandler(handle func(raft.RPC)) {
	r.NetworkTransport.SetHeartbeatHandler(handle)
	if handle == nil {
		r.heartbeats.handler.Store(nil)
		return
	}
	r.heartbeats.handler.Store(&handle)
}

// Recheck ends the streams that began with another history than the present
// one. The caller calls it after each change.
func (r *RaftTransport) Recheck() {
	now := r.streams.History()
	r.streams.closeConns(func(c *raftConn) bool { return !slices.Equal(c.mine, now) })
}

// raftStreams is a raft.StreamLayer.
type raftStreams struct {
	RaftConfig
	net.Listener
	transport *Transport
	ctx       context.Context // of the streams: canceled by Close
	cancel    context.CancelFunc

	mu    sync.Mutex
	conns map[*raftConn]bool
	told  map[string]error // by node: why its streams are refused, as the log has it
}

// Accept implements net.Listener. The histories are exchanged by the first Read,
// so that nobody waits for a slow caller.
func (s *raftStreams) Accept() (net.Conn, error) {
	select {
	case <-s.Ready:
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &raftConn{Conn: c, streams: s, accepted: true}, nil
}

// Dial implements raft.StreamLayer.
func (s *raftStreams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	c, err := s.transport.Dial(ctx, string(address), ALPNRaft)
	if err != nil {
		return nil, undialed{err}
	}
	r := &raftConn{Conn: c, streams: s, node: string(address)}
	if err := r.begin(); err != nil {
		return nil, undialed{errors.Join(err, c.Close())}
	}
	return r, nil
}

// enter keeps a stream whose histories were exchanged, unless this end's has
// changed meanwhile.
func (s *raftStreams) enter(c *raftConn) error {
	now := s.History()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || !slices.Equal(c.mine, now) {
		return errChanged
	}
	s.conns[c] = true
	return nil
}

func (s *raftStreams) leave(c *raftConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *raftStreams) closeConns(which func(*raftConn) bool) {
	s.mu.Lock()
	var ended []*raftConn
	for c := range s.conns {
		if which(c) {
			ended = append(ended, c)
		}
	}
	s.mu.Unlock()
	for _, c := range ended {
		_ = c.Close() // it is over, one way or the other
	}
}

// tell logs, once, that a node's streams are refused, or no longer, and passes a
// split on.
func (s *raftStreams) tell(node string, err error) {
	s.mu.Lock()
	news := !errors.Is(err, s.told[node]) // also when neither is refused any more: errors.Is(nil, nil)
	s.told[node] = err
	s.mu.Unlock()
	split := errors.Is(err, fork.ErrSplit)
	switch {
	case news && split:
		s.Log.Warn("no messages of raft to or from a node", "node", node, "err", err)
	case news && err != nil:
		s.Log.Info("no messages of raft one way", "node", node, "err", err)
	case news:
		s.Log.Info("messages of raft pass again", "node", node)
	}
	if split && s.Split != nil {
		s.Split(node)
	}
}
