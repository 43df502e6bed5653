package consensus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// keptSnapshots is how many snapshots stay on disk: the newest, and one to
// fall back on should that be damaged.
const keptSnapshots = 2

// Stores is where Raft keeps its log, its vote and its snapshots. Everything
// it holds is synced before it counts (S2).
type Stores struct {
	Log       raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore

	close func() error
}

// OpenStores opens, or makes, the stores in a directory.
func OpenStores(dir string, log *slog.Logger) (Stores, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Stores{}, fmt.Errorf("make raft directory: %w", err)
	}
	bolt, err := boltdb.New(boltdb.Options{
		Path:        filepath.Join(dir, "raft.db"),
		BoltOptions: &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true},
	})
	if err != nil {
		return Stores{}, fmt.Errorf("open raft log: %w", err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(filepath.Join(dir, "snapshots"), keptSnapshots, newLogger(log))
	if err != nil {
		return Stores{}, errors.Join(fmt.Errorf("open snapshots: %w", err), bolt.Close())
	}
	return Stores{Log: bolt, Stable: bolt, Snapshots: snapshots, close: bolt.Close}, nil
}

// Close ends the use of the stores. Raft must have been shut down.
func (s Stores) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// Fresh reports whether the stores hold nothing yet.
func (s Stores) Fresh() (bool, error) {
	has, err := raft.HasExistingState(s.Log, s.Stable, s.Snapshots)
	if err != nil {
		return false, fmt.Errorf("look for stored raft state: %w", err)
	}
	return !has, nil
}
