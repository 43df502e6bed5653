package consensus

import (
	"testing"

	"github.com/hashicorp/raft"
)

func TestTheLastCommandIsWhatTheStateCanHold(t *testing.T) {
	store := raft.NewInmemStore() // begins after a snapshot
	for i, kind := range []raft.LogType{raft.LogNoop, raft.LogCommand, raft.LogBarrier, raft.LogConfiguration, raft.LogCommand} {
		if err := store.StoreLog(&raft.Log{Index: uint64(11 + i), Type: kind}); err != nil {
			t.Fatal(err)
		}
	}
	n := &Node{config: Config{Stores: Stores{Log: store}}}
	for upTo, want := range map[uint64]uint64{0: 0, 10: 0, 11: 0, 12: 12, 14: 12, 15: 15} {
		if got, err := n.LastCommand(upTo); err != nil || got != want {
			t.Errorf("the last command up to %d: %d, %v, want %d", upTo, got, err, want)
		}
	}
}
