package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Raft's heartbeats travel as datagrams, over all links, and are repeated until
// they are answered. Over a stream one lost segment holds them up for 200 ms, and
// a link that is lost for as long as it takes to notice and to dial: both about
// as long as a leader may go unheard. All else of Raft's goes over streams, where
// being late costs no leader.
//
// A stream begins with the histories of both logs (history.go), a datagram
// cannot. So a heartbeat carries the hash of its sender's, and where the other
// end's is another the heartbeat goes over a stream, too.

const (
	heartbeatAgain = 25 * time.Millisecond  // without an answer it is sent again
	heartbeatLimit = 500 * time.Millisecond // without an answer it has failed
)

var (
	errUnanswered = errors.New("no answer to a heartbeat")
	errUseStream  = errors.New("heartbeats do not go as datagrams now")
)

// A heartbeatQuestion is raft.AppendEntriesRequest as far as a heartbeat needs it:
// who leads the datagram itself proves.
type heartbeatQuestion struct {
	Number  uint64 // drawn by the leader; the answer repeats it
	History uint64 // hash
	Term    uint64
	Version int8 // of Raft's protocol
}

// A heartbeatAnswer is raft.AppendEntriesResponse.
type heartbeatAnswer struct {
	Number         uint64
	Refused        bool // the histories differ: a stream must be tried, which says more
	Term           uint64
	LastLog        uint64
	Success        bool
	NoRetryBackoff bool
	Version        int8
}

// heartbeats asks and answers on behalf of one RaftTransport.
type heartbeats struct {
	transport *Transport
	RaftConfig
	handler atomic.Pointer[func(raft.RPC)] // what raft does with one; nil: not yet, or no more
	closed  chan struct{}
	once    sync.Once

	mu      sync.Mutex
	newest  uint64
	waiting map[uint64]chan heartbeatAnswer // by the question's number; each holds one
	busy    map[string]bool                 // who is being answered
}

func newHeartbeats(t *Transport, c RaftConfig) *heartbeats {
	h := &heartbeats{transport: t, RaftConfig: c, closed: make(chan struct{}), waiting: map[uint64]chan heartbeatAnswer{}, busy: map[string]bool{}}
	t.handle(kindHeartbeat, h.receiveQuestion)
	t.handle(kindHeartbeatAnswer, h.receiveAnswer)
	return h
}

// close ends all questions, and answers no more.
func (h *heartbeats) close() {
	h.handler.Store(nil)
	h.once.Do(func() { close(h.closed) })
}

// isHeartbeat recognizes heartbeats as raft.NetworkTransport does.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return r.Term != 0 && len(r.Entries) == 0 && r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && r.LeaderCommitIndex == 0
}

// ask sends a heartbeat until it is answered. It does not try while the peer is
// not heard: then a stream tells sooner whether it is there.
func (h *heartbeats) ask(id string, r *raft.AppendEntriesRequest, answer *raft.AppendEntriesResponse) error {
	if !h.transport.hears(id) {
		return errUseStream
	}
	number, answers := h.begin()
	defer h.end(number)
	question, err := binary.Append(nil, binary.BigEndian, heartbeatQuestion{
		Number: number, History: h.past(), Term: r.Term, Version: int8(r.ProtocolVersion),
	})
	if err != nil {
		return err
	}
	a, err := h.insist(id, question, answers)
	if err != nil {
		return err
	}
	*answer = raft.AppendEntriesResponse{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(a.Version), ID: []byte(id), Addr: []byte(id)},
		Term:      a.Term, LastLog: a.LastLog, Success: a.Success, NoRetryBackoff: a.NoRetryBackoff,
	}
	return nil
}

func (h *heartbeats) insist(id string, question []byte, answers <-chan heartbeatAnswer) (heartbeatAnswer, error) {
	again := time.NewTicker(heartbeatAgain)
	defer again.Stop()
	for began := time.Now(); time.Since(began) < heartbeatLimit; {
		_ = h.transport.SendDatagram(id, kindHeartbeat, question) // lost is repeated
		select {
		case a := <-answers:
			if a.Refused {
				return a, errUseStream
			}
			return a, nil
		case <-again.C:
		case <-h.closed:
			return heartbeatAnswer{}, raft.ErrTransportShutdown
		}
	}
	return heartbeatAnswer{}, errUnanswered
}

func (h *heartbeats) begin() (number uint64, answers <-chan heartbeatAnswer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest++
	c := make(chan heartbeatAnswer, 1)
	h.waiting[h.newest] = c
	return h.newest, c
}

func (h *heartbeats) end(number uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, number)
}

// receiveAnswer is called by the network's reader.
func (h *heartbeats) receiveAnswer(_ string, payload []byte) {
	var a heartbeatAnswer
	if _, err := binary.Decode(payload, binary.BigEndian, &a); err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case h.waiting[a.Number] <- a:
	default: // answered already
	}
}

// receiveQuestion is called by the network's reader. Raft may take its time over
// a heartbeat, so that is done elsewhere, one at a time for each peer; others of
// that peer are dropped meanwhile, it repeats itself.
func (h *heartbeats) receiveQuestion(from string, payload []byte) {
	var q heartbeatQuestion
	if _, err := binary.Decode(payload, binary.BigEndian, &q); err != nil {
		return
	}
	handle := h.handler.Load()
	if handle == nil || !h.ready() {
		return
	}
	if q.History != h.past() {
		h.send(from, heartbeatAnswer{Number: q.Number, Refused: true})
		return
	}
	if !h.occupy(from) {
		return
	}
	h.transport.tasks.start(func(ctx context.Context) {
		defer h.release(from)
		h.answer(ctx, from, q, *handle)
	})
}

// answer lets raft answer a heartbeat.
func (h *heartbeats) answer(ctx context.Context, from string, q heartbeatQuestion, handle func(raft.RPC)) {
	done := make(chan raft.RPCResponse, 1)
	handle(raft.RPC{Command: q.request(from), RespChan: done})
	late := time.NewTimer(raftTimeout)
	defer late.Stop()
	select {
	case r := <-done:
		if a, ok := r.Response.(*raft.AppendEntriesResponse); ok && r.Error == nil {
			h.send(from, heartbeatAnswer{
				Number: q.Number, Term: a.Term, LastLog: a.LastLog, Success: a.Success,
				NoRetryBackoff: a.NoRetryBackoff, Version: int8(a.ProtocolVersion),
			})
		}
	case <-late.C: // raft has shut down
	case <-h.closed:
	case <-ctx.Done():
	}
}

func (q heartbeatQuestion) request(from string) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(q.Version), ID: []byte(from), Addr: []byte(from)},
		Term:      q.Term, Leader: []byte(from),
	}
}

func (h *heartbeats) send(to string, a heartbeatAnswer) {
	if payload, err := binary.Append(nil, binary.BigEndian, a); err == nil {
		_ = h.transport.SendDatagram(to, kindHeartbeatAnswer, payload) // lost is asked for again
	}
}

func (h *heartbeats) occupy(peer string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[peer] {
		return false
	}
	h.busy[peer] = true
	return true
}

func (h *heartbeats) release(peer string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.busy, peer)
}

// past stands for the history of this node's log: two that are the same have the
// same number.
func (h *heartbeats) past() uint64 {
	sum := fnv.New64a()
	for _, id := range h.History() {
		_, _ = io.WriteString(sum, id+" ") // a hash takes everything
	}
	return sum.Sum64()
}

// ready tells whether the history is known.
func (h *heartbeats) ready() bool {
	select {
	case <-h.Ready:
		return true
	default:
		return false
	}
}
