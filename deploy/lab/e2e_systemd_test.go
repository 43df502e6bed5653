package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// systemdProgram is a real one.
const systemdProgram = "/lib/systemd/systemd"

// bootSystemd is what a node runs in place of an agent: a systemd as the first process of
// a PID namespace, with a cgroup of its own, which runs the shipped units of Quorate and
// those of the test. The directory with these comes as $0.
const bootSystemd = `
mkdir -p /run/cgroups
mount -t cgroup2 cgroup2 /run/cgroups
mkdir -p /run/cgroups/quorate-lab-$(hostname)
echo $$ > /run/cgroups/quorate-lab-$(hostname)/cgroup.procs
export UNITS=$0
exec unshare --mount --pid --cgroup --uts --ipc --fork --kill-child=SIGKILL sh -ec '
	mount --make-rprivate /
	mount -t proc proc /proc
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	for dir in /etc/systemd/system /lib/systemd/system /lib/systemd/system-generators; do mount -t tmpfs tmpfs $dir; done
	bin=$(dirname "$(command -v quorate)")
	for unit in $UNITS/*; do sed "s,@SBIN@,$bin,g; s,@SHARED@,${bin%/bin},g" $unit > /etc/systemd/system/$(basename $unit); done
	container=test exec ` + systemdProgram + ` --system --unit=up.target --log-target=console --show-status=no'
`

// mayHaveCgroups fails where a systemd cannot be given a cgroup of its own.
const mayHaveCgroups = `
mount -t cgroup2 cgroup2 /mnt
mkdir -p /mnt/quorate-lab-probe
sh -ec "echo \$\$ > /mnt/quorate-lab-probe/cgroup.procs; unshare --mount --cgroup --pid --fork mount -t cgroup2 cgroup2 /sys/fs/cgroup"
rmdir /mnt/quorate-lab-probe
`

// unitsOfTheTest are beside the shipped ones. stubborn.service does not stop in time.
var unitsOfTheTest = map[string]string{
	"up.target":        "[Unit]\nDefaultDependencies=no\nWants=quorate.service\n",
	"page.service":     "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/busybox httpd -f -p 8000 -h @SHARED@\nRestart=always\n",
	"stubborn.service": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c \"until [ -e /run/give-in ]; do sleep 0.1; done\"\nTimeoutStopSec=1h\n",
}

