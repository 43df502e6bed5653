package check

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var speed = flag.Bool("speed", false, "measure 2,000 checks a second")

// serveEnv makes this test's binary a web server instead, on a port of all addresses.
const serveEnv = "QUORATE_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		serve()
		return
	}
	os.Exit(m.Run())
}

func serve() {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Addr().String())
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") }))
}

// TestSpeed asks 2,000 web servers of another process every second, and prints
// what that costs this one.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("a measurement; run it with -speed")
	}
	at := webServer(t)
	const servers, seconds = 2000, 20
	var targets []Target
	for i := range servers {
		addr := netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i%250 + 1)})
		targets = append(targets, Target{ID: addr.String(), Server: netip.AddrPortFrom(addr, at), Check: Check{Kind: "http", Path: "/alive", Interval: time.Second}})
	}
	r := New(Config{})
	if err := r.Set(targets); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), (seconds+2)*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	time.Sleep(2 * time.Second) // they are all running
	before, began := processorTime(t), time.Now()
	var late []time.Duration
	for range seconds - 1 {
		time.Sleep(time.Second)
		for _, s := range r.Status() {
			late = append(late, s.Late)
			if s.State != Up {
				t.Errorf("%s is %v: %s", s.ID, s.State, s.Reason)
			}
		}
	}
	used, took := processorTime(t)-before, time.Since(began)
	slices.Sort(late)
	attempts := 0
	for _, s := range r.Status() {
		attempts += s.Attempts
	}
	t.Logf("%d attempts, %.0f a second; %.1f %% of a core; late: median %v, 99.9 %% %v, at most %v; resident: %d MiB",
		attempts, float64(attempts)/(took+2*time.Second).Seconds(), 100*used.Seconds()/took.Seconds(),
		late[len(late)/2], late[len(late)*999/1000], late[len(late)-1], resident(t)>>20)
	cancel()
	<-done
}

// webServer starts a web server of another process and returns its port.
func webServer(t *testing.T) uint16 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	at, err := netip.ParseAddrPort(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return at.Port()
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is this process's memory in bytes (proc_pid_statm(5)).
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
