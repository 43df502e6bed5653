package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mountLab makes the supervisor's view of the file system, which its hosts
// inherit: the machine's, read-only, with places of the lab's own in it.
func mountLab(log *slog.Logger, d directory) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := protect(string(d), "/tmp", "/dev"); err != nil {
		log.Warn("machine's files are not protected from the lab", "err", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := scratch("/run"); err != nil {
		return err
	}
	if err := scratch("/var/log"); err != nil {
		return err
	}
	if err := widen("/etc", "quorate/", "hosts"); err != nil {
		return err
	}
	return widen("/var/lib", "quorate/")
}

// protect makes everything read-only but the directories named.
func protect(except ...string) error {
	for _, dir := range except {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s: %w", dir, err)
		}
	}
	readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, readonly); err != nil {
		return fmt.Errorf("make / read-only: %w", err)
	}
	writable := &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	for _, dir := range except {
		err := unix.MountSetattr(unix.AT_FDCWD, dir, unix.AT_RECURSIVE, writable)
		if err != nil { // something below was read-only before us
			err = unix.MountSetattr(unix.AT_FDCWD, dir, 0, writable)
		}
		if err != nil {
			return fmt.Errorf("make %s writable: %w", dir, err)
		}
	}
	return nil
}

// scratch covers a directory with an empty one in memory.
func scratch(dir string) error {
	if err := unix.Mount("lab", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

// widen replaces dir by a copy whose entries are those of dir, and which has
// besides the named ones, empty: a file, or a directory if its name ends in a slash.
// They are where a host mounts its own; the machine itself may not have them.
func widen(dir string, names ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	stage := filepath.Join("/run", filepath.Base(dir)+".lab")
	if err := os.Mkdir(stage, 0o755); err != nil {
		return err
	}
	if err := scratch(stage); err != nil {
		return err
	}
	for _, name := range names {
		if err := touch(filepath.Join(stage, name), name[len(name)-1] == '/'); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := carry(dir, stage, e); err != nil {
			return err
		}
	}
	if err := unix.Mount(stage, dir, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return os.Remove(stage)
}

// carry makes one entry of dir visible in stage, unless stage has its own.
func carry(dir, stage string, e fs.DirEntry) error {
	from, to := filepath.Join(dir, e.Name()), filepath.Join(stage, e.Name())
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	if e.Type()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if err := touch(to, e.IsDir()); err != nil {
		return err
	}
	err := bind(from, to)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(to) // it went away while we looked
	}
	return err
}

func touch(path string, directory bool) error {
	if directory {
		return os.Mkdir(path, 0o755)
	}
	return os.WriteFile(path, nil, 0o644)
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", from, to, err)
	}
	return nil
}

// mountHost makes one host's view: its own processes, network, /run and disk.
func mountHost(log *slog.Logger, d directory, host string) error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_RDONLY, ""); err != nil {
		log.Info("no /sys of its own", "node", host, "err", err) // a masked /sys, in a container
	}
	return errors.Join(
		scratch("/run"), os.Mkdir("/run/lock", 0o1777), scratch("/var/log"),
		bind(d.etc(host), "/etc/quorate"),
		bind(d.data(host), "/var/lib/quorate"),
		bind(d.hosts(), "/etc/hosts"),
	)
}
