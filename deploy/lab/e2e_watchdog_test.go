package lab

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/deploy/lab/vm"
)

const (
	// watchdogTimeout is the property of this name in TestE2EWatchdog.
	watchdogTimeout = 5 * time.Second
	// wanLease is how long leases are there.
	wanLease = 2 * time.Second
	// watchdogWait is within what time after the last beat that was acked others count on
	// a reset: what the status shows.
	watchdogWait = wanLease*11/10 + 10*time.Millisecond + watchdogTimeout*11/10
)

// A bite is something that befalls an agent, and that the watchdog of its machine has to
// end.
type bite struct {
	name   string
	before func(s *watchdogScene, owner *vmScene) // nil: nothing
	strike string                                 // a line of shell in the machine; $agent is the agent
	rare   bool                                   // tried for figures alone
}

var bites = []bite{
	{"freeze", nil, "kill -STOP $agent", false},
	{"kill", func(_ *watchdogScene, owner *vmScene) { owner.shell("touch /run/no-agent") }, "kill -KILL $agent", true},
	{"kill while the disk hangs", (*watchdogScene).hang, "kill -KILL $agent", false},
}

// TestE2EWatchdog has machines with a watchdog (softdog) own an address that needs one
// (fencing=watchdog), and lets the owner's agent stand still, or kills it while its disk
// hangs; with -daemon-runs it does each so often, and kills it on a sound disk, too. Before
// that it has a stop fail. The machine is reset, and another one takes over after that and
// not before it may.
func TestE2EWatchdog(t *testing.T) {
	s := newWatchdogScene(t)
	t.Run("a stop", func(t *testing.T) { s.in(t).testFailedStops() })
	for _, b := range bites {
		if b.rare && *daemonRuns == 1 {
			continue
		}
		t.Run(b.name, func(t *testing.T) { s.in(t).tries(b) })
	}
}

// A watchdogScene is a cluster of two ordinary nodes and two emulated machines, the only
// ones that may run what needs a watchdog.
type watchdogScene struct {
	*scene
	machines map[string]*vmScene
}