// newSystemdScene is a lab of which two nodes have a systemd as their first process, and
// the third has none.
func newSystemdScene(t *testing.T) *scene {
	t.Helper()
	switch {
	case testing.Short():
		t.Skip("-short: whole clusters take their time")
	case os.Geteuid() != 0:
		t.Skip("SKIPPED: a systemd in namespaces takes root")
	case exec.Command("test", "-x", systemdProgram).Run() != nil:
		t.Skip("SKIPPED: needs systemd")
	}
	if out, err := exec.Command("unshare", "--mount", "sh", "-ec", mayHaveCgroups).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: needs cgroups that may be made: %v: %s", err, out)
	}
	units := t.TempDir()
	spec := NewSpec("e2e", []string{"lvsm", "lvss", "web1"}, AgentCommand).WithWebServers()
	spec.Program = quorateProgram(t)
	for i, h := range spec.Hosts {
		if h.Name == "lvsm" || h.Name == "lvss" {
			spec.Hosts[i].Command = []string{"sh", "-ec", bootSystemd, units}
		}
	}
	fill := func(name, text string) {
		if err := os.WriteFile(filepath.Join(units, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range unitsOfTheTest {
		fill(name, text)
	}
	for _, name := range []string{"quorate.service", "quorate-warden.service"} {
		shipped, err := os.ReadFile("../systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		fill(name, "[Unit]\nDefaultDependencies=no\n"+string(shipped)) // there is no sysinit.target
	}
	t.Cleanup(removeCgroups)
	return dress(t, start(t, spec))
}

// removeCgroups removes those that the nodes' systemds have left.
func removeCgroups() {
	_ = exec.Command("unshare", "--mount", "sh", "-c", `
		mount -t cgroup2 cgroup2 /mnt
		find /mnt/quorate-lab-* -depth -type d -exec rmdir {} \;`).Run() // what is not empty stays, and does no harm
}

// TestE2ESystemd manages units on nodes that systemd runs, with the agent and the warden
// as the shipped units: start, crash, move, a power-off, and a unit that does not stop in time.
func TestE2ESystemd(t *testing.T) {
	s := newSystemdScene(t)
	s.file(filepath.Join(s.Shared(), "page"), "hello from a unit\n", 0o644)
	s.form()
	s.play(`
		lvsm# quorate resource agents systemd:page
		says systemd:page
		lvsm# pcs resource group add site VirtualIP
		lvsm# pcs resource create Page systemd:page op stop timeout=3s op monitor interval=10s --group site --wait
		lvsm# quorate status
		says Page cannot run on web1
		all on lvsm`)
	s.says("hello from a unit")
	s.play(`lvsm# kill -9 $(pgrep -f "^/bin/busybox httpd")`)
	began := now()
	s.until("lvsm", "the end of the unit", "quorate events --resource Page", "monitor of Page on lvsm failed")
	s.play("all on lvsm")
	s.says("hello from a unit")
	t.Logf("a crash was known and mended within %v, most of it the test's own calm", now()-began)
	t.Run("it moves, and fails over", func(t *testing.T) { s.in(t).losesASystemd() })
	t.Run("a unit that does not stop in time blocks", func(t *testing.T) { s.in(t).doesNotStop() })
	t.Run("what a script mounts is there for all", func(t *testing.T) { s.in(t).mountsForAll() })
}

func (s *scene) losesASystemd() {
	s.Helper()
	s.play(`
		lvsm# pcs resource move site lvss --wait
		all on lvss`)
	s.says("hello from a unit")
	s.play(`
		lvsm# ! pgrep -f "^/bin/busybox httpd"
		lvss# pcs resource clear site`)
	off := s.powerOff("lvss")
	if err := s.await("lvsm"); err != nil {
		s.Fatal(err)
	}
	if took := now() - off; took < 3*time.Second {
		s.Errorf("it started elsewhere after %v, within the time that its stop may take", took)
	} else {
		s.Logf("started elsewhere %v after the power-off", took)
	}
	s.says("hello from a unit")
	s.play("heal lvss")
}

// doesNotStop has the stop of a unit take longer than it may: it is blocked, until a
// person has helped it.
func (s *scene) doesNotStop() {
	s.Helper()
	s.play(`
		lvsm# pcs resource create Stubborn systemd:stubborn op stop timeout=2s op monitor interval=1s --disabled --wait
		lvsm# quorate constraint location Stubborn prefers lvsm=10
		lvsm# quorate resource enable Stubborn --wait
		lvsm# pcs resource move Stubborn lvss`)
	s.eventually("lvss", "quorate status", "Stubborn is blocked: its stop on lvsm failed")
	s.play(`
		lvss# quorate why Stubborn
		says quorate resource cleanup Stubborn
		lvss# ! pgrep -f "^/bin/sleep 1000"
		lvsm# touch /run/give-in
		lvsm# quorate resource cleanup Stubborn --wait`)
	s.runs("Stubborn", "lvss")
	s.play(`
		lvsm# ! pgrep -f "^/bin/sleep 1000"
		lvss# touch /run/give-in
		lvss# pcs resource delete Stubborn --wait`)
}

// mountsForAll has the agent, as the shipped unit runs it, run Debian's Filesystem: a
// mount that the machine has, not the agent alone.
func (s *scene) mountsForAll() {
	s.Helper()
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat/Filesystem"); err != nil {
		s.Skip("SKIPPED: needs resource-agents")
	}
	s.play(`
		lvsm# mkdir -p $SHARED/disk && touch $SHARED/disk/file
		lvsm# pcs resource create Disk ocf:heartbeat:Filesystem device=$SHARED/disk directory=/run/disk fstype=none options=bind op stop timeout=5s --wait
		lvsm# pcs resource move Disk lvsm --wait
		lvsm# nsenter -t $(pgrep -f "^` + systemdProgram + ` --system") -m ls /run/disk/file
		lvsm# pcs resource delete Disk --wait`)
}
