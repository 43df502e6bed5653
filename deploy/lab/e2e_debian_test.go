package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unpacked is where make deps puts the packages of servers.
const unpacked = "../../.build/servers"

// unpackedProgram finds a program below unpacked, or of the system, and puts a shell
// script that runs it with its libraries into the lab's directory for all hosts. It is
// called the same as the program.
func (s *scene) unpackedProgram(pattern string) string {
	s.Helper()
	below, err := filepath.Abs(unpacked)
	if err != nil {
		s.Fatal(err)
	}
	for _, root := range []string{below, ""} {
		found, _ := filepath.Glob(root + pattern) // the pattern is well formed
		if len(found) == 0 {
			continue
		}
		libraries, _ := filepath.Glob(root + "/usr/lib/*-linux-gnu*")
		name := filepath.Join(s.Shared(), filepath.Base(found[0]))
		text := fmt.Sprintf("#!/bin/bash\nexport LD_LIBRARY_PATH=%s\nexec -a \"$0\" %s \"$@\"\n", strings.Join(libraries, ":"), found[0])
		if root == "" {
			text = fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", found[0])
		}
		s.file(name, text, 0o755)
		return name
	}
	s.Skipf("NOT TESTED: there is no %s, neither in %s, where make deps puts it, nor on this system", pattern, below)
	return ""
}

// stackOfScripts is a group of what Debian's scripts run: an address, the source of what
// goes out, a disk, a web server that serves what is on it, and mails about all that.
const stackOfScripts = `
	lvsm# pcs resource create Addr script:ocf:heartbeat:IPaddr2 ip=10.77.0.101 cidr_netmask=24 op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Source ocf:heartbeat:IPsrcaddr ipaddress=10.77.0.101 cidr_netmask=24 op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Disk ocf:heartbeat:Filesystem device=$SHARED/disk directory=/run/disk fstype=none options=bind force_unmount=false op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Web ocf:heartbeat:nginx httpd=$SHARED/nginx configfile=$SHARED/nginx.conf port=8080 status10url=http://127.0.0.1:8080/nginx_status op stop timeout=3s op monitor interval=1s op monitor interval=2s OCF_CHECK_LEVEL=10 --group stack
	lvsm# pcs resource create Wait ocf:heartbeat:Delay startdelay=0 stopdelay=0 mondelay=0 op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Nothing ocf:heartbeat:Dummy state=/run/nothing op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Mail ocf:heartbeat:MailTo email=root subject=Stack op stop timeout=3s op monitor interval=1s --group stack
	lvsm# pcs resource create Page ocf:heartbeat:ClusterMon htmlfile=/run/status.html pidfile=/run/page.pid update=1000 op stop timeout=3s op monitor interval=1s --group stack --wait`

const nginxConfiguration = `
pid /run/nginx.pid;
error_log /run/nginx.log;
user root;
events {}
http {
	access_log off;
	client_body_temp_path /run/nginx-body; proxy_temp_path /run/nginx-proxy; fastcgi_temp_path /run/nginx-fastcgi;
	uwsgi_temp_path /run/nginx-uwsgi; scgi_temp_path /run/nginx-scgi;
	server { listen 8080; root /run/disk; location /nginx_status { stub_status; } }
}
`

// TestE2EScriptsOfDebian has a stack of what unmodified scripts run start, lose one of
// its parts, move, and fail over with its node; and a disk that cannot be unmounted block
// it, and have its node fenced where that is the policy.
func TestE2EScriptsOfDebian(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/nginx"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	if err := s.cluster.Form(t.Context(), Shape{}); err != nil { // IPsrcaddr takes no address of its network with /32 for another one
		t.Fatal(err)
	}
	s.unpackedProgram("/usr/sbin/nginx")
	s.file(filepath.Join(s.Shared(), "nginx.conf"), nginxConfiguration, 0o644)
	s.file(filepath.Join(s.dir.bin(), "mail"), "#!/bin/sh\n{ echo \"to $*\"; cat; } >> "+s.Shared()+"/mailbox\n", 0o755)
	s.play(`
		lvsm# mkdir $SHARED/disk && echo from the disk > $SHARED/disk/page
		lvsm# ip route add default via 10.77.0.254
		lvss# ip route add default via 10.77.0.254
		web1# ip route add default via 10.77.0.254` + stackOfScripts + `
		lvsm# pcs constraint location stack prefers lvsm=50
		lvsm# pcs constraint location stack avoids web1`)
	s.stands("lvsm")
	s.play(`lvsm# grep Takeover $SHARED/mailbox`)
	t.Run("a killed daemon is recovered", func(t *testing.T) { s.in(t).losesParts() })
	t.Run("it moves, and fails over", func(t *testing.T) { s.in(t).losesTheNodeOfScripts() })
	t.Run("a stop that fails blocks it", func(t *testing.T) { s.in(t).cannotUnmount() })
	t.Run("a stop that fails has its node fenced", func(t *testing.T) { s.in(t).cannotUnmountAndIsFenced() })
}

