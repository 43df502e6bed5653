package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// haproxyConfiguration is one as distributions ship it and tutorials complete it.
const haproxyConfiguration = `global
    log /dev/log local0
    log /dev/log local1 notice
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin expose-fd listeners
    stats timeout 30s
    user haproxy
    group haproxy
    daemon
    maxconn 4000

defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000

listen stats
    bind 10.77.0.100:8080
    stats enable
    stats uri /
    stats realm HAProxy\ Statistics
    stats auth admin:secret

frontend web
    bind 10.77.0.100:80
    default_backend servers

backend servers
    balance roundrobin
    cookie SERVERID insert indirect nocache
    option httpchk
    server www1 www1:80 cookie www1 check inter 2000 rise 2 fall 5
    server www2 www2:80 cookie www2 check inter 2000 rise 2 fall 5
`

// writeHAProxyConfiguration puts it where all nodes see it.
func (s *scene) writeHAProxyConfiguration() {
	s.Helper()
	if !installed("haproxy") {
		s.Skip("SKIPPED: haproxy is not installed")
	}
	if err := os.WriteFile(filepath.Join(s.Shared(), "haproxy.cfg"), []byte(haproxyConfiguration), 0o644); err != nil {
		s.Fatal(err)
	}
}

// TestE2EHAProxy moves it about under a client that asks for a page all the
// time, and sees the switches and nothing else.
func TestE2EHAProxy(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	s.form()
	s.play(`
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg op monitor interval=20 timeout=10
		lvsm# pcs constraint colocation add WebService with VirtualIP INFINITY
		lvsm# pcs constraint location WebService prefers lvsm=50
		all on lvsm
	`)
	s.serves()
	client := s.client("http://$VIP/")
	var switches []Span
	for _, tt := range []struct{ event, owner string }{
		{"power-off lvsm", "lvss"},
		{"heal lvsm", "lvsm"},
		{"lvss# pcs cluster stop lvsm", "lvss"},
		{"lvss# pcs cluster start lvsm", "lvsm"},
	} {
		began := now()
		s.play(tt.event)
		if err := s.await(tt.owner); err != nil {
			t.Fatal(err)
		}
		switches = append(switches, Span{Node: tt.owner, From: began, To: now()})
		s.play("all on " + tt.owner)
	}
	seen := client.ends("lvsm")
	s.serves() // now that nobody else takes turns
	for status := range seen.tallies[1].Answers {
		if strings.HasPrefix(status, "5") {
			t.Errorf("answers by status: %v", seen.tallies[1].Answers)
		}
	}
	for _, tally := range seen.tallies {
		for _, g := range tally.Gaps {
			if (tally.Kind == "icmp" && g.Lost > g.Late || g.Bad > 0) && !within(g, switches) {
				t.Errorf("%s: %v, and %d bad answers, outside of any switch: from %v to %v of %+v", tally.Kind, g, g.Bad, g.From, g.To, switches)
			}
			if g.Silence() > longestGap {
				t.Errorf("%s: %v", tally.Kind, g)
			}
		}
	}
	s.play(`
		lvsm# pcs resource failcount show
		says No failures
		lvsm# quorate events -n 0 -o json
		says WebService failed over from lvsm to lvss
		never says operation-failed
	`)
}

// TestE2EOrdinaryUser does the same as a user without any rights, whose lab has
// no users but one: user and group of the configuration are passed over there.
func TestE2EOrdinaryUser(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	asOrdinaryUser(t, "TestE2EHAProxy", programVariable+"="+quorateProgram(t))
}

// within tells whether a gap is of one of the times.
func within(g Gap, times []Span) bool {
	return slices.ContainsFunc(times, func(s Span) bool { return g.From < s.To && g.To > s.From })
}

// serves asks for what the configuration promises: turns and cookies of both
// servers, and statistics for those with the password.
func (s *scene) serves() {
	s.Helper()
	s.play(`
		client# ` + get("$VIP/80", "GET / HTTP/1.0") + `
		says 200 OK
		says set-cookie: SERVERID=www
		client# for i in 1 2; do ` + get("$VIP/80", "GET / HTTP/1.0") + `; done
		says hello from www1
		says hello from www2
		client# for i in 1 2; do ` + get("$VIP/80", "GET / HTTP/1.0", "Cookie: SERVERID=www2") + `; done
		says hello from www2
		never says hello from www1
		client# ` + get("$VIP/8080", "GET / HTTP/1.0") + `
		says 401 Unauthorized
		client# ` + get("$VIP/8080", "GET / HTTP/1.0", "Authorization: Basic YWRtaW46c2VjcmV0") + `
		says Statistics Report
	`)
}

// get is a command that sends lines to a place and prints the answer.
func get(place string, lines ...string) string {
	request := strings.Join(append(lines, "", ""), `\r\n`)
	return `bash -c 'exec 3<>/dev/tcp/` + place + `; printf "` + request + `" >&3; cat <&3'`
}
