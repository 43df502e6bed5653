package node

import (
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// A told is what a log has heard from a leader.
type told struct{ committed, command uint64 }

func (l *told) Committed() uint64 { return l.committed }

func (l *told) LastCommand(uint64) (uint64, error) { return l.command, nil }

// What raft handed over to be applied is not yet applied: a state in between,
// with one node of three, was once taken for the present one.
func TestAStateThatLagsBehindWhatIsCommittedIsNotCurrent(t *testing.T) {
	entry, err := proto.Marshal(&pb.Command{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name               string
		committed, command uint64
		applied            uint64
		current            bool
	}{
		{"nothing is applied yet", 0, 0, 1, false},
		{"no leader was heard", 40, 40, 40, false},
		{"a leader was heard, and nothing more applied", 62, 60, 40, false},
		{"applied up to the last command but one", 62, 60, 59, false},
		{"applied up to the last command", 62, 60, 60, true},
		{"all that was stored", 40, 40, 72, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := state.New()
			store.Apply(&raft.Log{Index: tt.applied, Data: entry})
			f := &foresight{store: store, stored: state.Snapshot{Index: 72}, log: &told{tt.committed, tt.command}, start: 40}
			if got := f.Current(); got != tt.current {
				t.Errorf("current: %v, want %v", got, tt.current)
			}
		})
	}
}
