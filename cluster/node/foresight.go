package node

import (
	"log/slog"

	"quorate/cluster/consensus"
	"quorate/cluster/state"
)

// A foresight is the committed state, or, as long as that lags behind it, what
// this node had stored when it started: all that one of two knows that has not
// heard the other yet.
type foresight struct {
	store  *state.Store
	stored state.Snapshot
}

// foresee reads what is stored. What cannot be read is not foreseen: raft will
// say so when it needs it.
func foresee(store *state.Store, raft *consensus.Node, logger *slog.Logger) *foresight {
	b := store.Branch()
	if err := raft.Foresee(b); err != nil {
		logger.Info("stored log not read to its end", "err", err)
	}
	return &foresight{store, b.Get()}
}

// Get returns the newer of the two.
func (f *foresight) Get() state.Snapshot {
	if now := f.store.Get(); now.Index >= f.stored.Index {
		return now
	}
	return f.stored
}

// Changed is closed at the next change of the committed state.
func (f *foresight) Changed() <-chan struct{} { return f.store.Changed() }

// Current reports whether all that was stored at the start is known to be
// committed, or replaced, by now.
func (f *foresight) Current() bool { return f.store.Get().Index >= f.stored.Index }
