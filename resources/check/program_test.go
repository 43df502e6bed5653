package check

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func shell(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "check.sh")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAProgramSaysHowItIs(t *testing.T) {
	tests := []struct{ name, script, arguments, want string }{
		{"success", "exit 0", "", "ok the program succeeded"},
		{"what it says is shown", "echo all is well; echo and more", "", "ok the program succeeded: all is well"},
		{"failure", "echo no disk >&2; exit 3", "", "the program ended with status 3: no disk"},
		{"arguments", `[ "$#,$1,$2" = "2,one,two words" ]`, `one "two words"`, "ok the program succeeded"},
		{"a bare environment", `[ "$(env | grep -vc -e ^PWD= -e ^PATH= -e ^LC_ALL=C -e ^_= -e ^SHLVL= -e ^OLDPWD=)" = 0 ] || { env; exit 1; }`, "", "ok the program succeeded"},
		{"no input", `[ -z "$(cat)" ] && [ "$PWD" = / ]`, "", "ok the program succeeded"},
		{"killed", "kill -9 $$", "", "signal: killed"},
	}
	t.Setenv("SECRET", "of the agent")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Check{Kind: "program", Command: shell(t, tt.script) + " " + tt.arguments}
			text, err := ask(t, c.String(), netip.AddrPort{})
			wants(t, text, err, tt.want)
		})
	}
	text, err := ask(t, "program command=/no/such/program", netip.AddrPort{})
	wants(t, text, err, "fork/exec /no/such/program: no such file or directory")
}

func TestAProgramIsKilledWithItsChildren(t *testing.T) {
	tests := []struct{ name, end, want string }{
		{"that does not end", "wait", "the program did not end in time and was killed: begun"},
		{"that leaves a child behind", "exit 0", "ok the program succeeded: begun"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			note := filepath.Join(t.TempDir(), "child")
			script := shell(t, "sleep 1000 & echo begun; echo $! > "+note+".new; mv "+note+".new "+note+"; "+tt.end)
			p, err := Check{Kind: "program", Command: script}.probe()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.end == "wait" {
				go func() { appears(ctx, note); cancel() }() // its time is over
			}
			text, err := p(ctx, netip.AddrPort{})
			wants(t, text, err, tt.want)
			b, err := os.ReadFile(note)
			if err != nil {
				t.Fatal(err)
			}
			child, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			for range 1000 { // a killed process stays until its parent has looked
				if !alive(child) {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Errorf("its child %d still runs", child)
		})
	}
}

// appears waits for a file.
func appears(ctx context.Context, file string) {
	for ctx.Err() == nil {
		if _, err := os.Stat(file); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}
