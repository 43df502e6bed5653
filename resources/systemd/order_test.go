package systemd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/resources"
)

// writeUnit writes a unit of the test's own.
func writeUnit(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("/etc/systemd/system", name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	reloaded(t)
	t.Cleanup(func() {
		_ = os.Remove(path)
		reloaded(t)
	})
}

// do has systemd do a job, and returns how it ended.
func do(t *testing.T, ask request, unit, mode string) string {
	t.Helper()
	result := make(chan string, 1)
	if _, err := ask(t.Context(), unit, mode, result); err != nil {
		t.Fatal(err)
	}
	select {
	case said := <-result:
		return said
	case <-time.After(30 * time.Second):
		t.Fatalf("the job for %s has not ended", unit)
		return ""
	}
}

// stopped waits until nothing of a unit runs.
func stopped(t *testing.T, unit string) {
	t.Helper()
	a := New(Config{}).Find("systemd:" + unit).(*Agent)
	f, err := follow()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		u, err := a.read(t.Context(), f.Conn)
		if err != nil {
			t.Fatal(err)
		}
		if u.isDown() {
			return
		}
		if err := f.next(t.Context(), u.id); err != nil {
			t.Fatal(err)
		}
	}
}

// At a shutdown the agent hands its work over first: its stop of the unit must not
// wait for the one that systemd has in store, which waits for the agent.
func TestAShutdownLetsTheAgentStopItsUnits(t *testing.T) {
	x := newRig(t, "worker", sleeper)
	out := filepath.Join(t.TempDir(), "out")
	if err := os.Chmod(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	writeUnit(t, "quorate.service", fmt.Sprintf(`[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
Environment="%s=stop worker"
ExecStop=%s
StandardOutput=file:%s
`, inside, os.Args[0], out))
	c := conn(t)
	x.must(t, "start", x.Start)
	if said := do(t, c.StartUnitContext, "quorate.service", "replace"); said != "done" {
		t.Fatalf("start of quorate.service: %s", said)
	}
	began := time.Now()
	if said := do(t, c.StartUnitContext, "down.target", "isolate"); said != "done" {
		t.Fatalf("isolate: %s", said)
	}
	stopped(t, "quorate.service")
	took := time.Since(began)
	t.Logf("all is stopped after %v", took.Round(time.Millisecond))
	x.is(t, resources.Stopped, "")
	if text, err := os.ReadFile(out); err != nil || len(text) > 0 { // it says so when it waits for 10 s
		t.Errorf("after %v the agent said %q, %v", took, text, err)
	}
	if said := do(t, c.StartUnitContext, "up.target", "isolate"); said != "done" {
		t.Fatalf("back: %s", said)
	}
}

// What deploy/systemd leaves the agent of root's rights is enough, as it is shipped and
// with the drop-in that takes most of them.
func TestTheAgentsServiceMayRunUnits(t *testing.T) {
	for name, files := range map[string][]string{"shipped": {"quorate.service"}, "hardened": {"quorate.service", "hardened.conf"}} {
		t.Run(name, func(t *testing.T) { servedBy(t, name, restrictions(t, files...)) })
	}
}

// restrictions are the lines of units that take rights from a service.
func restrictions(t *testing.T, files ...string) (lines []string) {
	t.Helper()
	for _, file := range files {
		shipped, err := os.ReadFile("../../deploy/systemd/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(shipped)) {
			switch name, _, _ := strings.Cut(strings.TrimSpace(line), "="); name {
			case "CapabilityBoundingSet", "NoNewPrivileges", "ProtectClock", "ProtectKernelLogs", "RestrictSUIDSGID", "LockPersonality", "LimitRTPRIO":
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func servedBy(t *testing.T, name string, restrictions []string) {
	unitName := "served-" + name
	x, out := newRig(t, unitName, sleeper), filepath.Join(t.TempDir(), "out")
	unit := append([]string{"[Unit]", "DefaultDependencies=no", "[Service]", "Type=oneshot", "StandardOutput=file:" + out}, restrictions...)
	for _, verb := range []string{"start", "stop"} {
		name := "agent-" + verb + "-" + name + ".service"
		writeUnit(t, name, strings.Join(append(unit, fmt.Sprintf(`Environment="%s=%s %s"`, inside, verb, unitName), "ExecStart="+os.Args[0], ""), "\n"))
		if said := do(t, conn(t).StartUnitContext, name, "replace"); said != "done" {
			text, _ := os.ReadFile(out)
			t.Errorf("%s: %s, it says %s", verb, said, text)
		}
		x.is(t, map[string]resources.State{"start": resources.Running, "stop": resources.Stopped}[verb], "")
	}
}
