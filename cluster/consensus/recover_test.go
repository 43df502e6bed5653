package consensus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// A ledger is an FSM that keeps the actors of the commands, and refuses those of
// "nobody". It skips what it holds.
type ledger struct {
	mu    sync.Mutex
	Index uint64
	Lines []string
}

func (l *ledger) Apply(entry *raft.Log) any {
	c := &pb.Command{}
	if err := proto.Unmarshal(entry.Data, c); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if entry.Index <= l.Index {
		return nil
	}
	l.Index = entry.Index
	if c.Actor == "nobody" {
		return errRefused
	}
	l.Lines = append(l.Lines, c.Actor)
	return len(l.Lines)
}

var errRefused = errors.New("refused")

func (l *ledger) Snapshot() (raft.FSMSnapshot, error) { return l.copy(), nil }

func (l *ledger) copy() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{Index: l.Index, Lines: slices.Clone(l.Lines)}
}

func (l *ledger) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode(l); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (l *ledger) Release() {}

func (l *ledger) Restore(from io.ReadCloser) error {
	stored := &ledger{}
	if err := json.NewDecoder(from).Decode(stored); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if stored.Index >= l.Index {
		l.Index, l.Lines = stored.Index, stored.Lines
	}
	return nil
}

// storage is a node's disk that stops writing at a chosen step: its power fails.
type storage struct {
	*raft.InmemStore
	snapshots *snapshots
	steps     int // writes so far
	fails     int // from which on writes fail; 0: none does
}

var errPower = errors.New("power failed")

func newStorage() *storage {
	s := &storage{InmemStore: raft.NewInmemStore()}
	s.snapshots = &snapshots{storage: s}
	return s
}

func (s *storage) step() error {
	s.steps++
	if s.fails > 0 && s.steps >= s.fails {
		return errPower
	}
	return nil
}

func (s *storage) StoreLogs(logs []*raft.Log) error {
	return errors.Join(s.step(), s.InmemStore.StoreLogs(logs))
}

func (s *storage) SetUint64(key []byte, v uint64) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.InmemStore.SetUint64(key, v)
}

func (s *storage) DeleteRange(first, last uint64) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.InmemStore.DeleteRange(first, last)
}

// snapshots keeps the newest one. It is in place when it is closed, not before.
type snapshots struct {
	storage *storage
	newest  *snapshot
}

type snapshot struct {
	owner *snapshots
	meta  raft.SnapshotMeta
	bytes.Buffer
}

func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &snapshot{owner: s, meta: raft.SnapshotMeta{
		Version: version, ID: "snapshot", Index: index, Term: term, Configuration: c, ConfigurationIndex: at,
	}}, s.storage.step()
}

func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	if s.newest == nil {
		return nil, nil
	}
	return []*raft.SnapshotMeta{&s.newest.meta}, nil
}

func (s *snapshots) Open(string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return &s.newest.meta, io.NopCloser(bytes.NewReader(s.newest.Bytes())), nil
}

func (s *snapshot) ID() string    { return s.meta.ID }
func (s *snapshot) Cancel() error { return nil }

func (s *snapshot) Close() error {
	if err := s.owner.storage.step(); err != nil {
		return err
	}
	s.meta.Size = int64(s.Len())
	s.owner.newest = s
	return nil
}

// A member is one node of a pair.
type member struct {
	*Node
	disk   *storage
	ledger *ledger
	stop   func()
}

// pair is two voters on an in-memory network, inside a bubble.
type pair struct {
	t    *testing.T
	a, b *member
	mu   sync.Mutex
	nets map[string]*raft.InmemTransport // the newest of each node
	cut  bool
}

func onPair(t *testing.T, f func(*pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t, nets: map[string]*raft.InmemTransport{}}
		p.a, p.b = p.start("a", newStorage()), p.start("b", newStorage())
		if err := p.a.Bootstrap(); err != nil {
			t.Fatal(err)
		}
		p.lead(p.a)
		if err := p.a.AddVoter("b"); err != nil {
			t.Fatal(err)
		}
		p.write(p.a, "one")
		time.Sleep(time.Second)
		f(p)
		for _, m := range []*member{p.a, p.b} {
			m.end()
		}
	})
}

