package consensus

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// A handover keeps transfers of leadership apart.
type handover struct {
	turn    chan struct{} // holds a token while one runs; Shutdown keeps it: raft never answers one that it overtook
	timeout time.Duration // of one, in raft: Timing.Election

	// The newest one that was not answered in time. It belongs to who holds turn.
	slow struct {
		term uint64
		at   time.Time
	}
}

// handoverRest is how long a transfer that was not answered in time may hang in
// raft: a call of a second to a peer that does not answer, and the longest pause
// after it.
const handoverRest = 12 * time.Second

const handoverAttempts = 3

var errHandoverHangs = errors.New("the last attempt is not over")

// TransferLeadership hands leadership to the most current voter, if this node
// leads. It tries three times: a transfer fails when that voter is just then
// unreachable.
func (n *Node) TransferLeadership() error {
	n.handover.turn <- struct{}{}
	defer func() { <-n.handover.turn }()
	return n.handOver(handoverAttempts, n.toAnybody)
}

// TransferLeadershipTo hands leadership to one voter, if this node leads. It tries
// once.
func (n *Node) TransferLeadershipTo(id string) error {
	n.handover.turn <- struct{}{}
	defer func() { <-n.handover.turn }()
	return n.handOver(1, func() raft.Future {
		return n.raft().LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(id))
	})
}

func (n *Node) toAnybody() raft.Future { return n.raft().LeadershipTransfer() }

// handOver does not begin a transfer while another may hang: if the term ended
// before raft got to it, the node would refuse all changes the next time it
// leads, and could not hand that over either (hashicorp/raft 1.7.3; see
// docs/bugs.md).
func (n *Node) handOver(attempts int, transfer func() raft.Future) error {
	var err error
	for range attempts {
		term, began, slow := n.Term(), time.Now(), &n.handover.slow
		switch {
		case n.raft().State() != raft.Leader:
			return nil
		case n.Hang() != nil: // raft would not answer, and a successor is told (see attend)
			return fmt.Errorf("hand over leadership: %w", n.Hang())
		case slow.term == term && began.Sub(slow.at) < handoverRest:
			return fmt.Errorf("hand over leadership: %w", errors.Join(errHandoverHangs, err))
		}
		if err = transfer().Error(); err == nil {
			return nil
		}
		if time.Since(began) >= n.handover.timeout {
			slow.term, slow.at = term, began
		}
	}
	return fmt.Errorf("hand over leadership: %w", err)
}

// Shutdown hands leadership over where it can and leaves the elections. Its
// membership stays: stopping is not leaving.
//
// While the disk hangs it gives up after shutdownPatience: what raft is writing
// then ends with the process.
func (n *Node) Shutdown() error {
	var late <-chan time.Time
	if n.Hang() != nil {
		late = time.After(shutdownPatience)
	}
	select {
	case n.handover.turn <- struct{}{}:
		defer func() { <-n.handover.turn }() // raft is no leader any more
	case <-late:
		return fmt.Errorf("shut raft down: %w", errDiskHangs)
	}
	n.over = true
	if err := n.handOver(handoverAttempts, n.toAnybody); err != nil {
		n.log.Info("leadership not handed over", "err", err)
	}
	answered := n.Hang() == nil && n.pending.shut(shutdownPatience)
	down := n.raft().Shutdown()
	if !n.disk.idle(shutdownPatience) {
		return fmt.Errorf("shut raft down: %w", errors.Join(errDiskHangs, n.transport.Load().Close()))
	}
	if err := down.Error(); err != nil {
		return fmt.Errorf("shut raft down: %w", err)
	}
	if answered {
		n.pending.answers.Wait()
	}
	return nil
}

// shutdownPatience is how long Shutdown waits for the disk.
const shutdownPatience = 2 * time.Second
