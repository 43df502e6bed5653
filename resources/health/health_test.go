package health

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// attributes are a node's, with what was set in the order of the calls.
type attributes struct {
	mu    sync.Mutex
	calls []string
	now   map[string]string
	heard chan struct{}
}

func newAttributes() *attributes {
	return &attributes{now: make(map[string]string), heard: make(chan struct{}, 100)}
}

func (a *attributes) Set(name, value string, dampen time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf("%s=%s after %v", name, value, dampen))
	a.now[name] = value
	a.heard <- struct{}{}
	return nil
}

func (a *attributes) Settle(context.Context, ...string) error { return nil }

// until waits for a value.
func (a *attributes) until(t *testing.T, name, want string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		a.mu.Lock()
		got := a.now[name]
		a.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-a.heard:
		case <-deadline:
			t.Fatalf("%s is %q, want %q; %v", name, got, want, a.calls)
		}
	}
}

// watched runs the watch of a resource until the test or the returned func ends it.
func watched(t *testing.T, a *Agent, r *pb.Resource) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var w sync.WaitGroup
	w.Go(func() { _ = a.Watch(ctx, r, func(string) {}) })
	end = sync.OnceFunc(func() { cancel(); w.Wait() })
	t.Cleanup(end)
	return end
}

func resource(parameters map[string]string) *pb.Resource {
	return &pb.Resource{Id: "web-ok", Parameters: parameters}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, a *Agent, r *pb.Resource, want resources.State) {
	t.Helper()
	if got, err := a.Monitor(t.Context(), r); got != want || err != nil {
		t.Errorf("monitor: %v, %v; want %v", got, err, want)
	}
}

func TestTheAttributeFollowsAProgram(t *testing.T) {
	dir, all := t.TempDir(), newAttributes()
	flag := filepath.Join(dir, "alive")
	r := resource(map[string]string{"check": fmt.Sprintf("program command='/usr/bin/test -e %s' interval=20ms rise=1 fall=2", flag), "dampen": "50ms"})
	a := New(Config{RunDir: dir, Attributes: all})
	state(t, a, r, resources.Stopped)
	must(t, a.Start(t.Context(), r))
	all.until(t, "web-ok", "0")
	state(t, a, r, resources.Running)
	end := watched(t, a, r)
	must(t, os.WriteFile(flag, nil, 0o600))
	all.until(t, "web-ok", "1")
	if got := a.Detail(r); !strings.HasPrefix(got, "web-ok=1: the program succeeded") {
		t.Errorf("detail is %q", got)
	}
	must(t, os.Remove(flag))
	all.until(t, "web-ok", "0")
	end()
	must(t, a.Stop(t.Context(), r))
	all.until(t, "web-ok", "")
	state(t, a, r, resources.Stopped)
	if want := "[web-ok=0 after 0s web-ok=1 after 50ms web-ok=0 after 50ms web-ok= after 0s]"; fmt.Sprint(all.calls) != want {
		t.Errorf("got %v, want %s", all.calls, want)
	}
}

func TestAnAgentThatBeginsAnewGoesOn(t *testing.T) {
	dir := t.TempDir()
	flag := filepath.Join(dir, "alive")
	must(t, os.WriteFile(flag, nil, 0o600))
	r := resource(map[string]string{"check": fmt.Sprintf("program command='/usr/bin/test -e %s' interval=20ms", flag), "attribute": "#web", "up": "fine", "down": "ill"})
	must(t, New(Config{RunDir: dir, Attributes: newAttributes()}).Start(t.Context(), r))

	all := newAttributes()
	a := New(Config{RunDir: dir, Attributes: all})
	state(t, a, r, resources.Running)
	end := watched(t, a, r)
	all.until(t, "#web", "fine")
	must(t, os.Remove(flag))
	all.until(t, "#web", "ill")
	end()
	must(t, a.Stop(t.Context(), r))
	all.until(t, "#web", "")
}

func TestAReloadChangesWhatIsAskedAndItsName(t *testing.T) {
	dir, all := t.TempDir(), newAttributes()
	a := New(Config{RunDir: dir, Attributes: all})
	r := resource(map[string]string{"check": "on"})
	must(t, a.Start(t.Context(), r))
	watched(t, a, r)
	all.until(t, "web-ok", "1")
	must(t, a.Reload(t.Context(), resource(map[string]string{"check": "off", "attribute": "other"})))
	all.until(t, "other", "0")
	all.until(t, "web-ok", "")
}

func TestANumberInAFileIsTheValue(t *testing.T) {
	tests := []struct{ text, weight, want string }{
		{"5\n", "2", "10"},
		{"-3", "4", "-12"},
		{"200", "2", "253"},
		{"-254", "1", "-INFINITY"},
		{"-127", "2", "-INFINITY"},
		{"99999999", "-1", "-INFINITY"},
		{"many", "1", "0"},
		{"", "1", "0"},
	}
	for _, tt := range tests {
		dir, all := t.TempDir(), newAttributes()
		path := filepath.Join(dir, "number")
		must(t, os.WriteFile(path, []byte(tt.text), 0o600))
		a := New(Config{RunDir: dir, Attributes: all})
		must(t, a.Start(t.Context(), resource(map[string]string{"file": path, "weight": tt.weight})))
		if got := all.now["web-ok"]; got != tt.want {
			t.Errorf("%q times %s is %q, want %q", tt.text, tt.weight, got, tt.want)
		}
	}
}

func TestAFileIsFollowed(t *testing.T) {
	dir, all := t.TempDir(), newAttributes()
	path := filepath.Join(dir, "number")
	a := New(Config{RunDir: dir, Attributes: all})
	r := resource(map[string]string{"file": path, "interval": "100ms"})
	must(t, a.Start(t.Context(), r))
	all.until(t, "web-ok", "0")
	watched(t, a, r)
	must(t, os.WriteFile(path, []byte("7"), 0o600))
	all.until(t, "web-ok", "7")
}

// S8.
func TestBadParametersAreNamed(t *testing.T) {
	tests := []struct {
		parameters map[string]string
		want       string
	}{
		{nil, "parameter check: is missing"},
		{map[string]string{"check": "htp"}, `parameter check: "htp" is no kind of check`},
		{map[string]string{"check": "tcp"}, "parameter check: it has no port to ask"},
		{map[string]string{"check": "on", "file": "/x"}, "parameter file: there is a check"},
		{map[string]string{"check": "on", "up": "0"}, `parameter down: is "0" too`},
		{map[string]string{"check": "on", "attribute": "a b"}, `parameter attribute: "a b" is no name`},
		{map[string]string{"check": "on", "dampen": "-1s"}, `parameter dampen: "-1s" is no such time`},
		{map[string]string{"file": "x"}, `parameter file: "x" is no path`},
		{map[string]string{"file": "/x", "weight": "300"}, `parameter weight: "300" is no weight`},
		{map[string]string{"file": "/x", "interval": "1ms"}, `parameter interval: "1ms" is no such time; give 100ms to 24h`},
	}
	a := New(Config{RunDir: t.TempDir(), Attributes: newAttributes()})
	for _, tt := range tests {
		if _, err := a.Validate(t.Context(), resource(tt.parameters)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v: %v; want %s", tt.parameters, err, tt.want)
		}
	}
}
