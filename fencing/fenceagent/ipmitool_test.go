package fenceagent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == IPMITool {
		fmt.Fprintln(os.Stderr, BecomeIPMITool(os.Args[1:]))
		os.Exit(127)
	}
	os.Exit(m.Run())
}

// fakeIPMITool writes down its arguments, those of who called it, and its password.
const fakeIPMITool = `#!/bin/sh
{ echo "$*"; tr '\0' ' ' </proc/$$/cmdline; tr '\0' ' ' </proc/$PPID/cmdline; echo; echo "environment $IPMITOOL_PASSWORD"; } >>%s
echo Chassis Power is off
`

func TestNoPasswordIsInTheArgumentsOfIPMITool(t *testing.T) {
	needDebian(t)
	dir := t.TempDir()
	tool, said := filepath.Join(dir, "ipmitool"), filepath.Join(dir, "said")
	if err := os.WriteFile(tool, fmt.Appendf(nil, fakeIPMITool, said), 0o700); err != nil {
		t.Fatal(err)
	}
	typ, err := New(filepath.Join(dir, "links")).Find("fence_ipmilan")
	if err != nil {
		t.Fatal(err)
	}
	_, traits, err := typ.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range passwordParameters {
		d := &pb.FencingDevice{Id: "d", Type: "fence_ipmilan", Traits: traits, Parameters: map[string]string{
			"ip": "192.0.2.1", "username": "admin", name: "topsecret", "lanplus": "1", "ipmitool_path": tool, "pcmk_host_list": "lvss",
		}}
		if err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss"); err != nil {
			t.Errorf("%s: off: %v", name, err)
		}
	}
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for line := range strings.Lines(string(text)) {
		switch {
		case line == "environment topsecret\n":
			told++
		case strings.Contains(line, "topsecret"):
			t.Errorf("it is in arguments: %s", line)
		}
	}
	if told < 2 || !strings.Contains(string(text), " -U admin -E ") {
		t.Errorf("ipmitool was called so:\n%s", text)
	}
}
