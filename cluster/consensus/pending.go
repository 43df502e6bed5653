package consensus

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// pending is what raft was asked and has not answered yet.
//
// What is committed waits in a queue until it is applied. A shutdown forgets that
// queue, and whoever waits for an answer waits for ever (hashicorp/raft 1.7.3,
// runFSM; see docs/bugs.md). So raft is asked nothing more before it is shut down,
// and answers first. It does so soon: a leader that reaches no majority steps down.
type pending struct {
	answers sync.WaitGroup // goroutines that wait for one

	mu      sync.Mutex
	waiting int
	drained chan struct{} // raft is asked nothing more; closed when nothing waits. nil: raft may be asked
}

// begin reports whether raft may be asked. If so, end follows the answer.
func (p *pending) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drained != nil {
		return false
	}
	p.waiting++
	return true
}

func (p *pending) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
	if p.waiting == 0 && p.drained != nil {
		close(p.drained)
	}
}

// shut lets nobody ask any more, and waits a while for what was asked. It reports
// whether all is answered.
func (p *pending) shut(patience time.Duration) bool {
	p.mu.Lock()
	drained := make(chan struct{})
	p.drained = drained
	if p.waiting == 0 {
		close(drained)
	}
	p.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-drained:
		return true
	case <-late.C:
		return false
	}
}

// open lets raft be asked again.
func (p *pending) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = nil
}

// ask asks raft and waits for the answer.
func (n *Node) ask(question func(*raft.Raft) raft.Future) error {
	if !n.pending.begin() {
		return raft.ErrNotLeader // for whoever asks a raft that ends
	}
	defer n.pending.end()
	return question(n.raft()).Error()
}
