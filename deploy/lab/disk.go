package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mountDisks gives hosts disks of their own where the lab's description says
// so: in memory, in the supervisor's namespace, so that they keep their
// contents over a host's power cycles.
func mountDisks(d directory, s Spec) error {
	for _, h := range s.Hosts {
		if h.Disk == 0 {
			continue
		}
		if err := unix.Mount("lab", d.data(h.Name), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=0755,size=%dm", h.Disk)); err != nil {
			return fmt.Errorf("disk of %s: %w", h.Name, err)
		}
	}
	return nil
}

// filler is the file that fills a disk.
func (h *host) filler() string { return filepath.Join(h.dir.data(h.Name), "lab-filler") }

// fill writes until the host's disk is full.
func (h *host) fill() error {
	if h.Disk == 0 {
		return fmt.Errorf("%s has no disk of its own to fill; bring the lab up with one (--disk)", h.Name)
	}
	f, err := os.OpenFile(h.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err = f.Write(block); err != nil {
			block = block[:len(block)/2] // what is left is less
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func (h *host) filled() bool {
	_, err := os.Stat(h.filler())
	return err == nil
}

func (h *host) drain() error { return os.Remove(h.filler()) }
