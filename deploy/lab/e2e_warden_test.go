package lab

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var daemonRuns = flag.Int("daemon-runs", 1, "how often TestE2EWarden kills and freezes the agent of a daemon's node, each")

// daemon serves pages, and notes if it runs twice in the lab: what it holds a lock on
// all hosts see.
const daemon = `#!/bin/sh
exec 9>> "$SHARED/lock"
flock -n 9 || hostname >> "$SHARED/twice"
exec /bin/busybox httpd -f -p 8000 -h "$SHARED"
`

// daemonStop is how long the daemon's stop may take: what others wait for it.
const daemonStop = 2 * time.Second

// TestE2EWarden kills and freezes the agent of the node on which a script of Debian's
// resource-agents runs a real daemon. The warden ends it with the lease, and it starts
// on another node not before it may: it never runs twice (S1, S4).
func TestE2EWarden(t *testing.T) {
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/anything"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	s := newScene(t, "lvsm", "lvss", "web1")
	files := map[string]string{"page": "hello from a script\n", "daemon": s.expand(daemon)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Shared(), name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.form()
	s.play(`
		lvsm# pcs resource group add site VirtualIP
		lvsm# pcs resource create Daemon ocf:heartbeat:anything binfile=$SHARED/daemon op monitor interval=1s op stop timeout=` + daemonStop.String() + ` --group site 2>&1
		lvsm# pcs resource defaults failback=manual
		all on lvsm
	`)
	owner := "lvsm"
	for _, fault := range []Fault{Kill, Freeze} {
		var ends, gaps []time.Duration
		for range *daemonRuns {
			next, ended, gap := s.orphan(fault, owner)
			ends, gaps, owner = append(ends, ended), append(gaps, gap), next
		}
		t.Logf("%s, tried %d times: the daemon ended after %s; it ran again after %s", fault, len(ends), spread(ends), spread(gaps))
	}
	if twice, err := os.ReadFile(filepath.Join(s.Shared(), "twice")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the daemon was started while it ran, on %s (%v)", twice, err)
	}
	s.play(owner + "# quorate events\nsays the warden killed")
}

// orphan strikes the agent of the daemon's node. It returns where the daemon runs
// then, and when after the fault it ended and ran again.
func (s *scene) orphan(fault Fault, owner string) (next string, ended, again time.Duration) {
	s.Helper()
	began := now()
	if _, err := s.Fault(s.Context(), fault, owner); err != nil {
		s.Fatal(err)
	}
	s.play(owner + "# timeout 10 flock $SHARED/lock true")
	ended = now() - began
	err := await(s.Context(), "the daemon on another node", func() error {
		for _, n := range s.Spec.Nodes() {
			if n != owner && s.allSaidOn(n) == nil {
				next = n
				return nil
			}
		}
		return fmt.Errorf("it runs nowhere else than on %s", owner)
	})
	if err != nil {
		s.Fatal(err)
	}
	again = now() - began
	if ended > time.Second {
		s.Errorf("%s: the daemon ended after %v, and the lease after 400 ms at most", fault, ended)
	}
	if again < daemonStop {
		s.Errorf("%s: the daemon ran again after %v, within the time that others wait for it", fault, again)
	}
	s.says("hello from a script")
	s.play("heal " + owner)
	s.play(owner + "# ! pgrep -f '[h]ttpd -f'")
	return next, ended, again
}
