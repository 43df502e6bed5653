package lab

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo is `make demo`: the real binary, as an ordinary user, keeps what the
// demo promises.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the demo takes its time")
	}
	program := quorateProgram(t) // building it takes its own time
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	demo := exec.CommandContext(ctx, program, "lab", "demo")
	demo.Dir = "/"
	if os.Geteuid() == 0 {
		demo.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
		demo.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := demo.CombinedOutput()
	for _, f := range forbidden {
		if strings.Contains(string(out), f.why) {
			t.Skipf("SKIPPED: ordinary users may not have a lab here:\n%s", out)
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"A planned move", "its silence was noticed", "client, ping", "two nodes answered for the address: 0 ms"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	t.Logf("%s", out)
}
