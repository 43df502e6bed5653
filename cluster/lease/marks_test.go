package lease

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A testimony that cannot be stored is not given: on a full disk that would keep
// the others from taking over from a node that is gone.
func TestATestimonyIsStoredOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	runtime.LockOSThread() // for good: the thread ends with this test, and its mounts with it
	err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err == nil {
		err = unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")
	}
	if err != nil {
		t.Skipf("no file system to fill: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // before the directory is removed
	path := filepath.Join(dir, "testimonies.json")
	f := NewFileMarks(path)
	if _, err := f.Load(); err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for epoch := range uint64(10) {
		if err := f.Save("b", epoch); err != nil {
			t.Fatalf("epoch %d: %v", epoch, err)
		}
		again := NewFileMarks(path)
		if m, err := again.Load(); err != nil || m["b"] != epoch {
			t.Errorf("loaded %v, %v; want epoch %d", m, err, epoch)
		}
	}
}
