package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

func TestExplainNamesTheSettingAndTheWayOut(t *testing.T) {
	denied := fmt.Errorf("mount /proc: %w", unix.EACCES)
	for _, tt := range []struct {
		name string
		err  error
		sys  fstest.MapFS
		want []string
	}{
		{"Ubuntu 24.04", denied, fstest.MapFS{
			"kernel/apparmor_restrict_unprivileged_userns": {Data: []byte("1\n")},
			"kernel/unprivileged_userns_clone":             {Data: []byte("1\n")},
		}, []string{"AppArmor", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"}},
		{"older Debian", unix.EPERM, fstest.MapFS{
			"kernel/unprivileged_userns_clone": {Data: []byte("0\n")},
		}, []string{"kernel.unprivileged_userns_clone=1"}},
		{"none allowed", unix.ENOSPC, fstest.MapFS{
			"user/max_user_namespaces": {Data: []byte("0\n")},
		}, []string{"user.max_user_namespaces=15000"}},
		{"a container", unix.EPERM, fstest.MapFS{}, []string{"container"}},
		{"another error", errors.New("no bridge"), fstest.MapFS{
			"user/max_user_namespaces": {Data: []byte("0\n")},
		}, []string{"no bridge"}},
	} {
		got := explain(tt.err, tt.sys)
		if !errors.Is(got, tt.err) {
			t.Errorf("%s: %v does not wrap %v", tt.name, got, tt.err)
		}
		for _, want := range tt.want {
			if !strings.Contains(got.Error(), want) {
				t.Errorf("%s: got %q, want it to say %q", tt.name, got, want)
			}
		}
	}
}

func TestReadRange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	if err := os.WriteFile(path, []byte("# lent\nann:100000:65536\n1001:300000:10\nbob:bad:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, id string
		want     idRange
		ok       bool
	}{
		{"ann", "1000", idRange{100000, 65536}, true},
		{"eve", "1001", idRange{300000, 10}, true},
		{"bob", "1002", idRange{}, false},
		{"joe", "1003", idRange{}, false},
	} {
		if got, ok := readRange(path, tt.name, tt.id); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %v, %v", tt.name, got, ok)
		}
	}
}

// TestOrdinaryUser runs the tests above as a user without any rights.
func TestOrdinaryUser(t *testing.T) {
	asOrdinaryUser(t, "TestHosts|TestExecGives|TestFaults|TestDown|TestCrash|TestProber|TestMeter")
}

// asOrdinaryUser runs tests of this program again, as nobody.
func asOrdinaryUser(t *testing.T, tests string, env ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this is one")
	}
	dir, err := os.MkdirTemp("", "lab-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "lab.test")
	data, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(program, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.v", "-test.run", tests)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("SKIPPED: ordinary users may not have a lab here:\n%s", out)
	}
	t.Logf("%s", out)
}
