package fenceagent

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
)

// testType is the program in testdata.
func testType(t *testing.T) fencing.Type {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	typ, err := New("").Find("stonith:fence_test")
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// device is one of the program's, with one plug, "1", which is the node lvss and on.
func device(t *testing.T, typ fencing.Type, more ...string) (d *pb.FencingDevice, state string) {
	t.Helper()
	_, traits, err := typ.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state = t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d = &pb.FencingDevice{Id: "d", Type: "fence_test", Traits: traits, Parameters: map[string]string{
		"state": state, "password": "topsecret", "pcmk_host_map": "lvss:1", "method": "cycle", "action": "reboot",
	}}
	for _, w := range more {
		name, value, _ := strings.Cut(w, "=")
		d.Parameters[name] = value
	}
	return d, state
}

func isOn(state string) bool {
	_, err := os.Stat(filepath.Join(state, "1"))
	return err == nil
}

func TestANodeIsSwitchedOffAndOnAndSeenToBe(t *testing.T) {
	typ := testType(t)
	d, state := device(t, typ)
	if err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss"); err != nil || isOn(state) {
		t.Fatalf("off: %v, it is on: %v", err, isOn(state))
	}
	if err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss"); err != nil {
		t.Errorf("off of what is off: %v", err)
	}
	if err := fencing.Operate(t.Context(), typ, d, fencing.On, "lvss"); err != nil || !isOn(state) {
		t.Errorf("on: %v, it is on: %v", err, isOn(state))
	}
	if err := fencing.Operate(t.Context(), typ, d, fencing.Monitor, ""); err != nil {
		t.Errorf("monitor: %v", err)
	}
	told, _ := os.ReadFile(filepath.Join(state, "told"))
	first, _, _ := strings.Cut(string(told), "--")
	if want := "action=off\nnodename=lvss\npassword=topsecret\nplug=1\nstate=" + state + "\n"; first != want {
		t.Errorf("it was told\n%swant\n%s", first, want)
	}
	if strings.Contains(string(told), "cycle") || strings.Contains(string(told), "action=reboot") {
		t.Errorf("it was told of a cycle:\n%s", told)
	}
}

func TestWhatADeviceSaysOfItsOwnSuccessIsNoProof(t *testing.T) {
	typ := testType(t)
	d, state := device(t, typ, "mood=lies", "pcmk_off_retries=1")
	if testing.Short() {
		t.Skip("-short: a plug is looked at for a while")
	}
	err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss")
	if !errors.Is(err, fencing.ErrUnconfirmed) || !isOn(state) {
		t.Errorf("off: %v", err)
	}
}

func TestNoSecretIsInAnError(t *testing.T) {
	typ := testType(t)
	d, _ := device(t, typ, "mood=fails")
	err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss")
	if err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), "Unable to login with "+hidden) {
		t.Errorf("off: %v", err)
	}
	if text := hide("a1b", []string{"1"}); strings.Contains(text, "1") {
		t.Errorf("of a secret of one letter is told %q", text)
	}
}

func TestAProgramThatHangsIsKilledWithAllOfIt(t *testing.T) {
	typ := testType(t)
	d, _ := device(t, typ, "mood=hangs", "pcmk_off_timeout=1s", "pcmk_status_timeout=1s", "pcmk_off_retries=1")
	began := time.Now()
	err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss")
	if err == nil || !strings.Contains(err.Error(), "no end after 1s") || !strings.Contains(err.Error(), "still trying") {
		t.Errorf("off: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestADeviceIsAskedWhatItSwitches(t *testing.T) {
	typ := testType(t)
	d, state := device(t, typ, "pcmk_host_map=", "pcmk_host_check=dynamic-list")
	if err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss"); err == nil || !strings.Contains(err.Error(), "does not switch lvss") {
		t.Errorf("off of an unknown plug: %v", err)
	}
	if err := os.Rename(filepath.Join(state, "1"), filepath.Join(state, "lvss")); err != nil {
		t.Fatal(err)
	}
	if err := fencing.Operate(t.Context(), typ, d, fencing.Off, "lvss"); err != nil {
		t.Errorf("off: %v", err)
	}
}

func TestMetadataIsReadAndKept(t *testing.T) {
	meta, traits, err := testType(t).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	types := make(map[string]string)
	for _, p := range meta.Parameters {
		types[p.Name] = p.Type
		if p.Required != (p.Name == "state") {
			t.Errorf("%s is required: %v", p.Name, p.Required)
		}
		if want := map[string]string{"passwd": "password", "port": "plug"}[p.Name]; p.ReplacedBy != want {
			t.Errorf("%s is replaced by %q", p.Name, p.ReplacedBy)
		}
	}
	want := map[string]string{"state": "string", "passwd": "string", "password": "string", "plug": "string", "port": "string", "power_wait": "duration", "mood": "select"}
	if !maps.Equal(types, want) {
		t.Errorf("parameters %v, want %v", types, want)
	}
	if traits.Argument != "plug" || !traits.Status || !traits.List || !traits.On || traits.Unfences || strings.Join(traits.Secrets, " ") != "passwd password" {
		t.Errorf("traits %v", traits)
	}
}

func TestNamesOfPrograms(t *testing.T) {
	for _, name := range []string{"fence_../x", "ipmilan", "fence_", "fence_a b", "fence_x;y", ""} {
		if _, err := New("").Find(name); err == nil {
			t.Errorf("%q is taken for a program", name)
		}
	}
	typ, err := New("").Find("fence_absent")
	if err != nil || typ.Missing() == nil {
		t.Errorf("a program that is not installed: %v, missing: %v", err, typ.Missing())
	}
}
