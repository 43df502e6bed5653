package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A Lab is a running lab, seen from outside. Its methods may be called from
// several goroutines and processes.
type Lab struct {
	Spec Spec
	dir  directory
}

// Open finds the running lab of that name.
func Open(name string) (*Lab, error) {
	if !hostName.MatchString(name) {
		return nil, fmt.Errorf("name %q: use small letters, digits and hyphens", name)
	}
	d := directory(filepath.Join(root(), name))
	spec, err := d.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %s is not up; start it with `quorate lab up --name %s`", name, name)
	}
	if err != nil {
		return nil, err
	}
	l := &Lab{Spec: spec, dir: d}
	conn, err := l.connect()
	if err != nil {
		return nil, err
	}
	return l, conn.Close()
}

// connect reaches the supervisor. If nothing is left of it, connect removes
// the files that it left and says that the lab is not up.
func (l *Lab) connect() (*net.UnixConn, error) {
	conn, err := l.dir.dial()
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(
			fmt.Errorf("lab %s is not up; it has ended unexpectedly", l.Spec.Name),
			l.dir.remove())
	}
	if err != nil {
		return nil, fmt.Errorf("lab %s: %w", l.Spec.Name, err)
	}
	return conn, nil
}

// ask sends one request to the supervisor and waits for its answer or ctx.
func (l *Lab) ask(ctx context.Context, r request, files ...*os.File) (response, error) {
	conn, err := l.connect()
	if err != nil {
		return response{}, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	answer, err := call(conn, r, files...)
	if ctx.Err() != nil {
		return answer, ctx.Err()
	}
	return answer, err
}

// Down ends the lab. When it returns nothing of it is left.
func (l *Lab) Down(ctx context.Context) error {
	conn, err := l.connect()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ended, err := watchPeer(conn)
	if err != nil {
		return err
	}
	defer ended.Close()
	if err := send(conn, request{Verb: verbDown}); err != nil {
		return fmt.Errorf("lab %s: %w", l.Spec.Name, err)
	}
	if err := waitReadable(ctx, ended); err != nil {
		return fmt.Errorf("lab %s does not end: %w", l.Spec.Name, err)
	}
	return l.dir.remove() // the keeper does the same
}

// watchPeer returns a file that is readable once the process at the other end
// of conn, and with it everything in its process namespace, has ended.
func watchPeer(conn *net.UnixConn) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("lab's supervisor: %w", failed)
	}
	fd, err := unix.PidfdOpen(int(cred.Pid), 0)
	if err != nil {
		return nil, fmt.Errorf("lab's supervisor: %w", err)
	}
	return os.NewFile(uintptr(fd), "supervisor"), nil
}

// waitReadable waits in short polls, because a pidfd takes no deadline.
func waitReadable(ctx context.Context, f *os.File) error {
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}, 50)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return ctx.Err()
}

// Status tells what every host is doing.
func (l *Lab) Status(ctx context.Context) ([]HostStatus, error) {
	answer, err := l.ask(ctx, request{Verb: verbStatus})
	return answer.Hosts, err
}

// Fault does something to all of a host and returns what was done and when.
func (l *Lab) Fault(ctx context.Context, f Fault, host string) ([]Step, error) {
	return l.Strike(ctx, Trouble{Fault: f, Host: host})
}

// Strike does what a trouble says and returns what was done and when.
func (l *Lab) Strike(ctx context.Context, t Trouble) ([]Step, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	if err := l.knows(t.Host); err != nil {
		return nil, err
	}
	if t.Peer != "" {
		if err := l.knows(t.Peer); err != nil {
			return nil, err
		}
	}
	answer, err := l.ask(ctx, request{Verb: verbFault, Trouble: t})
	return answer.Steps, err
}

func (l *Lab) knows(host string) error {
	if _, ok := l.Spec.Host(host); ok {
		return nil
	}
	var names []string
	for _, h := range l.Spec.Hosts {
		names = append(names, h.Name)
	}
	return fmt.Errorf("host %q: not in lab %s; it has %s", host, l.Spec.Name, strings.Join(names, ", "))
}

// Shared is a directory that every host of the lab sees under the same path.
func (l *Lab) Shared() string { return string(l.dir) }

// Log is where a host's agent writes.
func (l *Lab) Log(host string) string { return l.dir.log(host) }

// Names lists the labs of this user that have files, running or not.
func Names() ([]string, error) {
	entries, err := os.ReadDir(root())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
