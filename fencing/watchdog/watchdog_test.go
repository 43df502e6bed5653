package watchdog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"quorate/deploy/lab/vm/vmtest"
)

func TestMain(m *testing.M) { os.Exit(vmtest.Main(m)) }

func TestAMachineWithoutAWatchdogSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog")
	if _, err := Arm(path, time.Minute); !errors.Is(err, ErrNone) {
		t.Errorf("arm what is not there: %v, want %v", err, ErrNone)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Present(path); !errors.Is(err, ErrNone) {
		t.Errorf("a file: %v, want %v", err, ErrNone)
	}
}

// TestSoftdog runs in an emulated machine, whose kernel has the module.
func TestSoftdog(t *testing.T) {
	vmtest.Need(t)
	if out, err := exec.CommandContext(t.Context(), "modprobe", "softdog").CombinedOutput(); err != nil {
		t.Fatalf("modprobe softdog: %v: %s", err, out)
	}
	if err := Present(DefaultPath); err != nil {
		t.Fatal(err)
	}
	d, err := Arm(DefaultPath, 5*time.Second+time.Second/2)
	if err != nil {
		t.Fatal(err)
	}
	if d.Timeout != 5*time.Second || d.Final {
		t.Errorf("armed with %v, final %v; want 5s, false", d.Timeout, d.Final)
	}
	if _, err := Arm(DefaultPath, time.Minute); err == nil {
		t.Error("armed twice")
	}
	if n := testing.AllocsPerRun(10, func() { err = d.Feed() }); n > 0 || err != nil {
		t.Errorf("fed with %v allocations and %v, want none", n, err)
	}
	if err := d.Set(7 * time.Second); err != nil || d.Timeout != 7*time.Second {
		t.Errorf("set: %v, %v, want 7s", d.Timeout, err)
	}
	if err := d.Set(time.Second / 2); err == nil {
		t.Error("less than a second was taken")
	}
	if err := d.Disarm(); err != nil {
		t.Fatal(err)
	}
	if state, err := os.ReadFile("/sys/class/watchdog/watchdog0/state"); err != nil || string(state) != "inactive\n" {
		t.Errorf("disarmed it is %q, %v", state, err)
	}
	// One that was only left goes on, and who comes next may feed it.
	if d, err = Arm(DefaultPath, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := d.Leave(); err != nil {
		t.Fatal(err)
	}
	if d, err = Arm(DefaultPath, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := d.Disarm(); err != nil {
		t.Fatal(err)
	}
}
