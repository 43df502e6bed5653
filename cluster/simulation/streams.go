package simulation

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/fork"
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
	ready    <-chan struct{} // closed once raft takes calls
	closed   chan struct{}
	closing  sync.Once

	mu        sync.Mutex
	heartbeat func(raft.RPC)
}

var (
	_ raft.WithPreVote = (*streams)(nil)
	_ raft.WithClose   = (*streams)(nil)
)

// newStreams makes the process's streams, which take the place of earlier ones
// when raft is started again.
func newStreams(p *process, ready <-chan struct{}) *streams {
	s := &streams{machine: p.machine, process: p, consumer: make(chan raft.RPC, 16), ready: ready, closed: make(chan struct{})}
	p.streams.Store(s)
	return s
}

// Close implements raft.WithClose.
func (s *streams) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return nil
}

// takes reports whether raft takes calls over these streams.
func (s *streams) takes() bool {
	select {
	case <-s.closed:
		return false
	default:
	}
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// history is that of the process's log (package fork).
func (p *process) history() []string { return fork.History(p.store.Get().State.Forks) }

// handshake ends a call between logs that must not meet, as each stream's first
// words do.
func handshake(caller, target *process, asks []string) error {
	err := fork.Check(asks, target.history())
	if errors.Is(err, fork.ErrSplit) {
		caller.core.Split(target.machine.id)
		target.core.Split(caller.machine.id)
	}
	return err
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
	timer := time.NewTimer(patience)
	defer timer.Stop()
	history := s.process.history()
	answer, err := ask(s.process, to, timer.C, s.closed, func(target *process) (any, error) {
		ends := target.streams.Load()
		if !s.takes() || !ends.takes() {
			return nil, errUnreachable
		}
		if err := handshake(s.process, target, history); err != nil {
			return nil, err
		}
		return ends.answer(args, data)
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
		case <-s.closed:
			return nil, errUnreachable
		case <-s.process.ended:
			return nil, errUnreachable
		}
	}
	select {
	case r := <-responses:
		return r.Response, r.Error
	case <-s.closed:
		return nil, errUnreachable
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
// delayed or cut, and either end may be frozen or die meanwhile. The caller
// waits until late or done, whichever comes first.
func ask(caller *process, to string, late <-chan time.Time, done <-chan struct{}, f func(target *process) (any, error)) (any, error) {
	from := caller.machine
	from.gate(caller, "call")
	if caller.dead() {
		return nil, errUnreachable
	}
	replies := make(chan reply, 1)
	from.world.roundTrip(from.id, to, f, replies)
	select {
	case r := <-replies:
		from.gate(caller, "call")
		return r.value, r.err
	case <-late:
	case <-done:
	case <-caller.ended:
		return nil, errUnreachable
	}
	from.gate(caller, "call")
	return nil, errUnreachable
}

// A reply is what a call ends with.
type reply struct {
	value any
	err   error
}

// roundTrip carries a call to the target and its answer back.
func (w *world) roundTrip(from, to string, f func(target *process) (any, error), replies chan<- reply) {
	lost := func() { replies <- reply{err: errUnreachable} }
	w.travel(from, to, lost, func() {
		target := w.machines[to].running()
		if target == nil {
			lost()
			return
		}
		w.machines[to].gate(target, "serve")
		value, err := f(target)
		w.machines[to].gate(target, "serve")
		if target.dead() { // its connections died with it, whatever runs there now
			value, err = nil, errUnreachable
		}
		w.travel(to, from, lost, func() { replies <- reply{value, err} })
	})
}

// travel calls arrived after the time that a stream's message takes. When there
// is no way it calls lost, at once if that is known, or after patience if the
// link was cut meanwhile.
func (w *world) travel(from, to string, lost, arrived func()) {
	h, ok := w.network.stream(from, to)
	if !ok {
		lost()
		return
	}
	w.after(h.took, func() {
		if w.network.open(h.link) {
			arrived()
		} else {
			w.after(patience, lost)
		}
	})
}
