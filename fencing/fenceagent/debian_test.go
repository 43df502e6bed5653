package fenceagent

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"quorate/fencing"
	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// needDebian skips where the programs of Debian's fence-agents are not installed.
func needDebian(t *testing.T) *Catalog {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/fence_ipmilan"); err != nil {
		t.Skip("SKIPPED: needs fence-agents: no program of Debian's was asked to describe itself")
	}
	return New("")
}

// odd are programs that do not speak the protocol: one wants a terminal, and two need
// what their package only suggests.
var odd = map[string]bool{"fence_ack_manual": true}

func TestEveryProgramOfDebianDescribesItself(t *testing.T) {
	c := needDebian(t)
	names := c.Installed()
	if len(names) < 50 {
		t.Fatalf("%d programs: %v", len(names), names)
	}
	var mu sync.Mutex
	silent := make(map[string]string)
	var g errgroup.Group
	g.SetLimit(2)
	for _, name := range names {
		g.Go(func() error {
			typ, err := c.Find(name)
			if err != nil {
				return err
			}
			meta, traits, err := typ.Describe(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				silent[name] = err.Error()
				return nil
			}
			checkDescription(t, name, meta, traits)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for name := range silent {
		if !odd[name] && len(silent) > 6 {
			t.Errorf("%d programs do not describe themselves: %v", len(silent), silent)
			break
		}
	}
	t.Logf("%d programs; silent are %v", len(names), silent)
}

// checkDescription holds a description against what a device of the type must be able to be.
func checkDescription(t *testing.T, name string, meta *pb.AgentMetadata, traits *pb.DeviceTraits) {
	t.Helper()
	defaults := make(map[string]string)
	for _, p := range meta.Parameters {
		if p.Type == "" {
			t.Errorf("%s: parameter %v", name, p)
		}
		if p.Default != "" || p.Required {
			defaults[p.Name] = p.Default
		}
		if p.Required && p.Default == "" {
			defaults[p.Name] = "1"
		}
	}
	if _, err := resources.Check(meta, &pb.Resource{Parameters: defaults}); err != nil {
		t.Errorf("%s calls its own defaults wrong: %v", name, err)
	}
	defaults["pcmk_host_list"] = "lvsm"
	if err := fencing.Check(&pb.FencingDevice{Id: "d", Type: name, Parameters: defaults, Traits: traits}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if strings.Contains(strings.Join(traits.Secrets, " "), "script") {
		t.Errorf("%s: a script's name is no secret: %v", name, traits.Secrets)
	}
}

func TestFenceDummyOfDebianIsUsed(t *testing.T) {
	typ, err := needDebian(t).Find("fence_dummy")
	if err != nil {
		t.Fatal(err)
	}
	_, traits, err := typ.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(file, []byte("on"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &pb.FencingDevice{Id: "d", Type: "fence_dummy", Traits: traits, Parameters: map[string]string{"status_file": file, "pcmk_host_list": "lvss"}}
	for _, action := range []string{fencing.Monitor, fencing.Off, fencing.On, fencing.Off} {
		if err := fencing.Operate(t.Context(), typ, d, action, "lvss"); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		if said, _ := os.ReadFile(file); action != fencing.Monitor && strings.TrimSpace(string(said)) != action {
			t.Errorf("after %s it is %q", action, said)
		}
	}
}
