package consensus

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// errDiskHangs is what raft is told of its messages while the disk hangs.
var errDiskHangs = errors.New("this node is silent while its disk hangs")

// attend gives leadership up when the disk hangs, until ctx is canceled.
//
// A node whose disk hangs sends no message of Raft's (see the methods below): a
// leader is deposed by its silence, and nobody stands for election who could not
// store what he is elected for. It goes on to answer: a follower confirms its
// leader, which needs it for a majority again as soon as the disk is back. Its
// lease is no matter of the disk, so it keeps what it serves.
//
// A leader besides tells a successor to stand for election now, past its own main
// loop, which hangs. The order can do no harm: any node may stand at any time.
func (n *Node) attend(ctx context.Context) {
	var told *HangError
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		hang, next := n.disk.hang()
		switch {
		case hang != nil && told == nil:
			n.log.Warn("the disk hangs: this node sends nothing of Raft's until it is back", "err", hang)
			n.succeed()
		case hang == nil && told != nil:
			n.log.Warn("the disk is back", "after", time.Since(told.Since).Round(time.Millisecond))
		}
		if told = hang; next > 0 {
			timer.Reset(next)
		}
		select {
		case <-ctx.Done():
			return
		case <-n.disk.news:
		case <-timer.C:
		}
	}
}

// succeed has the voter with the longest log stand for election, if this node
// leads. If it does not win, silence does the rest.
func (n *Node) succeed() {
	if n.raft().State() != raft.Leader {
		return
	}
	servers, err := n.Servers()
	if err != nil {
		return
	}
	best, end := "", uint64(0)
	for _, s := range servers {
		if reached, ok := n.transport.Load().reached(s.ID); s.Voter && s.ID != n.id && ok && (best == "" || reached > end) {
			best, end = s.ID, reached
		}
	}
	if best == "" {
		return
	}
	order := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.id), Addr: []byte(n.id)}}
	if err := n.transport.Load().Transport.TimeoutNow(raft.ServerID(best), raft.ServerAddress(best), order, &raft.TimeoutNowResponse{}); err != nil {
		n.log.Info("successor not reached", "node", best, "err", err)
	}
}

// Hang returns what the disk has not done for too long; nil while all is well.
func (n *Node) Hang() *HangError {
	hang, _ := n.disk.hang()
	return hang
}

// deposed reports whether this node leads only because its main loop hangs, and
// who leads instead, if that is known.
func (n *Node) deposed() (successor string, deposed bool) {
	if n.raft().State() != raft.Leader || n.Hang() == nil {
		return "", false
	}
	return n.transport.Load().successor(n.Term()), true
}

// silent is the error of a message that must not be sent.
func (t *transport) silent() error {
	if hang, _ := t.disk.hang(); hang != nil {
		return errDiskHangs
	}
	return nil
}

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, to raft.ServerAddress, q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	if err := t.silent(); err != nil {
		return err
	}
	if err := t.Transport.AppendEntries(id, to, q, a); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends[string(id)] = a.LastLog
	return nil
}

// reached is where a peer's log ended when it was last asked.
func (t *transport) reached(id string) (end uint64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end, known = t.ends[id]
	return end, known
}

// AppendEntriesPipeline implements raft.Transport.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	if err := t.silent(); err != nil {
		return nil, err
	}
	p, err := t.Transport.AppendEntriesPipeline(id, to)
	if err != nil {
		return nil, err
	}
	return &pipeline{p, t}, nil
}

// A pipeline falls silent with its transport.
type pipeline struct {
	raft.AppendPipeline
	transport *transport
}

// AppendEntries implements raft.AppendPipeline.
func (p *pipeline) AppendEntries(q *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if err := p.transport.silent(); err != nil {
		return nil, err
	}
	return p.AppendPipeline.AppendEntries(q, a)
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestVoteRequest, a *raft.RequestVoteResponse) error {
	if err := t.silent(); err != nil {
		return err
	}
	return t.Transport.RequestVote(id, to, q, a)
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, to raft.ServerAddress, q *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) error {
	if err := t.silent(); err != nil {
		return err
	}
	return t.Transport.RequestPreVote(id, to, q, a)
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, q *raft.InstallSnapshotRequest, a *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := t.silent(); err != nil {
		return err
	}
	return t.Transport.InstallSnapshot(id, to, q, a, data)
}

// TimeoutNow implements raft.Transport.
func (t *transport) TimeoutNow(id raft.ServerID, to raft.ServerAddress, q *raft.TimeoutNowRequest, a *raft.TimeoutNowResponse) error {
	if err := t.silent(); err != nil {
		return err
	}
	return t.Transport.TimeoutNow(id, to, q, a)
}

// sight remembers who leads by his messages, for when the main loop does not.
func (t *transport) sight(command any) {
	entries, ok := command.(*raft.AppendEntriesRequest)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if entries.Term >= t.seen.term {
		t.seen.term, t.seen.leader = entries.Term, string(entries.ID)
	}
}

// successor is who leads in a term after another; empty: nobody was heard.
func (t *transport) successor(term uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen.term <= term {
		return ""
	}
	return t.seen.leader
}
