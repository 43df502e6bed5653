package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// ErrNoPair is returned when a node cannot go on alone because the votes are
// not its own and its peer's.
var ErrNoPair = errors.New("the votes are not those of this node and its peer alone")

// errOver is returned when this node's part in the consensus has ended.
var errOver = errors.New("this node's part in the consensus has ended")

// clearance is how many indexes a recovery leaves unused after the newest entry:
// more than the peer, while it led without being heard, may have given to entries
// that nobody else has. A follower that holds such an entry at or beyond the end
// of a snapshot that it is sent refuses all that follows it, and is sent the
// snapshot again for ever (hashicorp/raft 1.7.3; see docs/bugs.md).
const clearance = 1 << 16

// keyTerm is where raft stores its term.
var keyTerm = []byte("CurrentTerm")

// Recover makes this node, one of two voters, the only one, with a last command
// that says so: raft is shut down, recovered with itself alone, started again in
// this process, and elected at once. It returns when this node leads.
//
// The command is no entry of the stored log. It exists only as the last entry of
// what raft recovers from, and so in the snapshot that it recovers to, together
// with the configuration of one voter. That snapshot is put in place in one
// step: whoever is killed at any moment finds the old state or the whole of the
// new one, and nobody is ever sent a part of it. Since the log before it is
// gone, whoever follows this node gets that snapshot first.
//
// If fsm refuses the command, or the votes are not those of the two, nothing has
// happened but that raft was started again. All entries that this node has, also
// those not yet known to be committed, count as committed before the command: so
// what the peer saw committed is kept, since it needed this node for that (S2).
// fsm is a copy of the state without side effects; it must skip the entries that
// it holds already.
func (n *Node) Recover(ctx context.Context, peer string, fsm raft.FSM, last *pb.Command) error {
	data, err := proto.Marshal(last)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	select {
	case n.handover.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.handover.turn }()
	if n.over {
		return errOver
	}
	if hang := n.Hang(); hang != nil {
		return hang // raft could not be shut down
	}
	if err := n.halt(); err != nil {
		return err
	}
	err = n.recover(peer, fsm, data)
	broken := n.launch()
	n.pending.open()
	if broken != nil {
		n.over = true
		n.broken <- broken
		return errors.Join(err, broken)
	}
	if err != nil {
		return err
	}
	return n.takeLead(ctx)
}

// answerPatience is how long a recovery waits for what raft was asked. Whoever
// goes on alone follows nobody and leads nobody, and so has mostly been answered.
const answerPatience = 100 * time.Millisecond

// halt ends raft without a word to the peer, which would not answer. Its calls
// end with the transport, so that they are not waited for.
func (n *Node) halt() error {
	n.pending.shut(answerPatience)
	if err := n.transport.Load().Close(); err != nil {
		n.log.Info("transport not closed in good order", "err", err)
	}
	if err := n.raft().Shutdown().Error(); err != nil {
		return fmt.Errorf("shut raft down: %w", err)
	}
	return nil
}

// recover writes the snapshot of this node alone. Raft is down.
func (n *Node) recover(peer string, fsm raft.FSM, last []byte) error {
	if err := n.pairedWith(peer); err != nil {
		return err
	}
	s := n.config.Stores
	index, term, err := s.end()
	if err != nil {
		return err
	}
	entry := raft.Log{Index: index + clearance, Term: term + 1, Type: raft.LogCommand, Data: last, AppendedAt: time.Now()}
	h := &heir{FSM: fsm, last: entry.Index, accept: func() error {
		// The term of the entry is this node's own from here on: it voted for
		// nobody in it, so nobody else leads in it who has not forked as well.
		return s.Stable.SetUint64(keyTerm, entry.Term)
	}}
	// A configuration of its own: raft marks those it recovers with.
	err = raft.RecoverCluster(raftConfig(n.config, nil), h, &extended{s.Log, index, entry}, s.Stable, s.Snapshots, n.transport.Load(),
		raft.Configuration{Servers: []raft.Server{server(n.id)}})
	if h.refused != nil {
		return h.refused
	}
	if err != nil {
		return fmt.Errorf("recover as the only voter: %w", err)
	}
	return nil
}

// pairedWith checks Raft's newest configuration, committed or not. Where this
// node does not vote in it, or not only the peer beside it, others may have
// committed what this node never heard of.
func (n *Node) pairedWith(peer string) error {
	servers, err := n.Servers()
	if err != nil {
		return err
	}
	var voters []string
	for _, s := range servers {
		if s.Voter {
			voters = append(voters, s.ID)
		}
	}
	if len(voters) != 2 || !slices.Contains(voters, n.id) || !slices.Contains(voters, peer) {
		return ErrNoPair
	}
	return nil
}

// takeLead makes this node stand for election now, which its own vote wins. An
// order to do so is otherwise a leader's that hands leadership over.
func (n *Node) takeLead(ctx context.Context) error {
	order := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
	n.transport.Load().enqueue(raft.RPC{Command: order, RespChan: make(chan raft.RPCResponse, 1)})
	select {
	case <-n.raft().LeaderCh():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("recovered as the only voter, not leading yet: %w", ctx.Err())
	}
}

// end is the index of the newest entry, and the newest term.
func (s Stores) end() (index, term uint64, err error) {
	if index, err = s.Log.LastIndex(); err != nil {
		return 0, 0, fmt.Errorf("find the log's end: %w", err)
	}
	snapshots, err := s.Snapshots.List()
	if err != nil {
		return 0, 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(snapshots) > 0 {
		index = max(index, snapshots[0].Index)
	}
	if term, err = s.Stable.GetUint64(keyTerm); err != nil {
		return 0, 0, fmt.Errorf("read the term: %w", err)
	}
	return index, term, nil
}

// An extended log has one more entry than is stored, and nothing of interest
// before that.
type extended struct {
	raft.LogStore
	stored uint64 // index of the last entry that is
	last   raft.Log
}

// LastIndex implements raft.LogStore.
func (e *extended) LastIndex() (uint64, error) { return e.last.Index, nil }

// GetLog implements raft.LogStore.
func (e *extended) GetLog(index uint64, into *raft.Log) error {
	switch {
	case index == e.last.Index:
		*into = e.last
	case index > e.stored:
		*into = raft.Log{Index: index, Term: e.last.Term, Type: raft.LogNoop}
	default:
		return e.LogStore.GetLog(index, into)
	}
	return nil
}

// DeleteRange implements raft.LogStore.
func (e *extended) DeleteRange(first, last uint64) error {
	last = min(last, e.stored)
	if first == 0 || first > last {
		return nil // nothing is stored
	}
	return e.LogStore.DeleteRange(first, last)
}

// An heir is an FSM that gives no snapshot unless it accepted its last command.
type heir struct {
	raft.FSM
	last    uint64
	accept  func() error // runs before the snapshot is taken
	refused error
}

// Apply implements raft.FSM.
func (h *heir) Apply(l *raft.Log) any {
	answer := h.FSM.Apply(l)
	if l.Index == h.last {
		h.refused, _ = answer.(error)
	}
	return answer
}

// Snapshot implements raft.FSM.
func (h *heir) Snapshot() (raft.FSMSnapshot, error) {
	if h.refused != nil {
		return nil, h.refused
	}
	if err := h.accept(); err != nil {
		return nil, fmt.Errorf("store the term: %w", err)
	}
	return h.FSM.Snapshot()
}
