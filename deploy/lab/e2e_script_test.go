package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestE2EScript has a script of Debian's resource-agents keep a real daemon
// beside the address: after the daemon was killed it runs again where it was,
// and after a power-off on another node, but not before the time has passed that
// its stop may take (S4).
func TestE2EScript(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/anything"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	if err := os.WriteFile(filepath.Join(s.Shared(), "page"), []byte("hello from a script\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.form()
	s.play(`
		lvss# quorate resource describe ocf:heartbeat:anything
		says binfile
		lvsm# pcs resource group add site VirtualIP
		lvsm# pcs resource create Daemon ocf:heartbeat:anything binfile=/bin/busybox cmdline_options="httpd -f -p 8000 -h $SHARED" tpyo=1 op monitor interval=1s op stop timeout=5s --group site 2>&1
		says tpyo
		all on lvsm
	`)
	s.says("hello from a script")
	s.play("lvsm# kill -9 $(cat /var/run/anything_Daemon.pid)")
	s.until("lvsm", "the death of the daemon", "quorate events", "monitor of Daemon on lvsm failed")
	s.play("all on lvsm")
	s.says("hello from a script")
	off := s.powerOff("lvsm")
	if err := s.await("lvss"); err != nil {
		t.Fatal(err)
	}
	if took := now() - off; took < 5*time.Second {
		t.Errorf("the daemon started elsewhere after %v, within the time that its stop may take", took)
	} else {
		t.Logf("it started elsewhere after %v", took)
	}
	s.says("hello from a script")
	s.play(`
		lvss# pcs resource delete site --wait
		lvss# ! pgrep -f '[h]ttpd -f'
	`)
}
