package check

import (
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestProcessesAreCounted(t *testing.T) {
	odd := strconv.Itoa(86400000 + os.Getpid()) // seconds, which no other process of this machine sleeps
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(check, want string) {
		t.Helper()
		text, err := ask(t, check, netip.AddrPort{})
		wants(t, text, err, want)
	}
	ask("process command='sleep "+odd+"'", "0 of it run")
	for range 2 {
		cmd := exec.CommandContext(t.Context(), path, odd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	ask("process command='sleep "+odd+"'", "ok 2 of it run")
	ask("process command='"+path+" "+odd+"' least=2 most=2", "ok 2 of it run")
	ask("process command='sleep "+odd+"' least=3", "2 of it run")
	ask("process command='sleep "+odd+"' most=1", "2 of it run")
	ask("process command=sleep", "ok ")
	ask("process command='/bin/no/sleep "+odd+"'", "0 of it run")
}
