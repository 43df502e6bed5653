package consensus

import (
	"context"
	"log/slog"
	"os"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hashicorp/raft"
)

// syncsOf is the file that grows by a byte with each sync of a served directory.
func syncsOf(source string) string { return source + ".syncs" }

// A counted file or directory of a file system in user space tells of its syncs.
type counted struct {
	*fs.LoopbackNode
	syncs *os.File
}

func newCounted(source string) (fs.InodeEmbedder, error) {
	root, err := fs.NewLoopbackRoot(source)
	if err != nil {
		return nil, err
	}
	syncs, err := os.Create(syncsOf(source))
	if err != nil {
		return nil, err
	}
	return &counted{root.(*fs.LoopbackNode), syncs}, nil
}

// WrapChild implements fs.NodeWrapChilder.
func (c *counted) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &counted{child.(*fs.LoopbackNode), c.syncs}
}

// Fsync implements fs.NodeFsyncer.
func (c *counted) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	if _, err := c.syncs.Write([]byte{0}); err != nil {
		return syscall.EIO
	}
	if file, ok := f.(fs.FileFsyncer); ok {
		return file.Fsync(ctx, flags)
	}
	return 0 // a directory
}

// synced is how often something was synced so far.
func (s *slowable) synced(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(syncsOf(s.source))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// S2: what a store has confirmed counts for a commit, and must survive the power.
func TestS2WhatIsStoredIsSyncedBeforeThatIsSaid(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	disk := newSlowable(t)
	stores, err := OpenStores(disk.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	}()
	writes := []struct {
		what string
		do   func() error
	}{
		{"an entry", func() error { return stores.Log.StoreLog(&raft.Log{Index: 1}) }},
		{"entries", func() error { return stores.Log.StoreLogs([]*raft.Log{{Index: 2}, {Index: 3}}) }},
		{"the end of entries", func() error { return stores.Log.DeleteRange(3, 3) }},
		{"a term", func() error { return stores.Stable.SetUint64([]byte("CurrentTerm"), 7) }},
		{"a vote", func() error { return stores.Stable.Set([]byte("LastVoteCand"), []byte("n1")) }},
	}
	for _, w := range writes {
		before := disk.synced(t)
		if err := w.do(); err != nil {
			t.Fatalf("%s: %v", w.what, err)
		}
		if disk.synced(t) == before {
			t.Errorf("%s is said to be stored and was not synced", w.what)
		}
	}
}
