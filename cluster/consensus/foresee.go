package consensus

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// Foresee has fsm go through all entries in this node's log, known to be
// committed or not. Raft itself forgets at every
// start how far it had committed (hashicorp/raft keeps that nowhere), so that a
// node that hears nobody knows no more than its last snapshot. fsm is a copy of
// the state without side effects; it must skip what it holds already.
//
// Nothing that others must agree on may be derived from it: an entry at the end
// may yet be replaced.
func (n *Node) Foresee(fsm raft.FSM) error {
	logs := n.config.Stores.Log
	first, err := n.afterSnapshot()
	if err != nil {
		return err
	}
	last, err := logs.LastIndex()
	if err != nil {
		return fmt.Errorf("read the log's last index: %w", err)
	}
	for i := first; i <= last; i++ {
		var entry raft.Log
		if err := logs.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read entry %d of the log: %w", i, err)
		}
		if entry.Type == raft.LogCommand {
			fsm.Apply(&entry)
		}
	}
	return nil
}

// afterSnapshot is the first index that raft did not restore at its start. What
// is in the log before that is old, and may have gaps.
func (n *Node) afterSnapshot() (uint64, error) {
	first, err := n.config.Stores.Log.FirstIndex()
	if err != nil {
		return 0, fmt.Errorf("read the log's first index: %w", err)
	}
	list, err := n.config.Stores.Snapshots.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) > 0 {
		first = max(first, list[0].Index+1)
	}
	return max(first, 1), nil
}

// Committed is how far this node knows the log to be committed since its start.
func (n *Node) Committed() uint64 { return n.raft().CommitIndex() }

// LastCommand is the index of the newest command at or before index, zero if
// that is in a snapshot. It tells whether fsm has all that is committed, which
// Raft's applied index does not: that counts what was handed to fsm, done or not.
func (n *Node) LastCommand(index uint64) (uint64, error) {
	for ; index > 0; index-- {
		var entry raft.Log
		err := n.config.Stores.Log.GetLog(index, &entry)
		switch {
		case errors.Is(err, raft.ErrLogNotFound):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("read entry %d of the log: %w", index, err)
		case entry.Type == raft.LogCommand:
			return index, nil
		}
	}
	return 0, nil
}
