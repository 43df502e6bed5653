package consensus

import (
	"errors"

	"github.com/hashicorp/raft"
)

// A boundary is a log that also knows the last entry of the newest snapshot, as
// far as raft looks at it before it takes what follows: its index and its term.
//
// A follower that was sent a snapshot has no such entry in its log. It knows the
// entry for the end of its log as long as nothing follows; once something does,
// it refuses whoever begins there again (hashicorp/raft 1.7.3, appendEntries).
// A leader does so if its first entries after the snapshot arrive, but the
// answer is lost: it is refused, sends the snapshot again, and goes on so for
// ever, while neither the follower nor its lease makes any way. See docs/bugs.md.
//
// Nobody is sent the entry: a leader looks for the one before it first.
type boundary struct {
	raft.LogStore
	snapshots raft.SnapshotStore
}

// GetLog implements raft.LogStore.
func (b boundary) GetLog(index uint64, into *raft.Log) error {
	err := b.LogStore.GetLog(index, into)
	if !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	list, listErr := b.snapshots.List()
	if listErr != nil || len(list) == 0 || list[0].Index != index {
		return err
	}
	*into = raft.Log{Index: index, Term: list[0].Term, Type: raft.LogNoop}
	return nil
}
