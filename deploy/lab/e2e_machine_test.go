package lab

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/deploy/lab/vm"
)

// emulatedTime is what a command may take that boots an emulated machine, or is run
// in one, where there is much else to do.
const emulatedTime = 10 * time.Minute

// TestE2ELabInAMachine types at a lab in an emulated machine, from outside. Its
// hosts run no agent: how a director serves there is tested in resources/ipvs.
func TestE2ELabInAMachine(t *testing.T) {
	kernel := machineKernel(t)
	m := &typist{t, quorateProgram(t), t.TempDir()}
	if out, err := m.types("up", "--vm", "--names", "lvsm", "--kernel", kernel, "--agent", "sleep,infinity"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	defer func() {
		if out, err := m.types("down"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if left, _ := os.ReadDir(filepath.Join(m.state, "quorate")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}()
	tests := []struct{ host, line, want string }{
		{"lvsm", "hostname; modprobe ip_vs && head -c 15 /proc/net/ip_vs", "lvsm\nIP Virtual Serv"},
		{"client", "busybox ping -c 1 -w 60 lvsm >/dev/null && echo heard", "heard\n"},
		{"client", "echo told >&2; exit 7", "told\n"},
	}
	for _, tt := range tests {
		out, err := m.types("exec", tt.host, "--", "sh", "-c", tt.line)
		want := 0
		if strings.Contains(tt.line, "exit 7") {
			want = 7
		}
		if !strings.Contains(out, tt.want) || exitStatus(err) != want {
			t.Errorf("%s# %s\nended with %v and said\n%s", tt.host, tt.line, err, out)
		}
	}
}

// machineKernel skips a test that cannot have an emulated machine, and returns the
// folder of its kernel.
func machineKernel(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: an emulated machine takes its time")
	}
	kernel := filepath.Join("..", "..", ".build", "kernel")
	_, err := vm.BuildMirror(t.Context(), vm.Kernel(kernel), t.TempDir())
	if errors.Is(err, vm.ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: no lab was tried in a machine", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kernel
}

// A typist types at a lab from outside.
type typist struct {
	*testing.T
	program, state string
}

// types types a lab command, and returns all that it said.
func (m *typist) types(verb string, args ...string) (string, error) {
	m.Helper()
	return m.runs(append([]string{"lab", verb, "--name", "vm"}, args...)...)
}

// runs runs a command of the program, and returns all that it said.
func (m *typist) runs(args ...string) (string, error) {
	m.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.Context()), emulatedTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.program, args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+m.state)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// exitStatus is -1 for a command that did not end by itself.
func exitStatus(err error) int {
	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}
