package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	pb "quorate/proto/quorate/v1"
)

// A sink keeps a snapshot in memory and may fail after some bytes.
type sink struct {
	bytes.Buffer
	room             int
	closed, canceled bool
}

var errFull = errors.New("disk full")

func (s *sink) Write(p []byte) (int, error) {
	if s.Len()+len(p) > s.room {
		return 0, errFull
	}
	return s.Buffer.Write(p)
}

func (s *sink) ID() string    { return "test" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.canceled = true; return nil }

func persist(t rapid.TB, s *Store, room int) (*sink, error) {
	t.Helper()
	image, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer image.Release()
	to := &sink{room: room}
	return to, image.Persist(to)
}

func restored(t rapid.TB, from *Store) *Store {
	t.Helper()
	saved, err := persist(t, from, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	s := New()
	if err := s.Restore(io.NopCloser(&saved.Buffer)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSnapshotRestoresStateAndIndex(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a\ndone vip a\n! start vip b")
	s := restored(t, c.store)
	if got, want := s.Get(), c.store.Get(); got.Index != want.Index || !bytes.Equal(encoded(t, got.State), encoded(t, want.State)) {
		t.Errorf("restored %d %v\nwant %d %v", got.Index, got.State, want.Index, want.State)
	}
	saved, err := persist(t, c.store, 1<<30)
	if err != nil || !saved.closed || saved.canceled {
		t.Errorf("persist: %v, closed %t, canceled %t", err, saved.closed, saved.canceled)
	}
	if want := fmt.Sprintf("quorate snapshot 1 index %d\n", c.index); !strings.HasPrefix(saved.String(), want) {
		t.Errorf("snapshot begins with %q, want %q", saved.String()[:40], want)
	}
}

func TestSnapshotIsOfItsMoment(t *testing.T) {
	c := newCluster(t)
	want := encoded(t, c.state())
	image, err := c.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	c.run("start vip a\ndone vip a\ndelete db")
	to := &sink{room: 1 << 30}
	if err := image.Persist(to); err != nil {
		t.Fatal(err)
	}
	if _, got, _ := bytes.Cut(to.Bytes(), []byte("\n")); !bytes.Equal(got, want) {
		t.Error("a snapshot written later holds what was changed since")
	}
}

func TestSnapshotThatCannotBeWrittenIsCanceled(t *testing.T) {
	c := newCluster(t)
	for _, room := range []int{0, 100} {
		to, err := persist(t, c.store, room)
		if !errors.Is(err, errFull) || !to.canceled || to.closed {
			t.Errorf("room %d: %v, canceled %t, closed %t", room, err, to.canceled, to.closed)
		}
	}
}

func TestRestoreRefusesWhatItCannotRead(t *testing.T) {
	newer, err := proto.Marshal(&pb.State{Level: Level + 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty":         "",
		"cut short":     "quorate snapsh",
		"other format":  "quorate snapshot 2 index 7\n",
		"no state":      "quorate snapshot 1 index 7\n\xff\xff",
		"a newer level": "quorate snapshot 1 index 100\n" + string(newer),
	} {
		c := newCluster(t)
		before := c.store.Get()
		if err := c.store.Restore(io.NopCloser(strings.NewReader(data))); err == nil {
			t.Errorf("%s: restored", name)
		}
		if c.store.Get() != before {
			t.Errorf("%s: the state was changed", name)
		}
	}
}

func TestApplyEndsTheProcessRatherThanDiverge(t *testing.T) {
	level, err := proto.Marshal(&pb.Command{Level: Level + 1, Body: &pb.Command_Record{Record: &pb.Record{}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"not a command":      {0xff},
		"an unknown command": {}, // its body is a field that this build does not know
		"a newer level":      level,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was applied", name)
				}
			}()
			newCluster(t).store.Apply(&raft.Log{Index: 100, Data: data})
		}()
	}
}

func TestLevelOnlyRises(t *testing.T) {
	c := newCluster(t)
	for _, level := range []uint32{0, 1, 0} {
		cmd := c.command([]string{"restart", "vip"})
		cmd.Level = level
		if err := c.propose(cmd); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.state().Level; got != 1 {
		t.Errorf("level is %d, want 1", got)
	}
}

func TestChangedIsClosedByAcceptedCommandsAlone(t *testing.T) {
	c := newCluster(t)
	changed := c.store.Changed()
	c.run("! start vip z")
	select {
	case <-changed:
		t.Fatal("a refused command woke the readers")
	default:
	}
	if c.store.Changed() != changed || c.store.Get().Index != c.index {
		t.Errorf("after a refusal: another channel, or index %d instead of %d", c.store.Get().Index, c.index)
	}
	c.run("start vip a")
	select {
	case <-changed:
	default:
		t.Fatal("an accepted command did not wake the readers")
	}
	if err := c.store.Restore(io.NopCloser(strings.NewReader("quorate snapshot 1 index 100\n"))); err != nil {
		t.Fatal(err)
	}
	if got := c.store.Get(); got.Index != 100 || got.State.ClusterId != "" {
		t.Errorf("restored an empty state to %v", got)
	}
}

func TestObserversSeeEveryEntryBeforeReadersWake(t *testing.T) {
	c := newCluster(t)
	changed := c.store.Changed()
	var seen []uint64
	c.store.Observe(func(s Snapshot) {
		seen = append(seen, s.Index)
		if s != c.store.Get() {
			t.Errorf("observer was given index %d, and Get returns %d", s.Index, c.store.Get().Index)
		}
		select {
		case <-changed:
			t.Error("readers woke before the observer had returned")
		default:
		}
	})
	first := c.index
	c.run("! start vip z")
	c.run("start vip a")
	if want := []uint64{first, first + 1, first + 2}; fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("observer saw %v, want %v", seen, want)
	}
	changed = nil
	if err := c.store.Restore(io.NopCloser(strings.NewReader("quorate snapshot 1 index 100\n"))); err != nil {
		t.Fatal(err)
	}
	if last := seen[len(seen)-1]; last != 100 {
		t.Errorf("after a restore the observer saw %d, want 100", last)
	}
}

func TestReadersNeverMissAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		last := c.index + 50
		var reader sync.WaitGroup
		reader.Go(func() {
			for {
				changed := c.store.Changed()
				if c.store.Get().Index >= last {
					return
				}
				<-changed
			}
		})
		for range 50 {
			c.run("restart vip")
		}
		reader.Wait() // a missed change is a deadlock of the bubble
	})
}

