package hook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

func TestProgramsRunOnceOnStartAndOnStop(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	say := func(word string) string { return fmt.Sprintf("/bin/sh -c 'echo %s >>%s; exit 1'", word, told) }
	r := &pb.Resource{Id: "VI_1-hook", Parameters: map[string]string{"start": say("came"), "stop": say("goes")}}
	a := New(Config{RunDir: dir})
	step := func(what string, err error, state resources.State, want string) {
		t.Helper()
		got, _ := os.ReadFile(told)
		if err != nil || strings.Join(strings.Fields(string(got)), " ") != want {
			t.Errorf("%s: %v, told %q, want %q", what, err, got, want)
		}
		if s, err := a.Monitor(t.Context(), r); s != state || err != nil {
			t.Errorf("%s: monitor %v, %v; want %v", what, s, err, state)
		}
	}
	step("before", nil, resources.Stopped, "")
	step("stop of what does not run", a.Stop(t.Context(), r), resources.Stopped, "")
	step("start", a.Start(t.Context(), r), resources.Running, "came")
	a = New(Config{RunDir: dir})
	step("start after the agent began anew", a.Start(t.Context(), r), resources.Running, "came")
	step("stop", a.Stop(t.Context(), r), resources.Stopped, "came goes")
	step("start again", a.Start(t.Context(), r), resources.Running, "came goes came")
	step("halt", a.Halt(t.Context(), r), resources.Stopped, "came goes came")
}

func TestAProgramThatHangsIsKilled(t *testing.T) {
	a := New(Config{RunDir: t.TempDir()})
	r := &pb.Resource{Id: "h", Parameters: map[string]string{"start": "/bin/sleep 1000", "timeout": "100ms"}}
	if err := a.Start(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// S8.
func TestBadParametersAreNamed(t *testing.T) {
	tests := []struct {
		parameters map[string]string
		want       string
	}{
		{nil, "parameter start: is missing, and so is stop"},
		{map[string]string{"start": "notify.sh"}, "parameter start: command=notify.sh: give the program with its whole path"},
		{map[string]string{"stop": "/bin/true 'x"}, "parameter stop: "},
		{map[string]string{"start": "/bin/true", "timeout": "2h"}, "parameter timeout: is no time from 100ms to 1min"},
	}
	for _, tt := range tests {
		_, err := New(Config{}).Validate(t.Context(), &pb.Resource{Id: "h", Parameters: tt.parameters})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v: %v; want %s", tt.parameters, err, tt.want)
		}
	}
}
