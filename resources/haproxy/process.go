package haproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// Traces implements [resources.Tracer].
func (a *Agent) Traces(r *pb.Resource) []resources.Trace {
	return []resources.Trace{{Kind: resources.TraceArgument, Mark: place(r, a.runDir).listener()}}
}

// A process is one of the resource's: master, worker or former worker.
type process struct {
	pid, group int
}

// processes finds all of the resource's processes by their command line, which
// names the master's socket. So they are found whoever started them, and after
// the master has gone. Zombies have no command line.
func (s *settings) processes() ([]process, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var list []process
	mark, buffer := []byte("\x00-S\x00"+s.listener()+"\x00"), make([]byte, longestLine)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || !bytes.Contains(peek("/proc/"+name+"/cmdline", buffer), mark) {
			continue
		}
		if p, ok := stat(pid); ok {
			list = append(list, p)
		}
	}
	return list, nil
}

// longestLine is how much of a command line is looked at. The master's socket
// comes early in ours.
const longestLine = 16 << 10

// peek reads the beginning of a file, none of it if that fails. A start and a
// stop look at every process of the machine more than once, and os.ReadFile
// takes some three times as long.
func peek(path string, buffer []byte) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return nil
	}
	return buffer[:n]
}

// stat reads /proc/PID/stat (proc_pid_stat(5)): the fields after the name,
// which is in parentheses and may hold anything, are state, parent, group.
func stat(pid int) (process, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	_, rest, _ := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 3 || f[0] == "Z" || f[0] == "X" {
		return process{}, false
	}
	group, _ := strconv.Atoi(f[2])
	return process{pid, group}, true
}

// master returns the process that leads the others' group, or 0. It may be
// executing itself anew, and then has no command line for a moment.
func (s *settings) master() (int, error) {
	all, err := s.processes()
	if err != nil {
		return 0, fmt.Errorf("look for haproxy: %w", err)
	}
	return leader(all), nil
}

// leader returns the process that leads the group of one of them, or 0.
func leader(all []process) int {
	for _, p := range all {
		if first, ok := stat(p.group); ok {
			return first.pid
		}
	}
	return 0
}

// launched reports whether a master runs the wanted program with the wanted
// arguments. A reload appends to them.
func (s *settings) launched(master int) bool {
	have := commandLine(master)
	for i, o := range have {
		if o == "-sf" || o == "-st" || o == "-x" {
			have = have[:i]
			break
		}
	}
	return slices.Equal(have, append([]string{s.binary}, s.arguments()...))
}

// commandLine waits for a process that is executing itself anew.
func commandLine(pid int) []string {
	for range 20 {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return nil
		}
		if len(line) > 0 {
			return strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		}
		time.Sleep(pollInterval)
	}
	return nil
}

// end ends all processes of the resource. Those that are left after the grace
// are killed; no grace kills at once.
func (s *settings) end(ctx context.Context, grace time.Duration) error {
	all, err := s.processes()
	if err != nil {
		return err
	}
	if grace > 0 {
		signal(all, unix.SIGTERM)
		polite, cancel := context.WithTimeout(ctx, grace)
		gone := wait(polite, all)
		cancel()
		if gone == nil {
			all = nil
		}
	}
	for {
		signal(all, unix.SIGKILL)
		if err := wait(ctx, all); err != nil {
			return err
		}
		// A master that was about to make a worker may have done so.
		if all, err = s.processes(); err != nil || len(all) == 0 {
			return errors.Join(err, s.clean())
		}
	}
}

// clean removes what is useless without processes. The log stays for people.
func (s *settings) clean() error {
	for _, path := range []string{s.socket, s.copy, s.states} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// signal signals the processes and, with them, their groups: a master that is
// executing itself anew is seen there only, and so are programs that it started.
func signal(all []process, sig unix.Signal) {
	for _, p := range all {
		if p.group != unix.Getpgrp() { // never so: launch makes a session
			_ = unix.Kill(-p.group, sig)
		}
	}
}

// wait returns when all the processes have ended.
func wait(ctx context.Context, all []process) error {
	for _, p := range all {
		x, err := watchExit(p.pid)
		if err != nil {
			return err
		}
		if err := x.wait(ctx); err != nil {
			return fmt.Errorf("process %d has not ended: %w", p.pid, err)
		}
		reap(p.pid)
	}
	return nil
}

// reap takes the exit status of a process, if it is ours to take: orphans
// become children of an agent that is its namespace's first process.
func reap(pid int) {
	_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
}

// An exit tells when a process ends, also one that is not our child.
type exit struct {
	file *os.File // a pidfd; nil: it has ended already
}

func watchExit(pid int) (*exit, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return &exit{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for Go's poller
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &exit{file: os.NewFile(uintptr(fd), "pidfd")}, nil
}

// wait returns nil when the process has ended, and closes x.
func (x *exit) wait(ctx context.Context) error {
	if x.file == nil {
		return nil
	}
	defer x.file.Close()
	conn, err := x.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = x.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err == nil && n > 0
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
