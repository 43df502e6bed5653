package transport

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A follower answers heartbeats of term 7, and counts them.
type follower struct {
	*RaftTransport
	handled atomic.Int64
}

func (p *wiredPair) follow(t testing.TB) (leader *RaftTransport, f *follower) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	c := unforked(log)
	c.History = func() []string {
		if p.forked.Load() {
			return []string{"a"}
		}
		return nil
	}
	leader = p.a.RaftTransport(c)
	f = &follower{RaftTransport: p.b.RaftTransport(unforked(log))}
	f.SetHeartbeatHandler(func(rpc raft.RPC) {
		f.handled.Add(1)
		q := rpc.Command.(*raft.AppendEntriesRequest)
		rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: q.RPCHeader, Term: q.Term, LastLog: 9, Success: string(q.ID) == p.a.id.ID()}, nil)
	})
	t.Cleanup(func() { leader.Close(); f.Close() })
	return leader, f
}

// heartbeat asks once, and fails the test if the answer is not the follower's.
func (p *wiredPair) heartbeat(t testing.TB, leader *RaftTransport) time.Duration {
	t.Helper()
	id := []byte(p.a.id.ID())
	q := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: id, Addr: id}, Term: 7, Leader: id}
	var a raft.AppendEntriesResponse
	began := time.Now()
	err := leader.AppendEntries(raft.ServerID(p.b.id.ID()), raft.ServerAddress(p.b.id.ID()), q, &a)
	if err != nil || a.Term != 7 || a.LastLog != 9 || !a.Success || a.ProtocolVersion != 3 {
		t.Fatalf("heartbeat: %+v, %v", a, err)
	}
	return time.Since(began)
}

// At any cut a leader's word must come through sooner than a follower loses patience.
// This machine may stand still for so long, but not each time.
func TestHeartbeatsDoNotMissALink(t *testing.T) {
	p := newWiredPair(t, 2)
	p.ready(t)
	leader, _ := p.follow(t)
	for n, w := range p.wires {
		quickest := time.Hour
		for range 3 {
			p.heartbeat(t, leader)
			w.cut()
			quickest = min(quickest, p.heartbeat(t, leader))
			w.mend()
			p.awaitUp(t, "++")
		}
		if quickest > 100*time.Millisecond {
			t.Errorf("a heartbeat right after the cut of wire %d took %v, at best", n, quickest)
		}
	}
}

func TestHeartbeatsAreRepeatedUntilAnswered(t *testing.T) {
	p := newWiredPair(t, 1)
	p.ready(t)
	leader, _ := p.follow(t)
	for _, end := range p.wires[0].ends {
		end.loss.Store(25) // of twenty attempts all are lost in one heartbeat of ten million
	}
	for range 20 {
		p.heartbeat(t, leader)
	}
}

// A stream is looked at before Raft uses it, so it may carry what a datagram may not.
func TestHeartbeatsGoOverStreamsWhereHistoriesDiffer(t *testing.T) {
	p := newWiredPair(t, 1)
	p.ready(t)
	leader, f := p.follow(t)
	p.heartbeat(t, leader)
	if n := p.streamsOf(p.b); n != 0 {
		t.Errorf("%d streams although the histories are the same", n)
	}
	p.forked.Store(true)
	p.heartbeat(t, leader)
	if p.streamsOf(p.b) == 0 {
		t.Error("no stream although the histories differ")
	}
	if n := f.handled.Load(); n < 2 { // the first may have been repeated
		t.Errorf("raft saw %d heartbeats, want both", n)
	}
}

// streamsOf is how many streams a has with a peer.
func (p *wiredPair) streamsOf(peer *running) (n int) {
	x := p.a.peer(peer.id.ID())
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.links {
		n += len(l.streams)
	}
	return n
}

// While Raft takes its time over one, others of that peer do not pile up.
func TestHeartbeatsOfAPeerAreHandledOneAtATime(t *testing.T) {
	p := newWiredPair(t, 2)
	p.ready(t)
	leader, f := p.follow(t)
	release := make(chan struct{})
	var once sync.Once
	var inside, most atomic.Int64
	f.SetHeartbeatHandler(func(rpc raft.RPC) {
		most.Store(max(most.Load(), inside.Add(1)))
		defer inside.Add(-1)
		once.Do(func() { <-release })
		rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: 3}, Term: 7, LastLog: 9, Success: true}, nil)
	})
	began := time.Now()
	timer := time.AfterFunc(4*heartbeatAgain, func() { close(release) })
	defer timer.Stop()
	p.heartbeat(t, leader)
	if took := time.Since(began); took < 4*heartbeatAgain {
		t.Errorf("answered after %v, before raft did", took)
	}
	if n := most.Load(); n != 1 {
		t.Errorf("%d at a time", n)
	}
}

func TestAHeartbeatThatNobodyAnswersFails(t *testing.T) {
	p := newWiredPair(t, 1)
	p.ready(t)
	leader := p.a.RaftTransport(unforked(slog.New(slog.DiscardHandler)))
	defer leader.Close()
	ask := func() error {
		id := []byte(p.a.id.ID())
		q := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: id, Addr: id}, Term: 7, Leader: id}
		return leader.AppendEntries(raft.ServerID(p.b.id.ID()), raft.ServerAddress(p.b.id.ID()), q, new(raft.AppendEntriesResponse))
	}
	if err := ask(); !errors.Is(err, errUnanswered) {
		t.Errorf("a peer that runs no Raft: %v", err)
	}
	timer := time.AfterFunc(2*heartbeatAgain, func() { leader.Close() })
	defer timer.Stop()
	if err := ask(); !errors.Is(err, raft.ErrTransportShutdown) {
		t.Errorf("when the transport was closed: %v", err)
	}
}
