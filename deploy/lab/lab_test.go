package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test's own program be every process of a lab, as
// cmd/quorate is.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "lab" && slices.Contains(Verbs, os.Args[2]) {
		if err := Inside(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	_ = os.RemoveAll(building)
	os.Exit(code)
}

// sleeper is an agent that does nothing.
var sleeper = []string{"sleep", "infinity"}

// start brings a lab up for one test, and skips it where that is forbidden.
func start(t *testing.T, s Spec) *Lab {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s.Tied = true // a panic runs no cleanup
	l, err := Up(t.Context(), s)
	if err != nil && os.Geteuid() != 0 {
		t.Skipf("SKIPPED: no lab on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(l.Log("supervisor"))
			t.Logf("supervisor:\n%s", log)
		}
		if err := l.Down(context.WithoutCancel(t.Context())); err != nil && !strings.Contains(err.Error(), "is not up") {
			t.Error(err)
		}
	})
	return l
}

func run(t *testing.T, l *Lab, host string, args ...string) string {
	t.Helper()
	out, err := l.Output(t.Context(), host, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestHostsAreMachinesOfTheirOwn(t *testing.T) {
	l := start(t, NewSpec("t", []string{"lvsm", "lvss"}, sleeper).With("www1", "quorate", "lab", "web", ":80"))
	for _, tt := range []struct{ host, command, want string }{
		{"lvsm", "uname -n", "lvsm"},
		{"lvss", "cat /etc/hostname >/dev/null; id -u", "0"},
		{"lvsm", "ip -o -4 addr show eth0 | awk '{print $4}'", "10.77.0.11/24"},
		{"client", "ip -o -4 addr show eth0 | awk '{print $4}'", "10.77.0.10/24"},
		{"lvsm", "cat /proc/1/cmdline | tr '\\0' ' '", "quorate lab node"},
		{"lvsm", "getent hosts lvss | awk '{print $1}'", "10.77.0.12"},
		{"lvsm", "cat /proc/sys/net/ipv4/ip_nonlocal_bind", "0"},
		{"lvsm", "ls /run; ls /etc/quorate /var/lib/quorate | wc -l", "lock\n3"},
		{"client", "pgrep -c sleep", "0"},
		{"lvsm", "pgrep -c sleep", "1"},
		{"lvsm", "basename $(command -v pcs)", "pcs"},
		{"lvsm", "touch /usr/x /etc/passwd 2>&1 | grep -cE 'Read-only|denied'", "2"},
	} {
		got, err := l.Output(t.Context(), tt.host, "sh", "-c", tt.command)
		if got = strings.TrimSpace(got); got != tt.want {
			t.Errorf("%s: %s\n got %q (%v)\nwant %q", tt.host, tt.command, got, err, tt.want)
		}
	}
	if _, err := os.Stat("/etc/quorate"); err == nil {
		t.Log("this machine has an /etc/quorate of its own")
	}
}

func TestExecGivesBackWhatTheCommandDid(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1"}, sleeper))
	var out, errs strings.Builder
	err := l.ExecIO(t.Context(), "n1", []string{"sh", "-c", "cat; echo oops >&2; exit 3"},
		strings.NewReader("hello"), &out, &errs)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || out.String() != "hello" || errs.String() != "oops\n" {
		t.Errorf("got %v, output %q, errors %q", err, out.String(), errs.String())
	}
	if err := l.Exec(t.Context(), "n1", Command{Args: []string{"no-such-program"}}); err == nil || errors.As(err, &exit) {
		t.Errorf("missing program: got %v", err)
	}
	if err := l.Exec(t.Context(), "n9", Command{Args: []string{"true"}}); err == nil || !strings.Contains(err.Error(), `"n9"`) {
		t.Errorf("missing host: got %v", err)
	}
}

func TestExecEndsWithItsCaller(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1"}, nil))
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.ExecIO(ctx, "n1", []string{"sh", "-c", "echo began; exec sleep infinity"}, nil, w, io.Discard)
		_ = w.Close()
	}()
	if _, err := r.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got, err := l.Output(t.Context(), "n1", "timeout", "10", "sh", "-c", "while pgrep -x sleep; do :; done"); err != nil {
		t.Errorf("the command outlives its caller: %v, processes %s", err, got)
	}
}

func TestFaults(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2"}, sleeper))
	fault := func(f Fault) {
		t.Helper()
		done, err := l.Fault(t.Context(), f, "n1")
		if err != nil || len(done) == 0 {
			t.Fatalf("%s: got %v, %v", f, done, err)
		}
	}
	status := func() HostStatus {
		t.Helper()
		all, err := l.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	n1, _ := l.Spec.Host("n1")
	reached := func(patience time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		p, err := l.Probe(ctx, n1.Address(), "", nil)
		if err != nil {
			return false
		}
		_, err = p.Stop()
		return err == nil
	}
	run(t, l, "n1", "sh", "-c", "echo kept > /var/lib/quorate/f; echo lost > /run/f")
	for _, tt := range []struct {
		fault   Fault
		link    string
		agent   string
		reached bool
	}{
		{Cut, "cut", agentRunning, false},
		{Unplug, "unplugged", agentRunning, false},
		{Freeze, "up", agentFrozen, true},
		{Kill, "up", agentEnded, true},
		{PowerOff, "none", "", false},
	} {
		fault(tt.fault)
		if s := status(); s.Link != tt.link || s.Agent.State != tt.agent || s.Power != (tt.fault != PowerOff) {
			t.Errorf("%s: got %+v", tt.fault, s)
		}
		patience := 10 * time.Second
		if !tt.reached {
			patience = 300 * time.Millisecond
		}
		if got := reached(patience); got != tt.reached {
			t.Errorf("%s: reached %v, want %v", tt.fault, got, tt.reached)
		}
		fault(Heal)
		if s := status(); s.Link != "up" || s.Agent.State != agentRunning || !s.Power || !reached(10*time.Second) {
			t.Errorf("healed from %s: got %+v", tt.fault, s)
		}
	}
	if got := run(t, l, "n1", "sh", "-c", "cat /var/lib/quorate/f; ls /run/f 2>/dev/null || echo gone"); got != "kept\ngone" {
		t.Errorf("after a power cycle: got %q", got)
	}
}

// trace finds what a lab left: processes of this program that are part of one, and files.
func trace(t *testing.T, l *Lab) []string {
	t.Helper()
	left := processesWith(t, "XDG_STATE_HOME="+os.Getenv("XDG_STATE_HOME"))
	if _, err := os.Stat(l.Shared()); err == nil {
		left = append(left, l.Shared())
	}
	return left
}

// processesWith finds all processes but this one that have a variable in their environment.
func processesWith(t *testing.T, variable string) []string {
	t.Helper()
	var found []string
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if strings.Contains(string(line), variable) && e.Name() != fmt.Sprint(os.Getpid()) {
			name, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if len(name) > 0 {
				found = append(found, e.Name()+" "+strings.ReplaceAll(string(name), "\x00", " "))
			}
		}
	}
	return found
}

func TestDownLeavesNothing(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2"}, []string{"sh", "-c", "setsid sleep infinity & sleep infinity"}))
	if len(trace(t, l)) < 4 {
		t.Fatalf("the test sees too little: %q", trace(t, l))
	}
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitNothing(t, l)
}

// awaitNothing waits for the keeper, who is the last to go.
func awaitNothing(t *testing.T, l *Lab) {
	t.Helper()
	deadline := time.Now().Add(patienceTime)
	for len(trace(t, l)) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", trace(t, l))
		}
	}
}