// stands waits until the whole stack runs on a node, and looks at what it does there.
func (s *scene) stands(node string) {
	s.Helper()
	for _, r := range []string{"Addr", "Source", "Disk", "Web", "Wait", "Nothing", "Mail", "Page"} {
		s.runs(r, node)
	}
	s.play(node + `# ip route get 10.77.0.254 | grep -q "src 10.77.0.101" || ip route show default | grep "src 10.77.0.101"
		` + node + `# mountpoint /run/disk
		client# ` + get("10.77.0.101/8080", "GET /page HTTP/1.0") + `
		says from the disk`)
	s.eventually(node, "cat /run/status.html || true", "Nothing  ocf:heartbeat:Dummy")
}

func (s *scene) losesParts() {
	s.Helper()
	for _, part := range []struct{ resource, command string }{
		{"Web", "pkill -9 -x nginx"},
		{"Nothing", "rm /run/nothing"},
		{"Page", "kill -9 $(cat /run/page.pid)"},
		{"Disk", "umount -l /run/disk"},
	} {
		s.play("lvsm# " + part.command)
		began := now()
		s.until("lvsm", "an event of "+part.resource, "quorate events --resource "+part.resource, "monitor of "+part.resource+" on lvsm failed")
		s.stands("lvsm")
		s.Logf("%s: stands again %v after %q", part.resource, now()-began, part.command)
		s.play("lvsm# quorate resource cleanup " + part.resource + " --wait")
	}
}

func (s *scene) losesTheNodeOfScripts() {
	s.Helper()
	began := now()
	s.play("lvsm# pcs node standby lvsm --wait")
	s.stands("lvss")
	s.Logf("moved in %v", now()-began)
	s.play("lvsm# ! mountpoint -q /run/disk\nlvsm# ! ls /run/nginx.pid\nlvsm# pcs node unstandby lvsm --wait")
	s.stands("lvsm")
	began = now()
	s.play("power-off lvsm")
	s.stands("lvss")
	if took := now() - began; took < 3*time.Second {
		s.Errorf("it started elsewhere after %v, within the time that its stop may take", took)
	} else {
		s.Logf("failed over in %v", took)
	}
	s.play(`
		heal lvsm
		lvsm# ip route add default via 10.77.0.254
		lvsm# quorate resource cleanup --wait`) // of what missed the route before
	s.stands("lvsm")
}

// cannotUnmount keeps the disk busy, so that Filesystem's stop fails: the resource stays
// where it is, and nothing starts elsewhere, until a person has mended it.
func (s *scene) cannotUnmount() {
	s.Helper()
	s.play(`
		lvsm# cd /run/disk && setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $! > /run/sleeper
		lvsm# pcs resource move stack lvss`)
	s.eventually("lvss", "quorate status", "Disk is blocked: its stop on lvsm failed")
	s.play(`
		lvss# quorate status
		says stop it by hand, then run ` + "`quorate resource cleanup Disk`" + `
		lvss# ! mountpoint -q /run/disk
		lvsm# kill $(cat /run/sleeper)
		lvsm# quorate resource cleanup Disk --wait`)
	s.stands("lvss")
	s.play("lvsm# pcs resource clear stack --wait")
	s.stands("lvsm")
}

// cannotUnmountAndIsFenced does so where a failed stop is to be fenced.
func (s *scene) cannotUnmountAndIsFenced() {
	s.Helper()
	s.play(fmt.Sprintf(powered, "lvsm lvss web1") + `
		lvsm# quorate property set fencing=stop
		lvsm# quorate resource update Disk op stop timeout=3s on-fail=fence`)
	s.eventually("lvss", "quorate stonith", "works, tested by")
	s.play(`
		lvsm# cd /run/disk && setsid sleep 1000 >/dev/null 2>&1 </dev/null &
		lvsm# pcs resource move stack lvss`)
	began := now()
	s.eventually("lvss", "quorate stonith history show lvsm", "was off for certain (bmc, by")
	s.stands("lvss")
	s.Logf("fenced and started elsewhere %v after the move was asked for", now()-began)
	s.play(`
		lvss# quorate events -n 0
		says lvsm is to be fenced: the stop of Disk there failed`)
	s.rejoins("lvsm")
}
