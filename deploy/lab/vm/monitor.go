package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Monitor is qemu's own control of a machine (the QEMU Machine Protocol).
type Monitor struct {
	conn    net.Conn
	answers *json.Decoder
}

// OpenMonitor connects to the monitor of the machine whose sockets are in dir.
func OpenMonitor(ctx context.Context, dir string) (*Monitor, error) {
	conn, err := dial(ctx, filepath.Join(dir, "qmp"))
	if err != nil {
		return nil, fmt.Errorf("machine's monitor: %w", err)
	}
	m := &Monitor{conn: conn, answers: json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := m.answers.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("machine's monitor: %w", err)
	}
	return m, m.Do("qmp_capabilities")
}

// Close ends the connection; the machine goes on.
func (m *Monitor) Close() error { return m.conn.Close() }

// Pause makes the machine stand still, and its clocks with it.
func (m *Monitor) Pause() error { return m.Do("stop") }

// Resume lets it go on.
func (m *Monitor) Resume() error { return m.Do("cont") }

// preferred is the niceness of machines that are preferred (setpriority(2)).
const preferred = -10

// Prefer has the machine's threads run before those of other programs here: it stands
// for one that has its processor to itself, and one that waits for a processor stands
// still, with its clocks. It needs root's rights.
func (m *Monitor) Prefer() error {
	machine, err := m.process()
	if err != nil {
		return fmt.Errorf("find the machine's process: %w", err)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", machine))
	if err != nil {
		return fmt.Errorf("prefer the machine: %w", err)
	}
	for _, t := range threads {
		thread, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.Setpriority(unix.PRIO_PROCESS, thread, preferred)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended meanwhile
			return fmt.Errorf("prefer the machine: %w", err)
		}
	}
	return nil
}

// process is the other end of the monitor's connection.
func (m *Monitor) process() (pid int, err error) {
	raw, err := m.conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	controlErr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return 0, err
	}
	return int(cred.Pid), nil
}

// Do executes a command without arguments and waits until it is done.
func (m *Monitor) Do(command string) error {
	if _, err := fmt.Fprintf(m.conn, "{\"execute\":%q}\n", command); err != nil {
		return fmt.Errorf("monitor, %s: %w", command, err)
	}
	for {
		var answer struct {
			Return *json.RawMessage
			Error  *struct{ Desc string }
		}
		switch err := m.answers.Decode(&answer); {
		case err != nil:
			return fmt.Errorf("monitor, %s: %w", command, err)
		case answer.Error != nil:
			return fmt.Errorf("monitor, %s: %s", command, answer.Error.Desc)
		case answer.Return != nil:
			return nil
		} // else an event
	}
}

// A Console runs shell commands in a machine, one at a time.
type Console struct {
	conn net.Conn
	from *bufio.Reader
}

// OpenConsole connects to the console of the machine whose sockets are in dir.
func OpenConsole(ctx context.Context, dir string) (*Console, error) {
	conn, err := dial(ctx, filepath.Join(dir, "console"))
	if err != nil {
		return nil, fmt.Errorf("machine's console: %w", err)
	}
	c := &Console{conn: conn, from: bufio.NewReader(conn)}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.from.ReadString('\n'); err != nil { // what is written before it listens is lost
		return nil, errors.Join(fmt.Errorf("machine's console: %w", err), conn.Close())
	}
	return c, nil
}

// Close ends the connection; what runs goes on.
func (c *Console) Close() error { return c.conn.Close() }

// Run runs one line of shell and returns what it printed.
func (c *Console) Run(ctx context.Context, line string) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(c.conn, "%s\n", line); err != nil {
		return "", fmt.Errorf("machine, %q: %w", line, err)
	}
	var said strings.Builder
	for {
		text, err := c.from.ReadString('\n')
		if err != nil {
			return said.String(), fmt.Errorf("machine, %q: %w", line, err)
		}
		status, ended := strings.CutPrefix(strings.TrimSpace(text), "exit ")
		if !ended {
			said.WriteString(text)
			continue
		}
		if code, err := strconv.Atoi(status); err != nil || code != 0 {
			return said.String(), fmt.Errorf("machine, %q: exit status %s: %s", line, status, said.String())
		}
		return said.String(), nil
	}
}

// dialPause is how often a socket is looked for that qemu has yet to make.
const dialPause = 20 * time.Millisecond

func dial(ctx context.Context, path string) (net.Conn, error) {
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(dialPause):
		}
	}
}
