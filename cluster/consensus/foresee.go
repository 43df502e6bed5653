package consensus

import (
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
	first, err := logs.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the log's first index: %w", err)
	}
	last, err := logs.LastIndex()
	if err != nil {
		return fmt.Errorf("read the log's last index: %w", err)
	}
	for i := max(first, 1); i <= last; i++ {
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
