package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

// distribution is a configuration as distributions and tutorials write it. The
// address of its frontend is on no interface.
const distribution = `global
	log /dev/log	local0
	log /dev/log	local1 notice
	chroot %[1]s
	stats socket %[2]s/admin.sock mode 660 level admin expose-fd listeners
	stats timeout 30s
	user haproxy
	group haproxy
	daemon
	maxconn 4000

defaults
	log	global
	mode	http
	option	httplog
	option	dontlognull
	timeout connect 5000
	timeout client  50000
	timeout server  50000

listen stats
	bind 10.77.0.1:8080
	stats enable
	stats uri /
	stats auth admin:secret

frontend web
	bind 10.77.0.1:80
	bind [fd77::1]:80
	bind 127.0.0.1:8000
	http-request return status 200 content-type text/plain string "%[3]s"

backend servers
	balance roundrobin
	cookie SERVERID insert indirect nocache
	option httpchk GET /
	default-server inter 2000 rise 2 fall 5
	server a 127.0.0.1:8101 cookie a check
`

// rig is an agent with one resource in directories of the test's own.
type rig struct {
	*Agent
	r   *pb.Resource
	dir string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	testlan.Need(t)
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("needs haproxy: apt install haproxy")
	}
	dir := t.TempDir() // its path may be too long for a socket
	run, err := os.MkdirTemp("/tmp", "quorate")
	if err != nil {
		t.Fatal(err)
	}
	x := &rig{Agent: New(Config{RunDir: run}), dir: dir, r: &pb.Resource{Id: "WebService", Agent: "ocf:heartbeat:haproxy", Parameters: map[string]string{}}}
	t.Cleanup(func() {
		if err := x.Halt(context.Background(), x.r); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(run); err != nil {
			t.Error(err)
		}
	})
	return x
}

// serve makes the frontend answer with a word.
func (x *rig) serve(answer string) {
	x.r.Parameters["config"] = x.configuration(answer)
}

func (x *rig) configuration(answer string) string {
	return fmt.Sprintf(distribution, x.dir, x.runDir, answer)
}

func (x *rig) must(t *testing.T, what string, f func(context.Context, *pb.Resource) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if err := f(ctx, x.r); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s took %v", what, time.Since(began).Round(100*time.Microsecond))
}

func (x *rig) state(t *testing.T) resources.State {
	t.Helper()
	s, err := x.Monitor(t.Context(), x.r)
	t.Logf("monitor: %v %v", s, err)
	return s
}

