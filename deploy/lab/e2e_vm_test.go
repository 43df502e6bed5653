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

// emulated is the node of a vmScene that has a machine, and a clock, of its own.
const emulated = "vm1"

// A vmScene is a scene with a host in an emulated machine: mostly a cluster of two
// ordinary nodes and this one, which owns the address.
type vmScene struct {
	*scene
	name    string // of the host
	dir     string // of the machine's sockets
	monitor *vm.Monitor
	console *vm.Console
}

func newVMScene(t *testing.T, profile string) *vmScene {
	t.Helper()
	s := emulate(t, func(i vm.Image, h vm.Host, dir string) ([]string, error) { return i.Command(h, dir), nil }, emulated)[0]
	s.found(profile)
	return s
}

// emulate brings up a lab of two ordinary nodes and some in emulated machines, which
// are what become makes of their hosts.
func emulate(t *testing.T, become func(i vm.Image, h vm.Host, dir string) ([]string, error), names ...string) []*vmScene {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: emulated machines need /dev/net/tun, and so root: nothing was tried in one")
	}
	quorate, dir := quorateProgram(t), t.TempDir()
	image, err := vm.Build(t.Context(), filepath.Join("..", "..", ".build", "kernel"), map[string]string{
		"sbin/quorate": quorate, "usr/lib/ocf/resource.d/test/lasting": filepath.Join("testdata", "lasting"),
	}, dir)
	spec := NewSpec("vm", []string{"lvsm", "lvss"}, AgentCommand)
	spec.Program = quorate
	for _, name := range names {
		spec = spec.With(name)
	}
	for _, name := range names {
		i := slices.IndexFunc(spec.Hosts, func(h Host) bool { return h.Name == name })
		h := &spec.Hosts[i]
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		if err == nil {
			h.Command, err = become(image, vm.Host{
				Name: h.Name, Address: h.Address().String() + "/24", Hardware: h.mac(0).String(), Hosts: string(hostsFile(spec)),
			}, filepath.Join(dir, name))
		}
	}
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: nothing was tried in an emulated machine", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	lab := dress(t, start(t, spec))
	var machines []*vmScene
	for _, name := range names {
		s := &vmScene{scene: lab, name: name, dir: filepath.Join(dir, name)}
		s.open()
		s.answers()
		machines = append(machines, s)
	}
	return machines
}

// open connects to the machine, and has it tell how it fared if the test fails.
func (s *vmScene) open() {
	s.Helper()
	s.Cleanup(func() {
		_ = s.monitor.Close()
		_ = s.console.Close()
		if !s.Failed() {
			return
		}
		said, _ := os.ReadFile(s.Log(s.name))
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.Logf("qemu of %s said:\n%s\nthe machine said last:\n%s", s.name, said, log[max(0, len(log)-4000):])
	})
	s.connect()
}

// connect connects to the machine once it has booted.
func (s *vmScene) connect() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), bootTime)
	defer cancel()
	var err error
	if s.monitor, err = vm.OpenMonitor(ctx, s.dir); err != nil {
		s.Fatal(err)
	}
	if s.console, err = vm.OpenConsole(ctx, s.dir); err != nil {
		s.Fatal(err)
	}
	if err := s.monitor.Prefer(); err != nil {
		s.Fatal(err)
	}
}

// answers waits until the machine's agent does.
func (s *vmScene) answers() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), bootTime)
	defer cancel()
	err := await(ctx, "the machine's agent to answer", func() error {
		_, err := s.console.Run(ctx, "echo secret | quorate cluster password --stdin")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}

// shell has the machine's shell run a line, and returns what it printed.
func (s *vmScene) shell(line string) string {
	s.Helper()
	said, err := s.console.Run(s.Context(), line)
	if err != nil {
		s.Fatal(err)
	}
	return said
}

// found makes the cluster, with the address on the machine.
func (s *vmScene) found(profile string) {
	s.Helper()
	s.play(`
		lvsm# quorate cluster auth lvsm lvss vm1 -u hacluster -p secret
		lvsm# quorate cluster setup web lvsm lvss vm1 --profile ` + profile + ` --start --wait
		lvsm# quorate resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP --wait`)
	s.moveHome()
}

// moveHome gives the address to the machine.
func (s *vmScene) moveHome() {
	s.Helper()
	err := await(s.Context(), "the address on "+emulated, func() error {
		v, err := s.cluster.View(s.Context(), "lvsm")
		if err != nil || v.Owners[vipResource] == emulated {
			return err
		}
		return errors.Join(s.types("lvsm", "quorate resource move VirtualIP vm1 --wait=5"), fmt.Errorf("it is on %s", v.Owners[vipResource]))
	})
	if err != nil {
		s.Fatal(err)
	}
}

// TestE2EPausedMachine lets a machine stand still with its clock while it owns
// the address. What it has left of its lease it still has when it goes on, so
// that for this long two nodes serve: only fencing makes it none. It must end
// with the first beats that are refused.
func TestE2EPausedMachine(t *testing.T) {
	s := newVMScene(t, "lan")
	for range 2 {
		watch := s.client("").watch
		if err := s.monitor.Pause(); err != nil {
			t.Fatal(err)
		}
		_, err := s.cluster.AwaitOwner(t.Context(), vipResource, emulated, func(owner string) bool { return owner != emulated })
		if err = errors.Join(err, pause(t.Context(), calm), s.monitor.Resume()); err != nil {
			t.Fatal(err)
		}
		if err := pause(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		seen, err := watch.stop()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("after the pause two nodes answered for %v; the client's gap was %v", seen.meter.Double, seen.tallies[0].Longest)
		if seen.meter.Double > 400*time.Millisecond {
			t.Errorf("two nodes answered for %v, longer than a lease: %+v", seen.meter.Double, seen.meter.Answered)
		}
		s.moveHome()
	}
}

// TestE2EClockIsSet sets the wall clock of the owner by an hour either way,
// which must move nothing. The emulated machine is slow, and its leases long.
func TestE2EClockIsSet(t *testing.T) {
	s := newVMScene(t, "wan")
	for _, by := range []string{"+3600", "-3600", "-3600", "+3600"} {
		watch := s.client("").watch
		if _, err := s.console.Run(t.Context(), "date -s @$(($(date +%s)"+by+"))"); err != nil {
			t.Fatal(err)
		}
		if err := pause(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		seen, err := watch.stop()
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range seen.meter.Answered {
			if span.Node != emulated {
				t.Errorf("clock set by %s s: %s answered for the address: %+v", by, span.Node, seen.meter.Answered)
			}
		}
		t.Logf("clock set by %s s: the client's gap was %v", by, seen.tallies[0].Longest)
		for _, g := range unanswered(seen.tallies[0], 0) {
			if g.Length() > time.Second {
				t.Errorf("clock set by %s s: the client had no answer for %v", by, g.Length())
			}
		}
	}
}
