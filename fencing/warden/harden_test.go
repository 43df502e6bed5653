package warden

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// hardened starts a program as a warden that does nothing else, and returns its process.
func (g *guarded) hardened(program string) int {
	g.Helper()
	if os.Geteuid() != 0 {
		g.Skip("SKIPPED: needs root: a warden whose memory is locked was not tested")
	}
	c := exec.CommandContext(context.WithoutCancel(g.Context()), program, "warden", "--run-dir", g.dir, "--harden")
	c.Stderr = g.Output()
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() }) // killed, as asked
	eventually(g, "a warden", g.Alive)
	return c.Process.Pid
}

func TestAWardensMemoryIsLockedAndItsThreadsRunInRealTime(t *testing.T) {
	g := &guarded{T: t, dir: t.TempDir()}
	g.attach()
	pid := g.hardened(os.Args[0])
	if s := g.Status(); !s.Locked || !s.RealTime {
		if os.Getenv("CI") == "" {
			t.Skipf("SKIPPED: this root may not do it (locked %v, in real time %v): a container's?", s.Locked, s.RealTime)
		}
		t.Fatalf("locked %v, in real time %v, want both", s.Locked, s.RealTime)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(tasks) < threads {
		t.Errorf("%d threads (%v), want %d at least", len(tasks), err, threads)
	}
	for _, thread := range tasks {
		number, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		if attr, err := unix.SchedGetAttr(number, 0); err != nil || attr.Policy != unix.SCHED_RR || attr.Priority != realTimePriority {
			t.Errorf("thread %d is scheduled as %+v (%v), want SCHED_RR %d", number, attr, err, realTimePriority)
		}
	}
	unlocked(t, pid)
}

// unlocked finds parts of a program that are not in memory as a whole, or not locked
// there (proc_pid_smaps(5)).
func unlocked(t *testing.T, pid int) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var part string // of the program; empty: the lines are of something else
	var size, parts int
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") {
			part = ""
			if _, length, ok := ofProgram([]byte(line)); ok {
				part, size = strings.TrimSpace(line), length>>10
				parts++
			}
		}
		switch {
		case part == "":
		case fields[0] == "Rss:" && number([]byte(fields[1])) < size:
			t.Errorf("%s of %d kB are in memory of %s", fields[1], size, part)
		case fields[0] == "VmFlags:" && !slices.Contains(fields, "lo"):
			t.Errorf("not locked: %s", part)
		}
	}
	if parts < 2 {
		t.Errorf("found %d parts of the program in memory", parts)
	}
}

// serve shows a directory at another place until it is killed. While this process is
// stopped, all that is done there hangs.
func serve(source, target string) error {
	root, err := fs.NewLoopbackRoot(source)
	if err != nil {
		return err
	}
	server, err := fs.Mount(target, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	server.Wait()
	return nil
}

// ownMounts gives the thread of this test, and what it starts, mounts of its own.
func ownMounts(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // to its end
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skipf("SKIPPED: needs root for mounts: %v: a warden on a disk that hangs was not tested", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
}

// A warden touches no disk, not even the one that its program is on.
func TestAWardenWhoseDiskHangsKillsAtTheEndOfTheLease(t *testing.T) {
	ownMounts(t)
	source, disk := t.TempDir(), t.TempDir()
	program := filepath.Join(disk, "quorate")
	if out, err := exec.CommandContext(t.Context(), "cp", os.Args[0], filepath.Join(source, "quorate")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "serve", source, disk)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Unmount(disk, unix.MNT_DETACH) // it may not be mounted
		_ = server.Process.Kill()
		_ = server.Wait() // killed, as asked
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Skipf("SKIPPED: no file system in user space: %s %v: a warden on a disk that hangs was not tested", line, err)
	}
	g := &guarded{T: t, dir: t.TempDir()}
	g.attach()
	g.hardened(program)
	mine := run(t, "MARK="+t.Name())
	hang(t, program, server.Process)
	g.hold(environment("db", "MARK="+t.Name()))
	end := g.lease(300 * time.Millisecond)
	g.dead()
	mine.endsAt(t, end)
}

// hang has what is cached of a file forgotten, as far as nobody has locked it, and its
// disk hang.
func hang(t *testing.T, path string, disk *os.Process) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	if err := errors.Join(err, f.Close(), disk.Signal(syscall.SIGSTOP)); err != nil {
		t.Fatal(err)
	}
}
