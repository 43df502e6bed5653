// Package state turns committed commands into the state of the cluster.
//
// [Step] is the whole of it: a pure function from a state and a command to the
// next state, or to a [Refusal]. It reads no clock but Command.proposed_at and
// visits everything in the order of the sorted lists, so every node that
// applies the same log holds the same bytes. A refused command changes nothing
// (S8). A [Store] keeps the newest state for one node and is the FSM of Raft.
//
// States are immutable once published: readers keep them as long as they like
// and must not modify them. Step shares with the old state what it leaves
// unchanged.
//
// What is refused here is refused for all: the rules of the lease protocol that
// speak of committed state (3, 5, 14, 19, 20), one owner for each resource (S1)
// and no start before the stop (S4) hold whatever the leader proposes.
package state

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// Level is the highest feature level that this build applies.
//
//	1: the first release.
const Level = 1

var _ raft.FSM = (*Store)(nil)

// A Store holds the newest state. Apply, Snapshot and Restore are Raft's to
// call, one at a time; all other methods may be called from anywhere.
type Store struct {
	published atomic.Pointer[publication]

	order     sync.Mutex // one publication after the other; never held by readers
	observers []func(Snapshot)
}

// A Snapshot is the state after the log entry Index. It must not be modified.
type Snapshot struct {
	State *pb.State
	Index uint64 // of the newest entry seen, refused ones included
}

type publication struct {
	Snapshot
	changed chan struct{} // closed once State is no longer the newest
}

// New returns the store of a node that is in no cluster.
func New() *Store {
	s := &Store{}
	s.published.Store(&publication{
		Snapshot: Snapshot{State: &pb.State{}},
		changed:  make(chan struct{}),
	})
	return s
}

// Get returns the newest state. It never waits.
func (s *Store) Get() Snapshot {
	return s.published.Load().Snapshot
}

// Changed returns a channel that is closed when the present state is replaced.
// Take it before Get, so that no change falls between the two.
func (s *Store) Changed() <-chan struct{} {
	return s.published.Load().changed
}

// Observe calls f with the present state at once and with the newest inside
// every Apply and Restore from then on, refused entries included (their State
// is the same, their Index newer). f must be quick, do no I/O, and call nothing
// of the store but Get and Changed. Readers of Changed wake up after f returned.
func (s *Store) Observe(f func(Snapshot)) {
	s.order.Lock()
	defer s.order.Unlock()
	s.observers = append(s.observers, f)
	f(s.Get())
}

// Branch returns a store of its own that begins with the present state.
func (s *Store) Branch() *Store {
	b := New()
	b.publish(s.Get())
	return b
}

// Apply changes the state by one committed entry. It returns an *[Applied] or a
// *[Refusal]. An entry that this build cannot decode ends the process: Raft
// would go on to the next one, and the nodes would diverge.
//
// An entry that the state holds already changes nothing and has no answer: Raft,
// started again in the same process, goes through those that it finds stored.
func (s *Store) Apply(l *raft.Log) any {
	if l.Index <= s.Get().Index {
		return nil
	}
	c := &pb.Command{}
	if err := proto.Unmarshal(l.Data, c); err != nil {
		panic(fmt.Sprintf("apply entry %d: %v", l.Index, err))
	}
	return s.apply(l.Index, c)
}

// apply takes the command over: parts of it become parts of the state.
func (s *Store) apply(index uint64, c *pb.Command) any {
	s.order.Lock()
	defer s.order.Unlock()
	next, applied, err := step(s.Get().State, index, c)
	if err != nil {
		s.publish(Snapshot{State: s.Get().State, Index: index})
		return err
	}
	s.publish(Snapshot{State: next, Index: index})
	return applied
}

// publish makes a snapshot the newest. The caller holds order.
func (s *Store) publish(next Snapshot) {
	old := s.published.Load()
	p := &publication{Snapshot: next, changed: old.changed}
	if next.State != old.State {
		p.changed = make(chan struct{})
	}
	s.published.Store(p)
	for _, f := range s.observers {
		f(next)
	}
	if p.changed != old.changed {
		close(old.changed)
	}
}

// Snapshot returns the present state for Raft to keep. It copies nothing.
func (s *Store) Snapshot() (raft.FSMSnapshot, error) {
	return image(s.Get()), nil
}

// An image is a snapshot on its way to the disk: one line of text with the
// format's version and the index, then the encoded state.
type image Snapshot

const header = "quorate snapshot 1 index %d\n"

// Persist writes the state. Equal states give equal bytes.
func (i image) Persist(sink raft.SnapshotSink) error {
	if err := i.write(sink); err != nil {
		_ = sink.Cancel() // the write error is the one to tell
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("close snapshot: %w", err)
	}
	return nil
}

func (i image) write(w io.Writer) error {
	data, err := encode(i.State)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, header, i.Index); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Release is Raft's last word to a snapshot; there is nothing to release.
func (image) Release() {}

func encode(s *pb.State) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(s)
}

// Restore replaces the state by a stored one, whole: nobody sees anything
// between the two. One that is older than the present state is passed over, as
// Apply passes over entries. After an error the store is as it was.
func (s *Store) Restore(from io.ReadCloser) error {
	defer from.Close()
	restored, err := read(from)
	if err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	s.order.Lock()
	defer s.order.Unlock()
	if restored.Index >= s.Get().Index {
		s.publish(restored)
	}
	return nil
}

func read(from io.Reader) (Snapshot, error) {
	r := bufio.NewReader(from)
	line, err := r.ReadString('\n')
	if err != nil {
		return Snapshot{}, fmt.Errorf("read header: %w", err)
	}
	restored := Snapshot{State: &pb.State{}}
	if _, err := fmt.Sscanf(line, header, &restored.Index); err != nil {
		return Snapshot{}, fmt.Errorf("header %q is not of this version: %w", line, err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read state: %w", err)
	}
	if err := proto.Unmarshal(data, restored.State); err != nil {
		return Snapshot{}, fmt.Errorf("decode state: %w", err)
	}
	if restored.State.Level > Level {
		return Snapshot{}, fmt.Errorf("feature level %d is newer than this build's %d; install a newer quorate", restored.State.Level, Level)
	}
	return restored, nil
}
