package node

import (
	"log/slog"
	"sync/atomic"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
)

// A foresight is the committed state, or, as long as that lags behind it, what
// this node had stored when it started: all that one of two knows that has not
// heard the other yet.
type foresight struct {
	store   *state.Store
	stored  state.Snapshot
	raft    *consensus.Node
	start   uint64      // how far the log was known to be committed
	current atomic.Bool // for good
}

// foresee reads what is stored. What cannot be read is not foreseen: raft will
// say so when it needs it.
func foresee(store *state.Store, raft *consensus.Node, logger *slog.Logger) *foresight {
	b := store.Branch()
	if err := raft.Foresee(b); err != nil {
		logger.Info("stored log not read to its end", "err", err)
	}
	f := &foresight{store: store, stored: b.Get(), raft: raft}
	f.start, _ = raft.Progress()
	return f
}

// Get returns the committed state once it is current.
func (f *foresight) Get() state.Snapshot {
	if f.Current() {
		return f.store.Get()
	}
	return f.stored
}

// Changed is closed at the next change of the committed state.
func (f *foresight) Changed() <-chan struct{} { return f.store.Changed() }

// Current reports whether the committed state holds all that was stored at the
// start, or all that a leader has said since to be committed: the end of what was
// stored may have been replaced by less.
func (f *foresight) Current() bool {
	if f.current.Load() {
		return true
	}
	committed, applied := f.raft.Progress()
	if f.store.Get().Index >= f.stored.Index || committed > f.start && applied >= committed {
		f.current.Store(true)
	}
	return f.current.Load()
}