func newWatchdogScene(t *testing.T) *watchdogScene {
	t.Helper()
	machines := emulate(t, func(i vm.Image, h vm.Host, dir string) ([]string, error) {
		h.Disk = filepath.Join(dir, "disk")
		return i.Command(h, dir), vm.MakeDisk(t.Context(), h.Disk)
	}, "vm1", "vm2")
	s := &watchdogScene{machines[0].scene, map[string]*vmScene{"vm1": machines[0], "vm2": machines[1]}}
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

// in is the scene for a part of its test.
func (s *watchdogScene) in(t *testing.T) *watchdogScene {
	t.Helper()
	part := &watchdogScene{s.scene.in(t), map[string]*vmScene{}}
	for name, m := range s.machines {
		m.scene = part.scene
		part.machines[name] = m
	}
	return part
}

// tries has the watchdog bite as often as it shall.
func (s *watchdogScene) tries(b bite) {
	s.Helper()
	var resets, takeovers []time.Duration
	for range *daemonRuns {
		reset, taken := s.bites(b)
		resets, takeovers = append(resets, reset), append(takeovers, taken)
	}
	s.Logf("%s, tried %d times: the machine was reset after %s; another one had the address after %s", b.name, len(resets), spread(resets), spread(takeovers))
}

// spread is the least, the middle and the greatest of some times.
func spread(list []time.Duration) string {
	slices.Sort(list)
	round := func(i int) time.Duration { return list[i].Round(10 * time.Millisecond) }
	return fmt.Sprintf("%v at least, %v in the middle, %v at most", round(0), round(len(list)/2), round(len(list)-1))
}

// bites does something to the agent of the owner, and measures when after that the
// machine was reset and another one had the address. It stays off.
func (s *watchdogScene) bites(b bite) (reset, taken time.Duration) {
	s.Helper()
	s.boot()
	owner := s.machines[s.machineOf(vipResource)]
	s.Logf("%s says:\n%s", owner.name, owner.shell("quorate status --full"))
	if b.before != nil {
		b.before(s, owner)
	}
	owner.shell(`agent=$(for p in $(pidof quorate); do grep -q agent /proc/$p/cmdline && echo $p; done); [ -d "/proc/$agent" ]`)
	stop, err := s.Meter(VIP)
	if err != nil {
		s.Fatal(err)
	}
	began := now()
	owner.shell(b.strike)
	struck := now()
	err = await(s.Context(), "the reset of "+owner.name+", and another owner", func() error {
		if reset == 0 && s.ended(owner.name) {
			reset = now() - struck
		}
		v, err := s.cluster.View(s.Context(), "lvsm")
		if next := v.Owners[vipResource]; err == nil && taken == 0 && next != owner.name && next != "" {
			taken = now() - struck
		}
		if err == nil && (reset == 0 || taken == 0) {
			err = fmt.Errorf("reset after %v, taken over after %v", reset, taken)
		}
		return err
	})
	seen, meterErr := stop()
	if err != nil || meterErr != nil {
		s.Fatal(err, meterErr)
	}
	s.Logf("%s: struck within %v; %s was reset %v after that, and taken over from after %v", b.name, struck-began, owner.name, reset, taken)
	// The last beat was less than a lease before the strike, as the lease was held.
	if taken < reset || taken+struck-began < watchdogWait-wanLease {
		s.Errorf("it was taken over from after %v, reset after %v; others have to wait until it was, and %v after its last beat", taken, reset, watchdogWait)
	}
	if seen.Double > 0 {
		s.Errorf("two nodes answered for %v: %+v", seen.Double, seen.Answered)
	}
	return reset, taken
}

// hang has the disk hang on which the machine's agent keeps its data: what is written
// there waits, and who writes cannot even be killed. That alone ends no lease and feeds
// the watchdog on.
func (s *watchdogScene) hang(owner *vmScene) {
	s.Helper()
	owner.shell("fsfreeze --freeze /var/lib/quorate")
	s.play("lvsm# quorate node attribute lvsm seen=" + fmt.Sprint(now().Nanoseconds())) // which it has to write
	s.eventually("lvsm", "quorate status", "disk of "+owner.name+" hangs")
	if now := s.ownerOf("lvsm"); now != owner.name {
		s.Errorf("the address moved to %s as the disk of %s hung", now, owner.name)
	}
	said := owner.shell("quorate status --full || true")
	if !strings.Contains(said, "watchdog armed") {
		s.Errorf("%s says of its watchdog while its disk hangs:\n%s", owner.name, said)
	}
}

// boot gives machines that were reset their power again, and waits until they are
// members.
func (s *watchdogScene) boot() {
	s.Helper()
	for _, m := range s.machines {
		if !s.ended(m.name) {
			continue
		}
		for _, f := range []Fault{PowerOff, Heal} {
			if _, err := s.Fault(s.Context(), f, m.name); err != nil {
				s.Fatal(err)
			}
		}
		m.comesBack()
	}
}

// machineOf waits until a resource runs on a machine, and tells on which.
func (s *watchdogScene) machineOf(resource string) (name string) {
	s.Helper()
	err := await(s.Context(), resource+" on a machine", func() error {
		v, err := s.cluster.View(s.Context(), "lvsm")
		name = v.Owners[resource]
		if err == nil && s.machines[name] == nil {
			err = fmt.Errorf("it is on %q", name)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return name
}

// ended reports whether a machine is off: qemu ends where a machine boots again.
func (s *watchdogScene) ended(name string) bool {
	hosts, err := s.Status(s.Context())
	if err != nil {
		return false
	}
	return slices.ContainsFunc(hosts, func(h HostStatus) bool { return h.Name == name && h.Agent.State == agentEnded })
}
