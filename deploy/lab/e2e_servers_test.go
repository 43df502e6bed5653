package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// serversConfiguration is an HAProxy whose servers have no cookies, so that a drained
// one gets nobody.
const serversConfiguration = `defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
frontend web
    bind :80
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /
    server www1 www1:80 check inter 500ms
    server www2 www2:80 check inter 500ms
`

// TestE2EServers takes servers behind an HAProxy out of service under clients with
// slow downloads, for a while and for good.
func TestE2EServers(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	if !installed("haproxy") {
		t.Skip("SKIPPED: haproxy is not installed")
	}
	if err := os.WriteFile(filepath.Join(s.Shared(), "haproxy.cfg"), []byte(serversConfiguration), 0o644); err != nil {
		t.Fatal(err)
	}
	s.form()
	s.play(`
		lvsm# quorate resource create Web haproxy config=@$SHARED/haproxy.cfg
		lvsm# quorate constraint colocation add Web with VirtualIP INFINITY
		lvsm# quorate constraint location Web prefers lvsm=50
		all on lvsm
	`)
	s.until("web1", "both servers to be up", "quorate status", "2 of 2 up")
	s.drains("www1", 4)
	s.play(`
		web1# quorate status
		says roundrobin  1 of 2 up, 1 drained
		web1# quorate server enable www1
		says serves again
		client# ` + ask(4) + `
		says hello from www1
		lvss# quorate server disable www1 --kept --wait
		says until that is taken back
		lvss# quorate resource config Web
		says server www1 of app disabled
		client# ` + ask(8) + `
		never says hello from www1
		power-off lvsm
		goes to lvss
	`)
	s.until("web1", "the servers to be told of", "quorate server list Web", "1 of 2 up, 1 disabled")
	s.play(`
		client# ` + ask(8) + `
		never says hello from www1
		web1# quorate server list Web app
		says (kept)
		web1# quorate server enable www1 --wait
		client# ` + ask(4) + `
		says hello from www1
		web1# quorate resource config Web
		never says www1 of app
		web1# quorate events
		says server www1 of app drained while Web stays where it is
	`)
	for command, want := range map[string]string{
		"quorate server drain www9":                `server: there is no server "www9"; did you mean www1 or www2?`,
		"quorate server drain www1 --service back": `service: there is no service "back"`,
		"quorate server weight www1 300":           "Absolute weight can only be between 0 and 256",
	} {
		if said := s.fails(2, "web1", command); !strings.Contains(said, want) {
			t.Errorf("%s said %q, want %q", command, said, want)
		}
	}
}

// ask asks for a page n times.
func ask(n int) string {
	return fmt.Sprintf("for i in $(seq %d); do %s; done", n, get("$VIP/80", "GET / HTTP/1.0"))
}

// drains drains a server under slow downloads, half of which it serves. All finish,
// nobody else is sent to it meanwhile, and the command tells how many are left.
func (s *scene) drains(server string, downloads int) {
	s.Helper()
	slow := make([]string, downloads)
	var loading sync.WaitGroup
	for i := range slow {
		loading.Go(func() {
			slow[i], _ = s.Output(s.Context(), "client", "sh", "-c", s.expand(get("$VIP/80", "GET /slow?seconds=10 HTTP/1.0")))
		})
	}
	open := fmt.Sprintf("%d active", downloads)
	s.until("web1", "the downloads to begin", "quorate server list", open)
	drained := make(chan string)
	go func() {
		out, err := s.Output(s.Context(), "lvss", "sh", "-c", "quorate server drain "+server+" --deadline 1min")
		drained <- fmt.Sprintf("%s%v", out, err)
	}()
	s.until("web1", "the drain to begin", "quorate server list", "draining")
	s.play(`
		client# ` + ask(10) + `
		never says hello from ` + server)
	said := <-drained
	s.Logf("the drain said:\n%s", said)
	for _, want := range []string{fmt.Sprintf("%d connections left", downloads/2), "0 connections left\n<nil>"} {
		if !strings.Contains(said, want) {
			s.Errorf("the drain did not say %q", want)
		}
	}
	loading.Wait()
	for _, text := range slow {
		if !strings.Contains(text, "done") {
			s.Errorf("a download did not finish:\n%s", text)
		}
	}
}
