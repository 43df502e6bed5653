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

// A vmScene is a cluster of two ordinary nodes and one in an emulated machine,
// which owns the address.
type vmScene struct {
	*scene
	monitor *vm.Monitor
	console *vm.Console
	dir     string // of the machine's sockets
}

func newVMScene(t *testing.T, profile string) *vmScene {
	t.Helper()
	s := emulate(t, func(i vm.Image, h vm.Host, dir string) ([]string, error) { return i.Command(h, dir), nil })
	s.found(profile)
	return s
}

// emulate brings up a lab of two ordinary nodes and one in an emulated machine, which
// is what become makes of its host.
func emulate(t *testing.T, become func(i vm.Image, h vm.Host, dir string) ([]string, error)) *vmScene {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: whole clusters take their time")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: emulated machines need /dev/net/tun, and so root: a paused machine and a clock that is set were not tested")
	}
	quorate, dir := quorateProgram(t), t.TempDir()
	image, err := vm.Build(t.Context(), filepath.Join("..", "..", ".build", "kernel"), quorate, dir)
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: a paused machine and a clock that is set were not tested", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	spec := NewSpec("vm", []string{"lvsm", "lvss"}, AgentCommand).With(emulated)
	spec.Program = quorate
	i := slices.IndexFunc(spec.Hosts, func(h Host) bool { return h.Name == emulated })
	h := &spec.Hosts[i]
	h.Command, err = become(image, vm.Host{
		Name: h.Name, Address: h.Address().String() + "/24", Hardware: h.mac(0).String(), Hosts: string(hostsFile(spec)),
	}, dir)
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: the power of a machine was not switched", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &vmScene{scene: dress(t, start(t, spec)), dir: dir}
	s.open(dir)
	return s
}

// open connects to the machine, and waits until its agent answers.
func (s *vmScene) open(dir string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), bootTime)
	defer cancel()
	s.Cleanup(func() {
		if said, err := os.ReadFile(s.Log(emulated)); s.Failed() && err == nil {
			s.Logf("qemu said:\n%s", said)
		}
	})
	var err error
	if s.monitor, err = vm.OpenMonitor(ctx, dir); err != nil {
		s.Fatal(err)
	}
	if s.console, err = vm.OpenConsole(ctx, dir); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = s.monitor.Close()
		_ = s.console.Close()
		if log, err := os.ReadFile(filepath.Join(dir, "log")); s.Failed() && err == nil {
			s.Logf("the machine said last:\n%s", log[max(0, len(log)-4000):])
		}
	})
	err = await(ctx, "the machine's agent to answer", func() error {
		_, err := s.console.Run(ctx, "echo secret | quorate cluster password --stdin")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
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
		if gap := seen.tallies[0].Longest; gap > time.Second {
			t.Errorf("clock set by %s s: the client had no answer for %v", by, gap)
		}
	}
}
