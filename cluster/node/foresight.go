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
	log     commits
	start   uint64      // how far the log was known to be committed
	current atomic.Bool // for good
}

// commits is what a foresight asks of a [consensus.Node].
type commits interface {
	Committed() uint64
	LastCommand(index uint64) (uint64, error)
}

// foresee reads what is stored. What cannot be read is not foreseen: raft will
// say so when it needs it.
func foresee(store *state.Store, raft *consensus.Node, logger *slog.Logger) *foresight {
	b := store.Branch()
	if err := raft.Foresee(b); err != nil {
		logger.Info("stored log not read to its end", "err", err)
	}
	return &foresight{store: store, stored: b.Get(), log: raft, start: raft.Committed()}
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
	if applied := f.store.Get().Index; applied >= f.stored.Index || f.overtaken(applied) {
		f.current.Store(true)
	}
	return f.current.Load()
}

// overtaken reports whether a leader has said something to be committed since the
// start, and all of that was applied.
func (f *foresight) overtaken(applied uint64) bool {
	committed := f.log.Committed()
	if committed <= f.start {
		return false
	}
	last, err := f.log.LastCommand(committed)
	return err == nil && applied >= last
}