// A field that shallow forgets would be lost by every command.
func TestDraftsCopyEveryField(t *testing.T) {
	s := &pb.State{}
	fill(s.ProtoReflect(), 3)
	s.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1}) // a field of a later release
	if got := shallow(s); !proto.Equal(got, s) {
		t.Errorf("shallow copied\n%v\nof\n%v", got, s)
	}
}

// fill sets every field to something.
func fill(m protoreflect.Message, depth int) {
	if depth == 0 {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("k").MapKey(), protoreflect.ValueOfString("v"))
		case f.IsList() && f.Message() != nil:
			fill(m.Mutable(f).List().AppendMutable().Message(), depth-1)
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString("s"))
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), depth-1)
		case f.Kind() == protoreflect.StringKind:
			m.Set(f, protoreflect.ValueOfString("s"))
		case f.Kind() == protoreflect.Uint64Kind:
			m.Set(f, protoreflect.ValueOfUint64(7))
		case f.Kind() == protoreflect.Uint32Kind:
			m.Set(f, protoreflect.ValueOfUint32(7))
		}
	}
}

func TestEventsAreARing(t *testing.T) {
	c := newCluster(t)
	first := c.state().LastEvent
	several := &pb.Record{}
	for range 600 {
		several.Events = append(several.Events, &pb.Event{Kind: "failover", Text: "because"})
	}
	for range 2 {
		if err := c.propose(&pb.Command{Body: &pb.Command_Record{Record: several}}); err != nil {
			t.Fatal(err)
		}
	}
	events := c.state().Events
	if len(events) != 1000 || events[999].Id != first+1200 || events[0].Id != first+201 {
		t.Errorf("%d events, from %d to %d", len(events), events[0].Id, events[len(events)-1].Id)
	}
	if e := events[999]; e.Index != c.index || e.At == nil {
		t.Errorf("event %v lacks its index or time", e)
	}
	if err := c.propose(&pb.Command{Body: &pb.Command_Record{Record: &pb.Record{}}}); err == nil {
		t.Error("a record of nothing was accepted")
	}
}

func TestQueriesOfWhatIsNotThere(t *testing.T) {
	for _, s := range []*pb.State{nil, {}, newCluster(t).state()} {
		if NodeByID(s, "z") != nil || NodeByName(s, "z") != nil || ResourceByID(s, "z") != nil || GroupByID(s, "z") != nil ||
			GroupOf(s, "z") != nil || Members(s, "z") != nil || ConstraintByID(s, "z") != nil || AssignmentOf(s, "z") != nil ||
			InstanceOf(s, "z", "z") != nil || OperationByID(s, 9) != nil || OperationOn(s, "z", "z") != nil || Votes(s, "z") {
			t.Errorf("something was found in %v", s)
		}
		if got := NodeName(s, "z"); got != "z" {
			t.Errorf("the name of an unknown node is %q, want its id", got)
		}
	}
}

func TestRefusalSaysFieldProblemAndFix(t *testing.T) {
	for want, r := range map[string]*Refusal{
		"node: it is off; switch it on": {Precondition, "node", "it is off", "switch it on"},
		"node: it is off":               {Precondition, "node", "it is off", ""},
		"it is off":                     {Problem: "it is off"},
	} {
		if got := r.Error(); got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
}

func TestAStoreSkipsWhatItHolds(t *testing.T) {
	c := newCluster(t)
	c.run("start vip a")
	had := c.store.Get()
	branch := c.store.Branch()
	if err := branch.Restore(io.NopCloser(strings.NewReader("quorate snapshot 1 index 1\n"))); err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(c.command([]string{"start", "db", "a"}))
	if err != nil {
		t.Fatal(err)
	}
	if answer := branch.Apply(&raft.Log{Index: had.Index, Data: data}); answer != nil || branch.Get() != had {
		t.Errorf("an entry that the state holds was answered by %v and led to index %d", answer, branch.Get().Index)
	}
	if _, ok := branch.Apply(&raft.Log{Index: had.Index + 1, Data: data}).(*Applied); !ok || c.store.Get() != had {
		t.Error("the branch does not go on by itself from where the store is")
	}
}