func TestCrashLeavesNothing(t *testing.T) {
	l := start(t, NewSpec("t", []string{"n1", "n2"}, sleeper))
	conn, err := l.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var cred *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cred == nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(int(cred.Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitNothing(t, l)
	if _, err := Open("t"); err == nil || !strings.Contains(err.Error(), "not up") {
		t.Errorf("opened what is gone: %v", err)
	}
}

// tiedVariable makes the next test the process that its lab is tied to.
const tiedVariable = "LAB_TEST_TIED"

func TestTiedLabEndsWithItsCaller(t *testing.T) {
	l := start(t, NewSpec("outer", []string{"n1"}, nil)) // or skip
	if os.Getenv(tiedVariable) != "" {
		fmt.Println("it is up")
		<-t.Context().Done()
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", t.Name())
	cmd.Env = append(os.Environ(), tiedVariable+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "it is up\n" {
		t.Fatalf("the caller said %q (%v)", line, err)
	}
	mark := cmd.Env[len(cmd.Env)-1] // of all its processes
	if n := len(processesWith(t, mark)); n < 4 {
		t.Fatalf("the test sees %d processes only", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	mustEnd(t, mark)
	run(t, l, "n1", "true")
}

// mustEnd waits for the end of all processes with a variable in their environment.
func mustEnd(t *testing.T, variable string) {
	t.Helper()
	deadline := time.Now().Add(patienceTime)
	for len(processesWith(t, variable)) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", processesWith(t, variable))
		}
	}
}
