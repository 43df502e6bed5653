package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// RawClock is CLOCK_MONOTONIC_RAW: monotonic, and not slewed by NTP (lease
// protocol, H8).
type RawClock struct{}

// Now implements Clock.
func (RawClock) Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &t); err != nil {
		panic(fmt.Sprintf("read CLOCK_MONOTONIC_RAW: %v", err)) // Linux has it since 2.6.28
	}
	return time.Duration(t.Nano())
}

// NoGuard is for hosts whose kernel cannot keep the lease.
type NoGuard struct{}

// Extend implements Guard.
func (NoGuard) Extend(time.Duration) error { return nil }

// Clear implements Guard.
func (NoGuard) Clear() error { return nil }

// Kept implements Guard.
func (NoGuard) Kept() bool { return false }

// FileMarks keeps testimonies in a file that is replaced whole and synced.
type FileMarks struct {
	path  string
	marks map[string]uint64
}

// NewFileMarks names the file; it need not exist.
func NewFileMarks(path string) *FileMarks { return &FileMarks{path: path} }

// Load implements Marks. A file that cannot be read is an error: a voter that
// forgot a testimony could ack what it testified against.
func (f *FileMarks) Load() (map[string]uint64, error) {
	f.marks = nil
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte("{}"), nil
	}
	if err != nil {
		return nil, err
	}
	var loaded map[string]uint64
	if err := json.Unmarshal(data, &loaded); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	if loaded == nil {
		return nil, fmt.Errorf("%s: it holds no object", f.path)
	}
	f.marks = loaded
	return maps.Clone(loaded), nil
}

// Save implements Marks. It is called by one goroutine, after Load.
func (f *FileMarks) Save(node string, epoch uint64) error {
	if f.marks == nil {
		return fmt.Errorf("%s: testimonies were not loaded", f.path)
	}
	f.marks[node] = max(f.marks[node], epoch)
	data, err := json.Marshal(f.marks)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(f.path), ".marks-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // does nothing after the rename
	if _, err := temporary.Write(data); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), f.path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(f.path))
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
