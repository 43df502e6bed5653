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
	"golang.org/x/sys/unix"
)

// keptSnapshots is how many snapshots stay on disk: the newest, and one to
// fall back on should that be damaged.
const keptSnapshots = 2

// reserved is how much of the disk the log takes at once, so that a disk that
// fills up later has room for it. Raft keeps some ten thousand entries; that is
// about what they need.
const reserved = 32 << 20

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
	path := filepath.Join(dir, "raft.db")
	bolt, err := boltdb.New(boltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			FreelistType: bbolt.FreelistMapType, NoFreelistSync: true,
			MmapFlags: unix.MAP_POPULATE, // a fault on a disk that hangs would stop the whole process at the next collection
		},
	})
	if err != nil {
		return Stores{}, fmt.Errorf("open raft log: %w", err)
	}
	if err := reserve(path); err != nil {
		log.Info("no room reserved for the log: a full disk will take this node out of the consensus", "err", err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(filepath.Join(dir, "snapshots"), keptSnapshots, newLogger(log))
	if err != nil {
		return Stores{}, errors.Join(fmt.Errorf("open snapshots: %w", err), bolt.Close())
	}
	return Stores{Log: bolt, Stable: bolt, Snapshots: snapshots, close: bolt.Close}, nil
}

// reserve allocates the disk's blocks for a file without changing its length.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, reserved), f.Close())
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
