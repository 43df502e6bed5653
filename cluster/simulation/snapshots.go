package simulation

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// An image is a snapshot of Raft's on a disk.
type image struct {
	meta raft.SnapshotMeta
	data []byte
}

// diskSnapshots are Raft's snapshots on the disk, of which the newest counts.
type diskSnapshots struct{ *process }

var errNoSnapshot = errors.New("there is no such snapshot")

// Create implements raft.SnapshotStore.
func (s diskSnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	i := &image{meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d", term, index), Index: index, Term: term, Configuration: c, ConfigurationIndex: at,
	}}
	return &sink{process: s.process, image: i}, nil
}

// List implements raft.SnapshotStore.
func (s diskSnapshots) List() ([]*raft.SnapshotMeta, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.disk.image == nil {
		return nil, nil
	}
	meta := s.disk.image.meta
	return []*raft.SnapshotMeta{&meta}, nil
}

// Open implements raft.SnapshotStore.
func (s diskSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	i := s.disk.image
	if i == nil || i.meta.ID != id {
		return nil, nil, errNoSnapshot
	}
	meta := i.meta
	return &meta, io.NopCloser(bytes.NewReader(i.data)), nil
}

// A sink is a snapshot on its way to the disk, which it reaches whole or not at all.
type sink struct {
	bytes.Buffer
	process *process
	image   *image
}

// ID implements raft.SnapshotSink.
func (s *sink) ID() string { return s.image.meta.ID }

// Cancel implements raft.SnapshotSink.
func (s *sink) Cancel() error { return nil }

// Close implements raft.SnapshotSink.
func (s *sink) Close() error {
	s.image.data = s.Bytes()
	s.image.meta.Size = int64(len(s.image.data))
	return s.process.write("snapshot", func(d *disk) error {
		d.image = s.image
		return nil
	})
}
