package transport

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	raftTimeout = time.Second // of a dial and of one message
	raftPool    = 3
)

// Raft turns pre-vote off without a word when its transport lacks it.
var _ raft.WithPreVote = (*raft.NetworkTransport)(nil)

// RaftTransport carries Raft's messages over this transport. A server's address
// is its node id. It works from the start on; the caller closes it.
func (t *Transport) RaftTransport(log *slog.Logger) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  raftStreams{t.Listener(ALPNRaft), t},
		MaxPool: raftPool,
		Timeout: raftTimeout,
		Logger:  hclog.FromStandardLogger(slog.NewLogLogger(log.Handler(), slog.LevelDebug), &hclog.LoggerOptions{Name: "raft-net"}),
	})
}

// raftStreams is a raft.StreamLayer.
type raftStreams struct {
	net.Listener
	transport *Transport
}

func (s raftStreams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.transport.Dial(ctx, string(address), ALPNRaft)
}
