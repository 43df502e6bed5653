package simulation

import (
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
)

// An audit compares the states that one process applies: the index only grows,
// and what refuses a command keeps every byte (S8).
type audit struct {
	last  state.Snapshot
	bytes [sha256.Size]byte // of last, in schedules that are audited
}

// apply looks at the next state, inside the store's own order.
func (a *audit) apply(m *machine, s state.Snapshot) {
	if s.Index < a.last.Index {
		m.world.violate("S8: %s went back from index %d to %d", m.id, a.last.Index, s.Index)
	}
	if m.world.audited() {
		a.compare(m, s)
	}
	if s.Index%agreeEvery == 0 && s.State != a.last.State {
		m.world.agree(m, s)
	}
	a.last = s
}

// agreeEvery is at how many indexes the machines' states are compared with each
// other: what differs once differs from then on.
const agreeEvery = 8

// compare checks that the last state, which is the present one after a refusal,
// was not modified since it was published.
func (a *audit) compare(m *machine, s state.Snapshot) {
	if a.last.State != nil && digest(a.last) != a.bytes {
		m.world.violate("S8: the state of index %d was modified on %s after it was published", a.last.Index, m.id)
	}
	a.bytes = digest(s)
}

func digest(s state.Snapshot) [sha256.Size]byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.State)
	if err != nil {
		panic(err) // a state that cannot be encoded could not be stored either
	}
	return sha256.Sum256(data)
}

// audited reports whether every state is looked at twice, which takes its time, so
// that few schedules do it.
func (w *world) audited() bool { return w.seed%16 == 0 }

// A place is an index in one of the logs into which forks divide a pair's.
type place struct {
	index uint64
	fork  string // the newest
}

// agree compares what machines hold at the same place.
func (w *world) agree(m *machine, s state.Snapshot) {
	at, is := place{index: s.Index}, digest(s)
	if forks := s.State.Forks; len(forks) > 0 {
		at.fork = forks[len(forks)-1].Id
	}
	w.mu.Lock()
	was, known := w.digests[at]
	w.digests[at] = is
	w.mu.Unlock()
	if known && was != is {
		w.violate("S2: %s holds another state at index %d than the machine before it", m.id, s.Index)
	}
}
