package haproxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// ask sends one command to the master's socket and returns its answer. The
// connection is closed for writing, which tells the master that no further
// command follows (HAProxy Management Guide, "Master CLI").
func ask(ctx context.Context, socket, command string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return "", fmt.Errorf("ask the master: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", fmt.Errorf("ask the master to %s: %w", command, err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return "", fmt.Errorf("ask the master to %s: %w", command, err)
	}
	answer, err := io.ReadAll(conn)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("ask the master to %s: %w", command, err)
	}
	return string(answer), nil
}

// status is what the master says of itself and its workers.
type status struct {
	reloads int // of the master so far, and how many of them failed
	failed  int
	workers []worker // the newest, not those that only end their connections
}

type worker struct {
	pid     int
	reloads int // since it was made: 0 if it runs the newest configuration
}

// newest is the process id of the worker that serves, or 0.
func (s status) newest() int {
	if len(s.workers) == 0 {
		return 0
	}
	return s.workers[0].pid
}

// parseStatus reads the answer to "show proc":
//
//	#<PID>  <type>  <reloads>       <uptime>    <version>
//	21375   master  1 [failed: 0]   0d00h00m01s 2.6.12
//	# workers
//	21434   worker  0               0d00h00m00s 2.6.12
//	# old workers
//	21376   worker  1               0d00h00m01s 2.6.12
func parseStatus(answer string) status {
	var s status
	part := ""
	lines := bufio.NewScanner(strings.NewReader(answer))
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "# "); ok {
			part = name
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(line, "#") {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		if err != nil {
			continue
		}
		reloads, _ := strconv.Atoi(f[2])
		switch {
		case f[1] == "master":
			s.reloads, s.failed = reloads, failures(f)
		case f[1] == "worker" && part == "workers":
			s.workers = append(s.workers, worker{pid, reloads})
		}
	}
	return s
}

// failures reads "[failed: 1]", which older versions do not say.
func failures(fields []string) int {
	for i, f := range fields {
		if f == "[failed:" && i+1 < len(fields) {
			n, _ := strconv.Atoi(strings.TrimSuffix(fields[i+1], "]"))
			return n
		}
	}
	return 0
}

func askStatus(ctx context.Context, s *settings) (status, error) {
	answer, err := ask(ctx, s.socket, "show proc")
	if err != nil {
		return status{}, err
	}
	return parseStatus(answer), nil
}

// healthTimeout bounds the questions of one look. A working haproxy answers
// them in a millisecond.
const healthTimeout = 5 * time.Second

// healthy returns the process id of the worker that serves. The worker itself
// has answered, through the master.
func healthy(ctx context.Context, s *settings) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	st, err := askStatus(ctx, s)
	if err != nil {
		return 0, err
	}
	pid := st.newest()
	if pid == 0 {
		return 0, fmt.Errorf("the master has no worker")
	}
	answer, err := ask(ctx, s.socket, fmt.Sprintf("@!%d show info", pid))
	if err != nil {
		return 0, fmt.Errorf("worker %d: %w", pid, err)
	}
	if !strings.Contains(answer, fmt.Sprintf("\nPid: %d\n", pid)) {
		return 0, fmt.Errorf("worker %d does not answer: %s", pid, oneLine(answer))
	}
	return pid, nil
}
