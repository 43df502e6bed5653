package haproxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

func TestALineIsTakenApartAsHAProxyDoes(t *testing.T) {
	t.Setenv("QUORATE_TEST_PORT", "81")
	tests := []struct {
		line string
		want []string
	}{
		{`  bind *:80,:443 ssl crt /etc/a.pem # both`, []string{"bind", "*:80,:443", "ssl", "crt", "/etc/a.pem"}},
		{`server a\ b "c d" 'e "f' g#h`, []string{"server", "a b", "c d", `e "f`, "g"}},
		{`bind "*:${QUORATE_TEST_PORT}" "[$QUORATE_TEST_PORT]" '$QUORATE_TEST_PORT'`, []string{"bind", "*:81", "[81]", "$QUORATE_TEST_PORT"}},
		{`bind "*:${QUORATE_TEST_NONE-82}"`, []string{"bind", "*:82"}},
		{`a "" b`, []string{"a", "", "b"}},
		{"\t# nothing", nil},
	}
	for _, tt := range tests {
		if got := split(tt.line); !slices.Equal(got, tt.want) {
			t.Errorf("split(%s)\n got %q\nwant %q", tt.line, got, tt.want)
		}
	}
}

func TestSocketsOverlap(t *testing.T) {
	tests := []struct {
		a, b string // of a frontend
		want bool
	}{
		{"bind 10.0.0.1:80", "bind 10.0.0.1:80", true},
		{"bind 10.0.0.1:80", "bind 10.0.0.2:80", false},
		{"bind 10.0.0.1:80", "bind 10.0.0.1:81", false},
		{"bind 10.0.0.1:80,10.0.0.1:443", "bind 10.0.0.1:443", true},
		{"bind :80", "bind 10.0.0.1:80", true},
		{"bind *:80", "bind 0.0.0.0:80", true},
		{"bind :8000-8010", "bind 10.0.0.1:8005-8100", true},
		{"bind :8000-8010", "bind 10.0.0.1:8011", false},
		{"bind [::]:80", "bind 10.0.0.1:80", true},
		{"bind :::80 v6only", "bind 10.0.0.1:80", false},
		{"bind :::80 v6only", "bind [2001:db8::1]:80", true},
		{"bind :80", "bind [2001:db8::1]:80", false},
		{"bind ipv6@:80", "bind [2001:db8::1]:80", true},
		{"bind :443", "bind quic4@:443 ssl crt /x", false},
		{"bind quic4@:443 ssl", "bind quic4@10.0.0.1:443 ssl", true},
		{"bind :80 interface eth0", "bind :80 interface eth1", false},
		{"bind :80 interface eth0", "bind :80", true},
		{"bind :80 namespace a", "bind :80", false},
		{"bind /run/a.sock", "bind unix@/run/a.sock mode 600", true},
		{"bind abns@a", "bind /run/a.sock", false},
		{"bind fd@3", "bind fd@3", false},
		{"bind 10.0.0.1:80", "# bind 10.0.0.1:80", false},
	}
	for _, tt := range tests {
		_, _, got := overlap(binds("frontend a\n "+tt.a+"\n"), binds("frontend b\n "+tt.b+"\n"))
		_, _, reverse := overlap(binds("frontend b\n "+tt.b+"\n"), binds("frontend a\n "+tt.a+"\n"))
		if got != tt.want || reverse != tt.want {
			t.Errorf("%q and %q overlap: %v and %v, want %v", tt.a, tt.b, got, reverse, tt.want)
		}
	}
}

func TestTwoResourcesContendForASocket(t *testing.T) {
	x := newRig(t)
	file := filepath.Join(x.dir, "old.cfg")
	if err := os.WriteFile(file, []byte("global\n\tstats socket /run/haproxy/admin.sock mode 600\nfrontend web\n\tbind 10.0.0.1:80\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := &pb.Resource{Id: "Old", Parameters: map[string]string{"conffile": file}}
	tests := []struct {
		config string
		lines  []int
		want   string // empty: they do not
	}{
		{"frontend f\n\tbind 10.0.0.1:8080\n", nil, ""},
		{"frontend f\n\tbind *:80\n", []int{2}, "it binds *:80 (line 2), and Old binds 10.0.0.1:80 already (line 4 of its conffile)"},
		{"global\n\n\tstats socket /run/haproxy/admin.sock\n", []int{3}, "it binds /run/haproxy/admin.sock (line 3), and Old binds /run/haproxy/admin.sock already (line 2 of its conffile)"},
	}
	for _, tt := range tests {
		err := x.Contends(&pb.Resource{Id: "New", Parameters: map[string]string{"config": tt.config}}, old)
		if tt.want == "" {
			if err != nil {
				t.Errorf("Contends(%q) = %v, want nil", tt.config, err)
			}
			continue
		}
		var p *resources.ParameterError
		if !errors.As(err, &p) || p.Problem != tt.want || p.Parameter != "config" || !slices.Equal(p.Lines, tt.lines) {
			t.Errorf("Contends(%q)\n got %v\nwant parameter config: %s", tt.config, err, tt.want)
		}
	}
}

// Nothing but the agent keeps two of them from sharing an address: haproxy would.
func TestASecondHAProxyDoesNotShareASocket(t *testing.T) {
	x := newRig(t)
	x.serve("hello")
	x.must(t, "start", x.Start)
	second := &pb.Resource{Id: "Second", Parameters: map[string]string{"config": "defaults\n\tmode http\n\ttimeout connect 1s\n\ttimeout client 1s\n\ttimeout server 1s\nfrontend f\n\tbind 127.0.0.1:8000\n"}}
	err := x.Start(t.Context(), second)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:8000 (line 7) is taken: resource WebService binds 127.0.0.1:8000 on this node") {
		t.Errorf("start: %v; want it to name WebService", err)
	}
	if s, err := x.Monitor(t.Context(), second); s != resources.Stopped {
		t.Errorf("after a refused start: %v, %v", s, err)
	}
	second.Parameters["config"] = strings.Replace(second.Parameters["config"], "8000", "8001", 1)
	if err := x.Start(t.Context(), second); err != nil {
		t.Fatalf("start beside the first: %v", err)
	}
	want(t, "hello")
	x.must(t, "stop of the first", x.Stop)
	if s, err := x.Monitor(t.Context(), second); s != resources.Running {
		t.Errorf("the second, after the stop of the first: %v, %v", s, err)
	}
	if err := x.Stop(t.Context(), second); err != nil {
		t.Error(err)
	}
}

func TestTheKernelTellsWhoListens(t *testing.T) {
	x := newRig(t)
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	holder := fmt.Sprintf("127.0.0.1:8000 (line 30) is taken: %s (process %d) listens on ", strings.TrimSpace(string(name)), os.Getpid())
	for address, said := range map[string]string{"127.0.0.1:8000": "127.0.0.1:8000", "0.0.0.0:8000": "0.0.0.0:8000", "[::]:8000": ":8000"} {
		network := "tcp"
		if address == "0.0.0.0:8000" {
			network = "tcp4" // else Go listens on both families
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		x.serve("hello")
		err = x.Start(t.Context(), x.r)
		if err == nil || !strings.HasSuffix(err.Error(), holder+said) {
			t.Errorf("start beside a listener on %s: %v; want %s", address, err, holder+said)
		}
		l.Close()
	}
}
