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
	raft      atomic.Pointer[raft.Raft]

	queue   chan raft.RPC // of the main loop
	passing sync.WaitGroup
	closing sync.Once
	closed  chan struct{}
}

var _ raft.WithClose = (*transport)(nil)

// newTransport begins to pass on what arrives. Raft closes it at its shutdown.
func newTransport(to Transport, heartbeat time.Duration) *transport {
	t := &transport{Transport: to, heartbeat: heartbeat, queue: make(chan raft.RPC), closed: make(chan struct{})}
	t.passing.Go(t.pass)
	return t
}

// pass queues what is no heartbeat.
func (t *transport) pass() {
	for {
		select {
		case rpc := <-t.Transport.Consumer():
			t.enqueue(rpc)
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
