package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// sleeper is a service that runs until it is stopped.
const sleeper = "ExecStart=/bin/sleep infinity\n"

// A rig is an agent of one unit that the test wrote.
type rig struct {
	*Agent
	r *pb.Resource
}

// newRig writes a unit, without anything that would start more than the unit, and
// has systemd read it.
func newRig(t *testing.T, unit, service string) *rig {
	t.Helper()
	need(t)
	x := &rig{Agent: New(Config{}).Find("systemd:" + unit).(*Agent), r: &pb.Resource{Id: "Service", Agent: "systemd:" + unit}}
	x.write(t, service)
	reloaded(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := x.Halt(ctx, x.r); err != nil {
			t.Errorf("halt: %v", err)
		}
		_ = os.Remove(x.path())
		reloaded(t)
	})
	return x
}

func (x *rig) path() string { return filepath.Join("/etc/systemd/system", x.unit) }

func (x *rig) write(t *testing.T, service string) {
	t.Helper()
	text := "[Unit]\nDescription=of a test\nDefaultDependencies=no\n[Service]\n" + service
	if err := os.WriteFile(x.path(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// conn is a connection of the test's own.
func conn(t *testing.T) *dbus.Conn {
	t.Helper()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func reloaded(t *testing.T) {
	t.Helper()
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ReloadContext(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (x *rig) must(t *testing.T, what string, f func(context.Context, *pb.Resource) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if err := f(ctx, x.r); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s took %v", what, time.Since(began).Round(100*time.Microsecond))
}

// is checks what a monitor finds, and what it says of it.
func (x *rig) is(t *testing.T, want resources.State, says string) {
	t.Helper()
	x.isWithin(t, 10*time.Second, want, says)
}

// isWithin bounds how long the monitor waits for a unit that starts or stops.
func (x *rig) isWithin(t *testing.T, patience time.Duration, want resources.State, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := x.Monitor(ctx, x.r)
	if got != want || says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		t.Errorf("monitor: %v, %v; want %v, %q", got, err, want, says)
	}
}

func TestAUnitIsStartedAndStopped(t *testing.T) {
	x := newRig(t, "plain", sleeper)
	x.is(t, resources.Stopped, "")
	x.must(t, "start", x.Start)
	x.is(t, resources.Running, "")
	x.must(t, "start of what runs", x.Start)
	if d := x.Detail(x.r); !strings.HasPrefix(d, "pid ") {
		t.Errorf("detail: %q", d)
	}
	x.must(t, "stop", x.Stop)
	x.is(t, resources.Stopped, "")
	x.must(t, "stop of what does not", x.Stop)
}

func TestAUnitHasItsDependencyWhileItIsTheClusters(t *testing.T) {
	x := newRig(t, "dependent@one", "Restart=always\n"+sleeper)
	x.must(t, "start", x.Start)
	p, err := conn(t).GetAllPropertiesContext(t.Context(), x.unit)
	if err != nil {
		t.Fatal(err)
	}
	if before, _ := p["Before"].([]string); !slices.Contains(before, "quorate.service") || p["Restart"] != "no" {
		t.Errorf("Before=%v Restart=%v; want quorate.service and no", p["Before"], p["Restart"])
	}
	x.must(t, "stop", x.Stop)
	if p, err = conn(t).GetAllPropertiesContext(t.Context(), x.unit); err != nil {
		t.Fatal(err)
	}
	if before, _ := p["Before"].([]string); slices.Contains(before, "quorate.service") || p["Restart"] != "always" {
		t.Errorf("after the stop: Before=%v Restart=%v", p["Before"], p["Restart"])
	}
	if _, err := os.Stat(filepath.Dir(x.dropIn())); err == nil {
		t.Error("the drop-in's directory is left")
	}
}

// watched starts a watch and returns where its words arrive.
func (x *rig) watched(t *testing.T) <-chan string {
	t.Helper()
	words := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := x.Watch(ctx, x.r, func(why string) { words <- why }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	return words
}

func (x *rig) pid(t *testing.T) int {
	t.Helper()
	u, err := x.look(t.Context())
	if err != nil || u.pid == 0 {
		t.Fatalf("no main process: %+v, %v", u, err)
	}
	return int(u.pid)
}

func TestACrashIsToldAtOnceAndMendedByNobodyElse(t *testing.T) {
	x := newRig(t, "crashing", "Restart=always\nRestartSec=0\n"+sleeper)
	words := x.watched(t) // before Start, as is allowed
	x.must(t, "start", x.Start)
	for range 3 {
		killed := time.Now()
		if err := unix.Kill(x.pid(t), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {
		case why := <-words:
			t.Logf("after %v: %s", time.Since(killed).Round(100*time.Microsecond), why)
			if want := "crashing.service is failed: its main process was ended by SIGKILL"; why != want {
				t.Errorf("it is told %q, want %q", why, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
		}
		x.is(t, resources.Stopped, "its main process was ended by SIGKILL")
		x.must(t, "start", x.Start)
	}
	x.must(t, "stop", x.Stop)
	select {
	case why := <-words: // the executor has ended its watch before it stops
		t.Logf("of the stop: %s", why)
	case <-time.After(20 * time.Second):
		t.Error("the stop by systemd was not told")
	}
}

func TestAWatchOutlivesSystemdsOwnRestart(t *testing.T) {
	x := newRig(t, "outliving", sleeper)
	words := x.watched(t)
	x.must(t, "start", x.Start)
	if err := unix.Kill(1, unix.SIGTERM); err != nil { // it executes itself anew (systemd(1), SIGTERM)
		t.Fatal(err)
	}
	select {
	case why := <-words:
		if want := "systemd could not be heard for a while"; why != want {
			t.Errorf("it is told %q, want %q", why, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the lost connection is not told")
	}
	x.is(t, resources.Running, "")
	if err := unix.Kill(x.pid(t), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case why := <-words:
			if strings.Contains(why, "SIGKILL") {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a crash after that is not told")
		}
	}
}

func TestAUnitThatDoesNotStopInTimeIsNotStoppedS5(t *testing.T) {
	x := newRig(t, "stubborn", "TimeoutStopSec=infinity\nKillSignal=SIGWINCH\n"+sleeper) // which no process heeds, not even before it is the sleeper
	x.must(t, "start", x.Start)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := x.Stop(ctx, x.r); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stop: stubborn.service is not done in time") {
		t.Errorf("stop: %v", err)
	}
	x.isWithin(t, time.Second, resources.Failed, "stubborn.service is deactivating")

	ctx, cancel = context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	began := time.Now()
	if err := x.Halt(ctx, x.r); err != nil {
		t.Errorf("halt: %v", err)
	}
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("halt took %v; it has three quarters of its 4 s for a stop without force", took)
	}
	x.is(t, resources.Stopped, "")
}

func TestAFailedStartSaysWhy(t *testing.T) {
	tests := []struct{ unit, service, want string }{
		{"exiting", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'exit 3'\n", "start: exiting.service: its main process ended with exit status 3; see journalctl -u exiting.service"},
		{"lacking", "Type=exec\nExecStart=/nonexistent\n", "start: lacking.service: its main process ended with exit status 203"},
		{"silent", "Type=notify\nTimeoutStartSec=300ms\n" + sleeper, "start: silent.service: it did not answer systemd in time"},
		{"over", "Type=oneshot\nExecStart=/bin/true\n", "start: over.service did nothing, or is over already: its conditions (Condition…=) have to hold on this node, and Type=oneshot needs RemainAfterExit=yes"},
		{"conditional", sleeper + "[Unit]\nConditionPathExists=/nonexistent\n", "start: conditional.service did nothing, or is over already: "},
	}
	for _, tt := range tests {
		t.Run(tt.unit, func(t *testing.T) {
			x := newRig(t, tt.unit, tt.service)
			if err := x.Start(t.Context(), x.r); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("start\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestAUnitThatIsMissingOrMaskedIsAnObstacle(t *testing.T) {
	need(t)
	x := &rig{Agent: New(Config{}).Find("systemd:absent").(*Agent), r: &pb.Resource{Id: "Service"}}
	var f *resources.Fault
	obstructed := func(kind, says string) {
		t.Helper()
		for name, err := range map[string]error{"survey": x.Survey(x.r), "start": x.Start(t.Context(), x.r)} {
			if !errors.As(err, &f) || !f.Obstacle || f.Kind != kind || !strings.Contains(f.Text, says) {
				t.Errorf("%s: %v; want an obstacle of kind %s, %q", name, err, kind, says)
			}
		}
		var p *resources.ParameterError
		if _, err := x.Validate(t.Context(), x.r); !errors.As(err, &p) || !strings.Contains(p.Problem, says) {
			t.Errorf("validate: %v; want %q", err, says)
		}
		x.is(t, resources.Stopped, "")
	}
	obstructed("not-installed", "there is no unit absent.service on this node")
	if err := x.Missing(); err == nil {
		t.Error("it is not missing")
	}
	if err := os.Symlink("/dev/null", x.path()); err != nil {
		t.Fatal(err)
	}
	reloaded(t)
	obstructed("unit-masked", "absent.service is masked on this node; try systemctl unmask absent.service")
	if err := x.Missing(); err != nil {
		t.Errorf("a masked unit is missing: %v", err)
	}
	if err := os.Remove(x.path()); err != nil {
		t.Fatal(err)
	}
	x.write(t, sleeper)
	reloaded(t)
	if f := x.Survey(x.r); f != nil {
		t.Errorf("a unit that is there now: %v", f)
	}
	x.must(t, "start", x.Start)
	x.must(t, "stop", x.Stop)
	if err := os.Remove(x.path()); err != nil {
		t.Fatal(err)
	}
}

func TestAUnitThatAnotherHandEnabledIsRemarkedOn(t *testing.T) {
	x := newRig(t, "enabled", sleeper+"[Install]\nWantedBy=up.target\n")
	if notes, err := x.Validate(t.Context(), x.r); err != nil || len(notes) > 0 {
		t.Errorf("validate: %q, %v", notes, err)
	}
	c := conn(t)
	if _, _, err := c.EnableUnitFilesContext(t.Context(), []string{x.unit}, false, false); err != nil {
		t.Fatal(err)
	}
	reloaded(t)
	notes, err := x.Validate(t.Context(), x.r)
	if what, lines, err := x.Common(x.r); what != "enabled.service" || !slices.Equal(lines, []string{"UnitFileState=enabled"}) || err != nil {
		t.Errorf("compared: %q of %q, %v", lines, what, err)
	}
	if want := "enabled.service is enabled on this node: systemd starts it at a boot whatever the cluster says; use systemctl disable enabled.service"; err != nil || len(notes) != 1 || notes[0] != want {
		t.Errorf("validate: %q, %v; want %q", notes, err, want)
	}
	x.must(t, "start", x.Start)
	x.is(t, resources.Running, "")
	if d := x.Detail(x.r); !strings.HasSuffix(d, ", enabled, so that a boot starts it too") {
		t.Errorf("detail: %q", d)
	}
	if _, err := c.DisableUnitFilesContext(t.Context(), []string{x.unit}, false); err != nil {
		t.Fatal(err)
	}
}

func TestAChangedFileIsReadBeforeAStart(t *testing.T) {
	x := newRig(t, "changed", sleeper)
	x.must(t, "start", x.Start)
	x.write(t, "Type=exec\nExecStart=/bin/sleep 1000\n")
	x.is(t, resources.Running, "")
	if d := x.Detail(x.r); !strings.Contains(d, "its file has changed") {
		t.Errorf("detail: %q", d)
	}
	x.must(t, "stop", x.Stop)
	x.must(t, "start", x.Start)
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", x.pid(t)))
	if err != nil || string(line) != "/bin/sleep\x001000\x00" {
		t.Errorf("what runs is %q, %v", line, err)
	}
}
