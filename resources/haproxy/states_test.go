package haproxy

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheCopyCarriesStatesAndKeepsTheUsersLineNumbers(t *testing.T) {
	s := at("Web", "/run/q/haproxy/Web")
	text := "# mine\nglobal\n\tmaxconn 10\ndefaults\n\tmode http\nlisten a\n\tbind :80\nbackend b # here\n\tserver x 10.0.0.1:80\n"
	want := "# mine\nglobal\n\tserver-state-file '/run/q/haproxy/Web.states'\n\tmaxconn 10\ndefaults\n\tmode http\n" +
		"listen a\n\tload-server-state-from-file global\n\tbind :80\nbackend b # here\n\tload-server-state-from-file global\n\tserver x 10.0.0.1:80\n"
	if got := s.wanted(text); got != want {
		t.Errorf("copy of\n%s\nis\n%s\nwant\n%s", text, got, want)
	}
	for copied, original := range map[int]int{1: 1, 2: 2, 4: 3, 7: 6, 9: 7, 10: 8, 12: 9} {
		said := fmt.Sprintf("[%s:%d]", s.copy, copied)
		if got, want := s.original(said), fmt.Sprintf("[%s:%d]", s.copy, original); got != want {
			t.Errorf("%s is told as %s, want %s", said, got, want)
		}
	}
}

func TestACopyWithoutAGlobalSectionGetsOne(t *testing.T) {
	s := at("Web", "/run/q/haproxy/Web")
	got := s.wanted("listen a\n\tbind :80\n")
	if want := "global\n\tserver-state-file '/run/q/haproxy/Web.states'\nlisten a\n\tload-server-state-from-file global\n\tbind :80\n"; got != want {
		t.Errorf("copy is\n%s\nwant\n%s", got, want)
	}
	if got := s.original("[" + s.copy + ":5]"); got != "["+s.copy+":2]" {
		t.Errorf("line 5 is told as %s, want 2", got)
	}
}

func TestAConfigurationThatSeesToStatesItselfIsLeftAlone(t *testing.T) {
	tests := []struct{ text, path string }{
		{"global\n\tserver-state-file /var/lib/states\nbackend b\n\tload-server-state-from-file global\n", "/var/lib/states"},
		{"global\n\tserver-state-base /var/lib/h\n\tserver-state-file states\ndefaults\n\tload-server-state-from-file global\n", "/var/lib/h/states"},
		{"defaults\n\tload-server-state-from-file none\nbackend b\n", ""},
	}
	for _, tt := range tests {
		s := at("Web", "/run/q/haproxy/Web")
		if got := s.wanted(tt.text); got != tt.text {
			t.Errorf("copy of\n%s\nis\n%s", tt.text, got)
		}
		if path, ours := s.stateFile(tt.text); path != tt.path || ours {
			t.Errorf("states of\n%s\nare kept in %q (ours: %v), want %q", tt.text, path, ours, tt.path)
		}
	}
}

// TestServersKeepTheirStatesOverAReload takes one server out by hand and lets
// another be down: no request after the reload reaches either.
func TestServersKeepTheirStatesOverAReload(t *testing.T) {
	x := newRig(t)
	asked := make(map[string]int)
	serve := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	configuration := func(weight int) string {
		return fmt.Sprintf(`defaults
	mode http
	timeout connect 1s
	timeout client 5s
	timeout server 5s
	retries 0
frontend web
	bind 127.0.0.1:8000
	default_backend servers
backend servers
	balance roundrobin
	server one %s weight 10
	server out %s weight 10
	server dead %s weight %d check inter 50ms fall 1
`, serve("one"), serve("out"), dead.Addr(), weight)
	}
	x.r.Parameters["config"] = configuration(10)
	x.must(t, "start", x.Start)
	s := x.settings(t)
	tell := func(command string) {
		t.Helper()
		_, worker := x.pids(t)
		if answer, err := ask(t.Context(), s.socket, fmt.Sprintf("@!%d %s", worker, command)); err != nil || strings.TrimSpace(answer) != "" {
			t.Fatalf("%s: %q, %v", command, answer, err)
		}
	}
	tell("set server servers/out state maint")
	tell("set weight servers/one 7")
	for !slices.Contains(x.states(t), "servers/dead 0 0 10") { // it is seen to be down
	}
	x.r.Parameters["config"] = strings.Replace(x.r.Parameters["config"], "retries 0", "retries 0\n\tmaxconn 100", 1)
	x.must(t, "reload", x.Reload)
	for range 20 {
		answer, err := get()
		if err != nil {
			t.Fatal(err)
		}
		asked[answer]++
	}
	if asked["one"] != 20 {
		t.Errorf("after the reload requests were answered by %v, want only one", asked)
	}
	want := []string{"servers/one 2 0 7", "servers/out 0 1 10", "servers/dead 0 0 10"}
	if got := x.states(t); !slices.Equal(got, want) {
		t.Errorf("states after the reload: %q, want %q", got, want)
	}
	x.must(t, "stop", x.Stop)
	if _, err := os.Stat(s.states); err == nil {
		t.Error("the states outlive a stop")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.copy), "*")); len(left) > 1 { // the log
		t.Errorf("left after a stop: %q", left)
	}
}

// states tells of each server whether it is up (2) or down (0), how it was taken
// out, and its weight.
func (x *rig) states(t *testing.T) []string {
	t.Helper()
	_, worker := x.pids(t)
	said, err := ask(t.Context(), x.settings(t).socket, fmt.Sprintf("@!%d show servers state", worker))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); len(f) > 8 && f[0] != "#" {
			list = append(list, fmt.Sprintf("%s/%s %s %s %s", f[1], f[3], f[5], f[6], f[7]))
		}
	}
	return list
}
