package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2EConfigurationInTheCluster edits the configuration of a HAProxy under a
// client, who sees nothing of it, and of which the servers' states outlive it. What
// is wrong with an edit is shown, and changes nothing.
func TestE2EConfigurationInTheCluster(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	s.form()
	s.play(`
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg
		lvsm# pcs constraint colocation add WebService with VirtualIP INFINITY
		lvsm# pcs constraint location WebService prefers lvsm=50
		all on lvsm
		lvss# quorate resource config diff WebService
		says haproxy.cfg is the same on lvsm, lvss, web1
		lvss# sed -i 's/stats realm .*/stats realm Edited/' $SHARED/haproxy.cfg && quorate resource reload WebService --wait
	`)
	// The former worker may have taken one more.
	s.eventually("client", s.expand(get("$VIP/8080", "GET / HTTP/1.0")), `Basic realm="Edited"`)
	s.play(`
		lvss# quorate events -o json
		never says operation-failed
		lvss# quorate resource config set WebService $SHARED/haproxy.cfg --wait
		lvss# quorate resource config show WebService
		says server www1 www1:80
		lvsm# quorate server disable www1 --wait
	`)
	client := s.client("http://$VIP/")
	s.edits("s/maxconn 4000/maxconn 5000/")
	s.edits("s/balance roundrobin/balance leastconn/")
	s.lostNothing(client.ends("lvsm"))
	s.play(`
		client# for i in 1 2 3 4; do ` + get("$VIP/80", "GET / HTTP/1.0") + `; done
		says hello from www2
		never says hello from www1
		lvsm# quorate server enable www1 --wait
	`)
	s.serves()
	t.Run("a wrong edit changes nothing", func(t *testing.T) { s.in(t).editsWrongly() })
	t.Run("a second one may not bind the same", func(t *testing.T) { s.in(t).contends() })
	s.play(`
		power-off lvsm
		all on lvss
	`)
	s.serves()
}

// edits changes the configuration as in an editor, on a node that does not run it.
func (s *scene) edits(how string) {
	s.Helper()
	s.play(`lvss# EDITOR="sed -i '` + how + `'" quorate resource config edit WebService --wait`)
}

func (s *scene) editsWrongly() {
	s.Helper()
	s.play(`
		lvss# EDITOR="sed -i 's/bind $VIP:80$/bnid $VIP:80/'" TMPDIR=$SHARED quorate resource config edit WebService 2>&1; echo status $?; cat $SHARED/quorate-*/WebService.cfg
		says  >   29 |     bnid $VIP:80
		says config: parsing [config:29] : unknown keyword 'bnid' in 'frontend' section
		says status 2
		says what you wrote is kept in
		lvsm# quorate resource config show WebService
		never says bnid
	`)
	s.serves()
}

func (s *scene) contends() {
	s.Helper()
	second := "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\nlisten second\n    bind *:8080\n"
	if err := os.WriteFile(filepath.Join(s.Shared(), "second.cfg"), []byte(second), 0o644); err != nil {
		s.Fatal(err)
	}
	says := s.fails(2, "lvsm", "quorate resource create Second haproxy config=@"+s.Shared()+"/second.cfg")
	if want := "config: it binds *:8080 (line 7), and WebService binds 10.77.0.100:8080 already (line 22 of its config)"; !strings.Contains(says, want) {
		s.Errorf("want it to say %q", want)
	}
	s.play(`
		lvsm# sed -i s/8080/8081/ $SHARED/second.cfg
		lvsm# quorate resource create Second haproxy config=@$SHARED/second.cfg --wait
		lvsm# quorate constraint colocation add Second with WebService INFINITY --wait
		all on lvsm
		client# ` + get("lvsm/8081", "GET / HTTP/1.0") + `
		says 503 Service Unavailable
		lvsm# quorate resource delete Second --wait
	`)
	s.serves()
}
