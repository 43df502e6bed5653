package transport

import (
	"errors"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/hashicorp/raft"
)

// Raft keeps idle streams for its next messages, and learns only from a message
// that one of them has ended meanwhile: this end closed it because its link is
// down, or the peer restarted. For a message that fails so it waits, an entry
// for up to twice Timing.Commit, a vote for the next election. Therefore what
// finds its stream ended is sent once more, over another stream. The receiver
// takes all of these messages twice without harm.

// AppendEntries implements raft.Transport.
func (r *RaftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if isHeartbeat(args) {
		if err := r.heartbeats.ask(string(target), args, resp); !errors.Is(err, errUseStream) {
			return err
		}
	}
	return r.again(func() error { return r.NetworkTransport.AppendEntries(id, target, args, resp) })
}

// RequestVote implements raft.Transport.
func (r *RaftTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return r.again(func() error { return r.NetworkTransport.RequestVote(id, target, args, resp) })
}

// RequestPreVote implements raft.WithPreVote.
func (r *RaftTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return r.again(func() error { return r.NetworkTransport.RequestPreVote(id, target, args, resp) })
}

// TimeoutNow implements raft.Transport.
func (r *RaftTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return r.again(func() error { return r.NetworkTransport.TimeoutNow(id, target, args, resp) })
}

// again sends a message until it meets a stream that stands: raftPool of them
// may be idle. What was written for one history is not sent with another.
func (r *RaftTransport) again(send func() error) error {
	history := r.streams.History()
	err := send()
	for range raftPool {
		if !ended(err) || !slices.Equal(history, r.streams.History()) {
			return err
		}
		err = send()
	}
	return err
}

// An undialed is why there is no new stream.
type undialed struct{ error }

// Unwrap returns the reason.
func (u undialed) Unwrap() error { return u.error }

// ended tells whether a message failed because its stream had ended.
func ended(err error) bool {
	var u undialed
	if err == nil || errors.As(err, &u) {
		return false
	}
	return slices.ContainsFunc([]error{net.ErrClosed, io.EOF, syscall.EPIPE, syscall.ECONNRESET}, func(end error) bool { return errors.Is(err, end) })
}
