package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quorate/deploy/lab/vm"
)

// watchdogTimeout is the property of this name in TestE2EWatchdog.
const watchdogTimeout = 5 * time.Second

// TestE2EWatchdog has a machine with a watchdog (softdog) own an address that needs one
// (fencing=watchdog), and lets its agent stand still; with -daemon-runs it is killed in
// another run. The machine is reset within the watchdog's timeout after the lease, and
// another one takes over after that.
func TestE2EWatchdog(t *testing.T) {
	const signal = "for p in $(pidof quorate); do grep -q agent /proc/$p/cmdline && kill -%s $p; done; true"
	how := map[string]string{"freeze": fmt.Sprintf(signal, "STOP")}
	if *daemonRuns > 1 {
		how["kill"] = "touch /run/no-agent; " + fmt.Sprintf(signal, "KILL")
	}
	for name, command := range how {
		t.Run(name, func(t *testing.T) {
			// An emulated machine that gets no time stands still with its clock, which no
			// watchdog helps against. On a busy machine that may be, but not each time.
			for try := range 3 {
				s := newWatchdogScene(t)
				problem := s.bite(command)
				if err := s.Down(t.Context()); err != nil {
					t.Fatal(err)
				}
				if problem == "" {
					return
				}
				t.Logf("try %d: %s", try+1, problem)
			}
			t.Error("never in time")
		})
	}
}

// A watchdogScene is a cluster of two ordinary nodes and two emulated machines, the only
// ones that may run what needs a watchdog.
type watchdogScene struct {
	*scene
	consoles map[string]*vm.Console
}

func newWatchdogScene(t *testing.T) *watchdogScene {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: emulated machines need /dev/net/tun, and so root: a watchdog was not tested")
	}
	quorate, dir := quorateProgram(t), t.TempDir()
	image, err := vm.Build(t.Context(), filepath.Join("..", "..", ".build", "kernel"), quorate, dir)
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: a watchdog was not tested", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	machines := []string{"vm1", "vm2"}
	spec := NewSpec("watchdog", []string{"lvsm", "lvss"}, AgentCommand)
	spec.Program = quorate
	for _, name := range machines {
		spec = spec.With(name)
	}
	for _, name := range machines {
		h := &spec.Hosts[slices.IndexFunc(spec.Hosts, func(h Host) bool { return h.Name == name })]
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		h.Command = image.Command(vm.Host{
			Name: h.Name, Address: h.Address().String() + "/24", Hardware: h.mac(0).String(), Hosts: string(hostsFile(spec)),
		}, filepath.Join(dir, name))
	}
	s := &watchdogScene{scene: dress(t, start(t, spec)), consoles: map[string]*vm.Console{}}
	for _, name := range machines {
		s.consoles[name] = s.open(filepath.Join(dir, name))
	}
	s.play(`
		lvsm# quorate cluster auth lvsm lvss vm1 vm2 -u hacluster -p secret
		lvsm# quorate cluster setup web lvsm lvss vm1 vm2 --profile wan --start --wait
		lvsm# quorate property set watchdog-timeout=` + watchdogTimeout.String() + `
		lvsm# quorate resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP meta fencing=watchdog --wait
		lvsm# quorate why VirtualIP
		says needs a watchdog
	`)
	return s
}

// open connects to a machine, and waits until its agent answers.
func (s *watchdogScene) open(dir string) *vm.Console {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), bootTime)
	defer cancel()
	console, err := vm.OpenConsole(ctx, dir)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = console.Close()
		if log, err := os.ReadFile(filepath.Join(dir, "log")); s.Failed() && err == nil {
			s.Logf("%s said last:\n%s", dir, log[max(0, len(log)-4000):])
		}
	})
	err = await(ctx, "the machine's agent to answer", func() error {
		_, err := console.Run(ctx, "echo secret | quorate cluster password --stdin")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return console
}

// bite does something to the agent of the owner, and measures what comes of it. It
// returns what is wrong with that.
func (s *watchdogScene) bite(command string) (problem string) {
	s.Helper()
	v, err := s.cluster.View(s.Context(), "lvsm")
	if err != nil {
		s.Fatal(err)
	}
	owner := v.Owners[vipResource]
	if said, err := s.consoles[owner].Run(s.Context(), "quorate status --full"); err != nil {
		s.Fatal(err)
	} else {
		s.Logf("%s says:\n%s", owner, said)
	}
	began := now()
	if _, err := s.consoles[owner].Run(s.Context(), command); err != nil {
		s.Fatal(err)
	}
	var reset, taken time.Duration
	err = await(s.Context(), "the reset of "+owner+", and another owner", func() error {
		if reset == 0 && s.ended(owner) {
			reset = now() - began
		}
		v, err := s.cluster.View(s.Context(), "lvsm")
		if err == nil && taken == 0 && v.Owners[vipResource] != owner && v.Owners[vipResource] != "" {
			taken = now() - began
		}
		if err == nil && (reset == 0 || taken == 0) {
			err = fmt.Errorf("reset after %v, taken over after %v", reset, taken)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	const lease = 2 * time.Second
	s.Logf("%s was reset after %v, and taken over from after %v", owner, reset, taken)
	switch most := lease + watchdogTimeout + time.Second; {
	case reset > most:
		return fmt.Sprintf("it was reset after %v, and others count on %v", reset, most)
	case taken < reset || taken < watchdogTimeout*11/10:
		return fmt.Sprintf("it was taken over from after %v, before it may", taken)
	}
	return ""
}

// ended reports whether a machine is off: qemu ends where a machine boots again.
func (s *watchdogScene) ended(name string) bool {
	hosts, err := s.Status(s.Context())
	if err != nil {
		return false
	}
	return slices.ContainsFunc(hosts, func(h HostStatus) bool { return h.Name == name && h.Agent.State == agentEnded })
}