func (p *pair) start(id string, disk *storage) *member {
	p.t.Helper()
	m := &member{disk: disk, ledger: &ledger{}}
	var err error
	m.Node, err = Start(Config{
		ID: id, FSM: m.ledger, Timing: LAN, Log: slog.New(slog.DiscardHandler),
		Stores:    Stores{Log: disk, Stable: disk, Snapshots: disk.snapshots},
		Transport: func(<-chan struct{}) Transport { return p.connect(id) },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	var leading sync.WaitGroup
	leading.Go(func() {
		_ = m.Lead(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	m.stop = func() { cancel(); leading.Wait() }
	return m
}

// connect makes a node's end of the network anew.
func (p *pair) connect(id string) Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, p.nets[id] = raft.NewInmemTransport(raft.ServerAddress(id))
	p.wire()
	return plain{p.nets[id]}
}

// wire connects what is not cut. p.mu is held.
func (p *pair) wire() {
	for id, from := range p.nets {
		from.DisconnectAll()
		for other, to := range p.nets {
			if id == other || !p.cut {
				from.Connect(raft.ServerAddress(other), to)
			}
		}
	}
}

func (p *pair) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	p.wire()
}

func (m *member) end() {
	m.stop()
	_ = m.raft().Shutdown().Error()
}

func (p *pair) lead(m *member) {
	p.t.Helper()
	for range 200 {
		if m.raft().State() == raft.Leader {
			return
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	p.t.Fatalf("%s does not lead", m.id)
}

func (p *pair) write(m *member, line string) {
	p.t.Helper()
	if _, err := m.Propose(p.t.Context(), &pb.Command{Actor: line}); err != nil {
		p.t.Fatalf("write %s: %v", line, err)
	}
}

func (p *pair) want(m *member, lines ...string) {
	p.t.Helper()
	time.Sleep(2 * time.Second)
	if got := m.ledger.copy().Lines; !slices.Equal(got, lines) {
		p.t.Errorf("%s holds %q, want %q", m.id, got, lines)
	}
}

// alone makes a node go on alone, with a line that says so.
func (p *pair) alone(m *member, peer, line string) error {
	return m.Recover(p.t.Context(), peer, m.ledger.copy(), &pb.Command{Actor: line})
}

func TestOneOfAPairGoesOnAloneAtOnce(t *testing.T) {
	onPair(t, func(p *pair) {
		p.setCut(true)
		began := time.Now()
		if err := p.alone(p.a, "b", "a alone"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 20*time.Millisecond { // virtual: what was waited for
			t.Errorf("it took %v", took)
		}
		p.write(p.a, "two")
		term := p.a.Term()
		p.setCut(false)
		time.Sleep(5 * time.Second)
		if p.a.Term() != term {
			t.Errorf("the returning peer raised the term from %d to %d", term, p.a.Term())
		}
		if err := p.a.AddReplica("b"); err != nil {
			t.Fatal(err)
		}
		p.want(p.b, "one", "a alone", "two")
		if err := p.a.AddVoter("b"); err != nil {
			t.Fatal(err)
		}
		p.write(p.a, "three")
		p.want(p.b, "one", "a alone", "two", "three")
	})
}

func TestAFollowerThatGoesOnAloneKeepsWhatItsPeerCommitted(t *testing.T) {
	onPair(t, func(p *pair) {
		p.write(p.a, "committed") // b has it, and may not know that it is committed
		p.setCut(true)
		p.a.raft().Apply(nil, 0) // a alone has this
		if err := p.alone(p.b, "a", "b alone"); err != nil {
			t.Fatal(err)
		}
		p.write(p.b, "two")
		p.setCut(false)
		time.Sleep(time.Second)
		if err := p.b.AddReplica("a"); err != nil {
			t.Fatal(err)
		}
		p.want(p.b, "one", "committed", "b alone", "two")
		p.want(p.a, "one", "committed", "b alone", "two")
	})
}

func TestARefusedRecoveryChangesNothing(t *testing.T) {
	onPair(t, func(p *pair) {
		p.setCut(true)
		if err := p.alone(p.a, "b", "nobody"); !errors.Is(err, errRefused) {
			t.Errorf("the refused command led to %v", err)
		}
		if err := p.alone(p.a, "c", "x"); !errors.Is(err, ErrNoPair) {
			t.Errorf("without a stranger: %v, want ErrNoPair", err)
		}
		p.want(p.a, "one")
		p.setCut(false)
		time.Sleep(2 * time.Second)
		leader := p.a
		if p.b.raft().State() == raft.Leader {
			leader = p.b
		}
		p.write(leader, "two")
		p.want(p.a, "one", "two")
		p.want(p.b, "one", "two")
	})
}

func TestOnlyOneOfTwoVotersRecovers(t *testing.T) {
	onPair(t, func(p *pair) {
		if err := p.a.DemoteVoter("b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p.setCut(true)
		if err := p.alone(p.b, "a", "x"); !errors.Is(err, ErrNoPair) {
			t.Errorf("one without a vote: %v, want ErrNoPair", err)
		}
		if err := p.a.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if err := p.alone(p.a, "b", "x"); !errors.Is(err, errOver) {
			t.Errorf("one that was stopped: %v, want errOver", err)
		}
	})
}

// Whenever the power fails, the disk holds the old state or the whole new one.
func TestAPowerCutDuringRecoveryLeavesTheOldOrTheNewState(t *testing.T) {
	outcomes := map[int]int{} // by number of voters
	for step := 1; step <= 5; step++ {
		onPair(t, func(p *pair) {
			p.setCut(true)
			p.a.stop()
			if err := p.a.halt(); err != nil {
				t.Fatal(err)
			}
			disk := p.a.disk
			disk.steps, disk.fails = 0, step
			data, err := proto.Marshal(&pb.Command{Actor: "a alone"})
			if err != nil {
				t.Fatal(err)
			}
			_ = p.a.recover("b", p.a.ledger.copy(), data) // the machine is dead before it could tell
			disk.fails = 0
			p.a = p.start("a", disk)
			outcomes[p.comesBack(step)]++
		})
	}
	if outcomes[1] < 2 || outcomes[2] < 2 {
		t.Errorf("the cuts left %d new and %d old states: they do not fall on both sides of the step", outcomes[1], outcomes[2])
	}
}

// comesBack checks that a works on in its old or its new state, with b, and
// returns how many vote.
func (p *pair) comesBack(step int) (voters int) {
	servers, err := p.a.Servers()
	if err != nil {
		p.t.Fatal(err)
	}
	p.setCut(false)
	want := []string{"one"}
	if len(servers) == 1 {
		want = append(want, "a alone")
		p.lead(p.a)
		if err := p.a.AddReplica("b"); err != nil {
			p.t.Fatal(err)
		}
	}
	p.t.Logf("power fails at step %d: %d vote", step, len(servers))
	p.want(p.a, want...)
	p.want(p.b, want...)
	return len(servers)
}
