package consensus

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// snapshotted are the stores of a node that was sent a snapshot up to index 10
// of term 2, and entries after it.
func snapshotted(t *testing.T) Stores {
	t.Helper()
	store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	_, wire := raft.NewInmemTransport("b")
	servers := raft.Configuration{Servers: []raft.Server{server("a"), server("b"), server("c")}}
	sink, err := snapshots.Create(raft.SnapshotVersionMax, 10, 2, servers, 1, wire)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&ledger{Index: 10}).Persist(sink); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		store.StoreLogs([]*raft.Log{{Index: 11, Term: 2, Type: raft.LogNoop}, {Index: 12, Term: 2, Type: raft.LogNoop}}),
		store.SetUint64(keyTerm, 2),
	)
	if err != nil {
		t.Fatal(err)
	}
	return Stores{Log: store, Stable: store, Snapshots: snapshots}
}

// S7: the answer to the first entries after a snapshot is lost, and the leader
// begins there again. Raft alone refuses it, for ever.
func TestALeaderMayBeginAgainAtTheEndOfASnapshot(t *testing.T) {
	_, wire := raft.NewInmemTransport("b")
	_, leader := raft.NewInmemTransport("a")
	leader.Connect("b", wire)
	n, err := Start(Config{
		ID: "b", FSM: &ledger{}, Stores: snapshotted(t), Timing: LAN, Log: slog.New(slog.DiscardHandler),
		Transport: func(<-chan struct{}) Transport { return wire },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	for _, tt := range []struct {
		name   string
		at     uint64
		term   uint64
		wanted bool
	}{
		{"the end of the snapshot", 10, 2, true},
		{"an entry after it", 11, 2, true},
		{"an entry before it", 9, 2, false},
		{"the end of another snapshot", 10, 1, false},
	} {
		var answer raft.AppendEntriesResponse
		err := leader.AppendEntries("b", "b", &raft.AppendEntriesRequest{
			RPCHeader:    raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a"), Addr: []byte("a")},
			Term:         uint64(time.Now().Year()), // newer than any election here
			PrevLogEntry: tt.at, PrevLogTerm: tt.term,
			Entries: []*raft.Log{{Index: tt.at + 1, Term: 2, Type: raft.LogNoop}},
		}, &answer)
		if err != nil || answer.Success != tt.wanted {
			t.Errorf("%s: success %v, %v; want %v", tt.name, answer.Success, err, tt.wanted)
		}
	}
}
