package vm

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestAMirrorSeesThisMachineAndLoadsModules also tells how long one takes to boot.
func TestAMirrorSeesThisMachineAndLoadsModules(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: an emulated machine takes its time")
	}
	image, err := BuildMirror(t.Context(), Kernel("../../../.build/kernel"), t.TempDir())
	if errors.Is(err, ErrUnavailable) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: %v: that a machine mirrors this one was not tested", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := `cat "$FILE" && echo memory > "$FILE" && modprobe ip_vs && ls /proc/net/ip_vs && ip link add dummy7 type dummy; cat /proc/uptime; exit 7`
	file := t.TempDir() + "/it's here"
	if err := os.WriteFile(file, []byte("seen\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code, err := image.Run(t.Context(), Command{
		Args: []string{"/bin/sh", "-c", program}, Env: []string{"PATH=" + os.Getenv("PATH"), "FILE=" + file}, Dir: "/",
	}, t.TempDir(), &out)
	if err != nil || code != 7 {
		t.Fatalf("exit status %d, %v; it said:\n%s", code, err, out.String())
	}
	if text := out.String(); !strings.HasPrefix(text, "seen\n/proc/net/ip_vs\n") {
		t.Errorf("it said:\n%s", text)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "seen\n" {
		t.Errorf("the file holds %q, %v: this machine's files were written", text, err)
	}
	t.Log(out.String())
}
