package consensus

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Transport is what raft needs of the network. Without pre-vote a node that was
// cut off disturbs the others on its return, and raft does without it silently.
type Transport interface {
	raft.Transport
	raft.WithPreVote
}

// A transport lets heartbeats pass raft's main loop by only where they confirm
// what that loop knows. All others join its queue.
//
// Raft handles heartbeats beside its main loop, so that a slow disk does not
// look like a silent node. Handled while the loop begins an election, as one
// after a freeze or just after the order to take leadership over may be, a
// heartbeat leaves behind a candidate that believes in the old leader: it
// refuses its vote to all others until its process ends (hashicorp/raft 1.7.3;
// see docs/bugs.md).
type transport struct {
	Transport
	heartbeat time.Duration // Timing.Heartbeat
	disk      *disk         // while it hangs nothing is sent
	raft      atomic.Pointer[raft.Raft]

	queue   chan raft.RPC // of the main loop
	passing sync.WaitGroup
	closing sync.Once
	closed  chan struct{}

	mu   sync.Mutex
	ends map[string]uint64 // of the peers' logs, by node id
	seen struct {          // the leader of the newest term that one was heard of
		term   uint64
		leader string
	}
}

var _ raft.WithClose = (*transport)(nil)

// newTransport begins to pass on what arrives. Raft closes it at its shutdown.
func newTransport(to Transport, heartbeat time.Duration, d *disk) *transport {
	t := &transport{
		Transport: to, heartbeat: heartbeat, disk: d, queue: make(chan raft.RPC), closed: make(chan struct{}),
		ends: make(map[string]uint64),
	}
	t.passing.Go(t.pass)
	return t
}

// pass queues what is no heartbeat. It takes in what the main loop has yet to
// take, at most one message of each connection: who leads is seen even if that
// loop hangs.
func (t *transport) pass() {
	var waiting []raft.RPC
	for {
		var queue chan<- raft.RPC
		var first raft.RPC
		if len(waiting) > 0 {
			queue, first = t.queue, waiting[0]
		}
		select {
		case rpc := <-t.Transport.Consumer():
			t.sight(rpc.Command)
			waiting = append(waiting, rpc)
		case queue <- first:
			waiting = waiting[1:]
		case <-t.closed:
			return
		}
	}
}

// enqueue waits for the main loop. After the shutdown nothing is answered.
func (t *transport) enqueue(rpc raft.RPC) {
	select {
	case t.queue <- rpc:
	case <-t.closed:
	}
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.queue }

// SetHeartbeatHandler implements raft.Transport.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) {
	t.Transport.SetHeartbeatHandler(func(rpc raft.RPC) {
		t.sight(rpc.Command)
		if t.confirms(rpc.Command) {
			handle(rpc)
		} else {
			t.enqueue(rpc)
		}
	})
}

// confirms reports whether a heartbeat comes from the leader that this node
// follows, and no election can begin before it is handled.
func (t *transport) confirms(command any) bool {
	r := t.raft.Load()
	beat, ok := command.(*raft.AppendEntriesRequest)
	if r == nil || !ok {
		return false
	}
	_, leader := r.LeaderWithID()
	return r.State() == raft.Follower && beat.Term == r.CurrentTerm() && string(beat.ID) == string(leader) &&
		time.Since(r.LastContact()) < t.heartbeat*4/5
}

// Close implements raft.WithClose.
func (t *transport) Close() error {
	t.closing.Do(func() { close(t.closed) })
	t.passing.Wait()
	if c, ok := t.Transport.(raft.WithClose); ok {
		return c.Close()
	}
	return nil
}