// get asks the frontend once, on a connection of its own.
func get() (string, error) {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := c.Get("http://127.0.0.1:8000/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func want(t *testing.T, answer string) {
	t.Helper()
	if got, err := get(); got != answer {
		t.Errorf("frontend answers %q, %v; want %q", got, err, answer)
	}
}

func (x *rig) settings(t *testing.T) *settings {
	t.Helper()
	s, err := parse(x.r, x.runDir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (x *rig) pids(t *testing.T) (master, worker int) {
	t.Helper()
	s := x.settings(t)
	master, err := s.master()
	if err != nil || master == 0 {
		t.Fatalf("no master: %v", err)
	}
	worker, err = healthy(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return master, worker
}

func TestADistributionsConfigurationServesAsItStands(t *testing.T) {
	x := newRig(t)
	path := filepath.Join(x.dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(x.configuration("hello")), 0o600); err != nil {
		t.Fatal(err)
	}
	x.r.Parameters["conffile"] = path
	notes, err := x.Validate(t.Context(), x.r)
	t.Logf("notes: %q", notes)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.state(t); got != resources.Stopped {
		t.Errorf("before start: %v", got)
	}
	x.must(t, "start", x.Start)
	if got := x.state(t); got != resources.Running {
		t.Errorf("after start: %v", got)
	}
	want(t, "hello")
	x.must(t, "stop", x.Stop)
	if got := x.state(t); got != resources.Stopped {
		t.Errorf("after stop: %v", got)
	}
	if _, err := get(); err == nil {
		t.Error("the frontend answers after stop")
	}
	x.must(t, "second stop", x.Stop)
}

func TestStartAdoptsWhatRuns(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	master, worker := x.pids(t)
	x.Agent = New(Config{RunDir: x.runDir}) // the agent was restarted
	x.must(t, "start again", x.Start)
	if m, w := x.pids(t); m != master || w != worker {
		t.Errorf("processes are %d and %d, were %d and %d", m, w, master, worker)
	}
	x.serve("changed")
	x.must(t, "start with another configuration", x.Start)
	if m, w := x.pids(t); m != master || w == worker {
		t.Errorf("processes are %d and %d, were %d and %d; want the same master, another worker", m, w, master, worker)
	}
	want(t, "changed")
}

func TestAReloadLosesNoConnection(t *testing.T) {
	x := newRig(t)
	x.serve("0")
	x.must(t, "start", x.Start)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	asked := 0
	var asking sync.WaitGroup
	asking.Go(func() {
		defer close(failed)
		for ctx.Err() == nil {
			asked++
			if _, err := get(); err != nil {
				failed <- err
				return
			}
		}
	})
	for n := 1; n <= 5; n++ {
		x.serve(fmt.Sprint(n))
		x.must(t, "reload", x.Reload)
	}
	cancel()
	asking.Wait()
	if err := <-failed; err != nil {
		t.Errorf("a request failed during reloads: %v", err)
	}
	if asked < 20 {
		t.Errorf("only %d requests were made", asked)
	}
	want(t, "5")
}

func TestAWrongConfigurationChangesNothingS8(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	good := x.r.Parameters["config"]
	x.must(t, "start", x.Start)
	master, worker := x.pids(t)
	x.r.Parameters["config"] = good + "\tbogus line\n"
	line := fmt.Sprintf("[config:%d]", strings.Count(good, "\n")+1)
	for name, f := range map[string]func(context.Context, *pb.Resource) error{
		"start": x.Start, "reload": x.Reload,
		"validate": func(ctx context.Context, r *pb.Resource) error { _, err := x.Validate(ctx, r); return err },
	} {
		err := f(t.Context(), x.r)
		var p *resources.ParameterError
		if !errors.As(err, &p) || p.Parameter != "config" || !strings.Contains(p.Problem, line) || !strings.Contains(p.Problem, "bogus") {
			t.Errorf("%s: %v; want an error of config, %s, bogus", name, err, line)
		}
	}
	if m, w := x.pids(t); m != master || w != worker {
		t.Errorf("processes are %d and %d, were %d and %d", m, w, master, worker)
	}
	want(t, "hello")
	x.r.Parameters["config"] = good
}

func TestAStartWithAWrongConfigurationSaysWhyAndLeavesNothing(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	good := x.r.Parameters["config"]
	x.r.Parameters["config"] = good + "\tbogus line\n"
	line := fmt.Sprintf("[config:%d]", strings.Count(good, "\n")+1)
	err := x.Start(t.Context(), x.r)
	if err == nil || !strings.Contains(err.Error(), line) || !strings.Contains(err.Error(), "bogus") {
		t.Errorf("start: %v; want an error of %s, bogus", err, line)
	}
	if got := x.state(t); got != resources.Stopped {
		t.Errorf("after a failed start: %v", got)
	}
}

// What haproxy -c cannot know: an address that is taken.
func TestAFailedReloadKeepsTheFormerWorker(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	_, worker := x.pids(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	good := x.r.Parameters["config"]
	x.r.Parameters["config"] = good + fmt.Sprintf("frontend other\n\tbind %s\n", taken.Addr())
	err = x.Reload(t.Context(), x.r)
	t.Logf("reload: %v", err)
	if err == nil {
		t.Error("reload succeeded though an address is taken")
	}
	want(t, "hello")
	if _, w := x.pids(t); w != worker {
		t.Errorf("worker is %d, was %d", w, worker)
	}
	x.r.Parameters["config"] = good
	x.must(t, "start", x.Start)
	if _, w := x.pids(t); w != worker {
		t.Error("start did not see that the former configuration runs")
	}
}

func TestAStartThatCannotBindSaysWhy(t *testing.T) {
	x := newRig(t)
	taken, err := net.Listen("tcp", "127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	x.serve("hello")
	err = x.Start(t.Context(), x.r)
	t.Logf("start: %v", err)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:8000") {
		t.Errorf("start: %v, want an error with the address", err)
	}
	if got := x.state(t); got != resources.Stopped {
		t.Errorf("after a failed start: %v", got)
	}
}

// watched starts a watch and returns where its words arrive.
func (x *rig) watched(t *testing.T) <-chan string {
	t.Helper()
	words := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var watching sync.WaitGroup
	watching.Go(func() {
		done <- x.Watch(ctx, x.r, func(why string) { t.Log("watch:", why); words <- why })
	})
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return words
}

func TestADeathIsNoticedAtOnce(t *testing.T) {
	for _, victim := range []string{"master", "worker"} {
		t.Run(victim, func(t *testing.T) {
			x := newRig(t)
			x.serve("hello")
			words := x.watched(t) // before Start, as is allowed
			x.must(t, "start", x.Start)
			x.serve("reloaded")
			x.must(t, "reload", x.Reload)
			master, worker := x.pids(t)
			pid := map[string]int{"master": master, "worker": worker}[victim]
			killed := time.Now()
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			select {
			case why := <-words:
				t.Logf("%v after the kill: %s", time.Since(killed), why)
			case <-time.After(5 * time.Second):
				t.Fatal("nothing was noticed")
			}
			if s, err := x.Monitor(t.Context(), x.r); s == resources.Running {
				t.Errorf("monitor: %v, %v", s, err)
			}
			x.must(t, "start", x.Start)
			want(t, "reloaded")
			x.must(t, "stop", x.Stop)
			if len(words) != 0 {
				t.Errorf("said of a stop: %q", <-words)
			}
		})
	}
}

// A worker that does not die on SIGTERM is killed within the stop's timeout.
func TestStopEndsAFrozenHAProxy(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	master, worker := x.pids(t)
	if err := errors.Join(unix.Kill(master, unix.SIGSTOP), unix.Kill(worker, unix.SIGSTOP)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := x.Stop(ctx, x.r); err != nil {
		t.Fatal(err)
	}
	if got := x.state(t); got != resources.Stopped {
		t.Errorf("after stop: %v", got)
	}
}

func TestAFrozenWorkerIsFailed(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	_, worker := x.pids(t)
	if err := unix.Kill(worker, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if s, err := x.Monitor(ctx, x.r); s != resources.Failed || err == nil {
		t.Errorf("monitor: %v, %v; want failed", s, err)
	}
}

func TestHaltKillsOldWorkersTooAndLeavesNothing(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	conn, err := net.Dial("tcp", "127.0.0.1:8000") // keeps the first worker after a reload
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	x.serve("changed")
	x.must(t, "reload", x.Reload)
	all, err := x.settings(t).processes()
	if err != nil || len(all) != 3 {
		t.Fatalf("%d processes, %v; want a master, a worker and an old one", len(all), err)
	}
	x.must(t, "halt", x.Halt)
	for _, p := range all {
		if _, alive := stat(p.pid); alive {
			t.Errorf("process %d is left", p.pid)
		}
	}
}

func TestOtherOptionsMeanARestart(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	master, _ := x.pids(t)
	x.r.Parameters["extraconf"] = "-n 1000"
	x.must(t, "reload", x.Reload)
	if m, _ := x.pids(t); m == master {
		t.Error("the master is the same")
	}
	want(t, "hello")
}

func TestParametersAreRefusedByNameS8(t *testing.T) {
	tests := []struct {
		parameters map[string]string
		want       string
	}{
		{map[string]string{"conffile": "/nonexistent.cfg"}, "conffile"},
		{map[string]string{"conffile": "etc/haproxy.cfg"}, "conffile"},
		{map[string]string{"conffile": "/etc/haproxy/haproxy.cfg", "config": "global"}, "config"},
		{map[string]string{"config": "global\n", "binpath": "/no/haproxy"}, "binpath"},
		{map[string]string{"config": "global\n", "extraconf": "-f /x -D"}, "extraconf"},
		{map[string]string{"config": "global\n", "nonlocal_bind": "perhaps"}, "nonlocal_bind"},
	}
	for _, tt := range tests {
		x := newRig(t)
		x.r.Parameters = tt.parameters
		_, err := x.Validate(t.Context(), x.r)
		var p *resources.ParameterError
		if !errors.As(err, &p) || p.Parameter != tt.want {
			t.Errorf("Validate(%v) = %v, want an error of %s", tt.parameters, err, tt.want)
		}
		t.Log(err)
	}
}
