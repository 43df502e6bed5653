package lease

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"quorate/cluster/clock"
)

// RawClock is the clock of leases; see [clock.Raw].
type RawClock = clock.Raw

// NoGuard is for hosts whose kernel cannot keep the lease.
type NoGuard struct{}

// Extend implements Guard.
func (NoGuard) Extend(time.Duration) error { return nil }

// Clear implements Guard.
func (NoGuard) Clear() error { return nil }

// Kept implements Guard.
func (NoGuard) Kept() bool { return false }

// FileMarks keeps testimonies in a file that is replaced whole and synced. A spare
// beside it takes the next, so that a full disk keeps nobody from testifying.
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
	_ = f.reserve() // on a full disk it is too late for that
	return maps.Clone(loaded), nil
}

// Save implements Marks. It is called by one goroutine, after Load.
func (f *FileMarks) Save(node string, epoch uint64) error {
	if f.marks == nil {
		return fmt.Errorf("%s: testimonies were not loaded", f.path)
	}
	f.marks[node] = max(f.marks[node], epoch)
	return f.store()
}

// store writes the spare and swaps it in.
func (f *FileMarks) store() error {
	data, err := json.Marshal(f.marks)
	if err != nil {
		return err
	}
	spare := f.path + ".spare"
	if err := overwrite(spare, data); err != nil {
		return err
	}
	if err := swap(spare, f.path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(f.path))
}

// reserve makes the room that Save needs, so that a testimony can be given while
// the disk is full: both files are as long as they will ever be.
func (f *FileMarks) reserve() error {
	for range 2 { // what the first swapped out is the second's spare
		if f.reserved() {
			return nil
		}
		if err := f.store(); err != nil {
			return err
		}
	}
	return nil
}

func (f *FileMarks) reserved() bool {
	for _, path := range []string{f.path, f.path + ".spare"} {
		if info, err := os.Stat(path); err != nil || info.Size() < marksRoom {
			return false
		}
	}
	return true
}

// marksRoom is how long the file is at least: for the ids of a hundred nodes.
const marksRoom = 8192

// overwrite writes and syncs a file in place, filled up with spaces: a file that
// is there already needs no further room on the disk.
func overwrite(path string, data []byte) error {
	if n := marksRoom - len(data); n > 0 {
		data = append(data, bytes.Repeat([]byte{' '}, n)...)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	if err == nil {
		err = file.Truncate(int64(len(data)))
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// swap puts a file in another's place in one step, and keeps the other as the
// spare where the file system can.
func swap(spare, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, spare, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(spare, path)
	}
	return err
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
