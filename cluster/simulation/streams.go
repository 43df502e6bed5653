package simulation

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// errUnreachable is what a call over a cut link ends with.
var errUnreachable = errors.New("unreachable")

// patience is how long a call waits for an answer that does not come.
const patience = 500 * time.Millisecond

// streams is Raft's transport on the simulated network: the same calls as over
// TCP, each of them delayed, cut or held up by a frozen machine.
type streams struct {
	machine  *machine
	process  *process
	consumer chan raft.RPC

	mu        sync.Mutex
	heartbeat func(raft.RPC)
}

var _ raft.WithPreVote = (*streams)(nil)

func newStreams(m *machine, p *process) *streams {
	return &streams{machine: m, process: p, consumer: make(chan raft.RPC, 16)}
}

// Consumer implements raft.Transport.
func (s *streams) Consumer() <-chan raft.RPC { return s.consumer }

// LocalAddr implements raft.Transport.
func (s *streams) LocalAddr() raft.ServerAddress { return raft.ServerAddress(s.machine.id) }

// AppendEntriesPipeline implements raft.Transport.
func (s *streams) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries implements raft.Transport.
func (s *streams) AppendEntries(id raft.ServerID, _ raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return call(s, string(id), args, nil, resp)
}

// RequestVote implements raft.Transport.
func (s *streams) RequestVote(id raft.ServerID, _ raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return call(s, string(id), args, nil, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (s *streams) RequestPreVote(id raft.ServerID, _ raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return call(s, string(id), args, nil, resp)
}

// InstallSnapshot implements raft.Transport.
func (s *streams) InstallSnapshot(id raft.ServerID, _ raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return call(s, string(id), args, data, resp)
}

// TimeoutNow implements raft.Transport.
func (s *streams) TimeoutNow(id raft.ServerID, _ raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return call(s, string(id), args, nil, resp)
}

// EncodePeer implements raft.Transport.
func (s *streams) EncodePeer(id raft.ServerID, _ raft.ServerAddress) []byte { return []byte(id) }

// DecodePeer implements raft.Transport.
func (s *streams) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler implements raft.Transport.
func (s *streams) SetHeartbeatHandler(f func(raft.RPC)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heartbeat = f
}

// call asks a machine and waits for its answer, or for patience to end.
func call[A, R any](s *streams, to string, args A, data io.Reader, into *R) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := ask(ctx, s.machine, s.process, to, func(target *process) (any, error) {
		return target.streams.answer(args, data)
	})
	if err != nil {
		return err
	}
	*into = *answer.(*R)
	return nil
}

// answer hands a call to the local raft and waits for what it says.
func (s *streams) answer(args any, data io.Reader) (any, error) {
	responses := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: args, Reader: data, RespChan: responses}
	if handler := s.heartbeatFor(args); handler != nil {
		handler(rpc)
	} else {
		select {
		case s.consumer <- rpc:
		case <-s.process.ended:
			return nil, errUnreachable
		}
	}
	select {
	case r := <-responses:
		return r.Response, r.Error
	case <-s.process.ended:
		return nil, errUnreachable
	}
}

// heartbeatFor returns Raft's fast path for heartbeats, as over TCP.
func (s *streams) heartbeatFor(args any) func(raft.RPC) {
	r, ok := args.(*raft.AppendEntriesRequest)
	if !ok || r.Term == 0 || len(r.Addr) == 0 || r.PrevLogEntry != 0 || r.PrevLogTerm != 0 || len(r.Entries) > 0 || r.LeaderCommitIndex != 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heartbeat
}

// ask runs f on another machine as a call over the network: both ways are
// delayed or cut, and either end may be frozen or die meanwhile.
func ask(ctx context.Context, from *machine, caller *process, to string, f func(target *process) (any, error)) (any, error) {
	w := from.world
	from.gate(caller, "call")
	type reply struct {
		value any
		err   error
	}
	replies := make(chan reply, 1)
	w.tasks.Go(func() {
		value, err := w.roundTrip(from, to, f)
		replies <- reply{value, err}
	})
	select {
	case r := <-replies:
		from.gate(caller, "call")
		return r.value, r.err
	case <-ctx.Done():
		from.gate(caller, "call")
		return nil, errUnreachable
	case <-caller.ended:
		return nil, errUnreachable
	}
}

// roundTrip carries a call to the target and its answer back.
func (w *world) roundTrip(from *machine, to string, f func(target *process) (any, error)) (any, error) {
	if err := w.travel(from.id, to); err != nil {
		return nil, err
	}
	target := w.machines[to].running()
	if target == nil {
		return nil, errUnreachable
	}
	w.machines[to].gate(target, "answer")
	value, err := f(target)
	if err != nil {
		return nil, err
	}
	w.machines[to].gate(target, "answer")
	if target.dead() {
		return nil, errUnreachable // its connections died with it, whatever runs there now
	}
	return value, w.travel(to, from.id)
}

// travel takes as long as a stream's message does.
func (w *world) travel(from, to string) error {
	took, ok := w.network.wire(from, to, false)
	if !ok {
		return errUnreachable
	}
	time.Sleep(took)
	if !w.network.open(from, to) {
		return errUnreachable
	}
	return nil
}
