package ocf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

// debian has the scripts of Debian's resource-agents, as they are.
func debian(t *testing.T) *Family {
	t.Helper()
	testlan.Need(t)
	if _, err := os.Stat("/usr/lib/ocf/resource.d/heartbeat"); err != nil {
		t.Skip("SKIPPED: needs resource-agents")
	}
	f, err := New(Config{RunDir: t.TempDir(), Node: func() string { return "lvsm" }, NodeID: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A life is what a script does here: it is started, monitored, broken by another
// hand, and stopped.
type life struct {
	script     string
	parameters string
	breaks     func() error // by another hand, while it runs
	broken     resources.State
}

// lives are those of the scripts that need nothing but this machine.
func lives(dir string) []life {
	return []life{
		{"Dummy", "state=" + dir + "/dummy", func() error { return os.Remove(dir + "/dummy") }, resources.Stopped},
		{"Delay", "startdelay=0 stopdelay=0 mondelay=0", nil, resources.Unknown},
		{"Filesystem", "device=" + dir + "/from directory=" + dir + "/to fstype=none options=bind", func() error { return unix.Unmount(dir+"/to", 0) }, resources.Stopped},
		{"dummypy", "state=" + dir + "/dummypy", func() error { return os.Remove(dir + "/dummypy") }, resources.Stopped},
		{"IPaddr2", "ip=192.0.2.10 cidr_netmask=32 nic=eth9", func() error { return ipCommand("addr", "del", "192.0.2.10/32", "dev", "eth9") }, resources.Stopped},
		{"IPsrcaddr", "ipaddress=192.0.2.2 cidr_netmask=24", nil, resources.Unknown},
		{"Route", "destination=198.51.100.0/24 device=eth9", func() error { return ipCommand("route", "del", "198.51.100.0/24") }, resources.Stopped},
		{"rsyncd", "conffile=" + dir + "/rsyncd.conf pidfile=" + dir + "/rsyncd.pid", nil, resources.Unknown},
		{"SendArp", "ip=192.0.2.1 nic=eth9", nil, resources.Unknown},
		{"MailTo", "email=root", nil, resources.Unknown},
		{"symlink", "link=" + dir + "/link target=" + dir + "/from/file", func() error { return os.Remove(dir + "/link") }, resources.Stopped},
	}
}

func TestScriptsOfDebianLiveTheirLives(t *testing.T) {
	f, dir := debian(t), t.TempDir()
	for _, path := range []string{"from", "to"} {
		if err := os.Mkdir(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "from", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"link add eth9 type veth peer name eth8", "addr add 192.0.2.1/24 dev eth9", "addr add 192.0.2.2/24 dev eth9", "link set eth9 up", "link set eth8 up", "link set lo up", "route add default via 192.0.2.254",
	} {
		if err := ipCommand(strings.Fields(words)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "rsyncd.conf"), []byte("pid file = "+dir+"/rsyncd.pid\nuse chroot = no\nport = 8730\n[x]\npath = /tmp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mail := filepath.Join(dir, "bin", "mail") // caught here
	if err := errors.Join(os.Mkdir(filepath.Dir(mail), 0o755), os.WriteFile(mail, []byte("#!/bin/sh\ncat >>"+dir+"/mailbox\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(mail)+":"+os.Getenv("PATH"))
	for _, tt := range lives(dir) {
		t.Run(tt.script, func(t *testing.T) {
			a := f.Find("ocf:heartbeat:" + tt.script).(*Agent)
			r := resource(strings.Fields(tt.parameters)...)
			r.Id = "its-" + tt.script
			must := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			want := func(when string, want resources.State) {
				t.Helper()
				if s, err := a.Monitor(resources.Recurring(within(t, time.Minute), &pb.OperationSpec{}), r); s != want {
					t.Fatalf("%s: it is %v, %v; want %v", when, s, err, want)
				}
			}
			_, err := resources.Check(a.Metadata(), r)
			must("check", err)
			_, err = a.Validate(within(t, time.Minute), r)
			must("validate", err)
			must("stop of what does not run", a.Stop(within(t, time.Minute), r))
			want("before", resources.Stopped)
			must("start", a.Start(within(t, time.Minute), r))
			if tt.script == "rsyncd" { // returns before its daemon has written its number
				appears(t, filepath.Join(dir, "rsyncd.pid"))
			}
			want("after its start", resources.Running)
			must("start of what runs", a.Start(within(t, time.Minute), r))
			if tt.breaks != nil {
				must("break", tt.breaks())
				want("after it was broken", tt.broken)
				must("start again", a.Start(within(t, time.Minute), r))
				want("after another start", resources.Running)
			}
			must("stop", a.Stop(within(t, time.Minute), r))
			want("after its stop", resources.Stopped)
		})
	}
}

// appears waits until there is something in a file.
func appears(t *testing.T, path string) {
	t.Helper()
	for ctx := within(t, patience); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
	}
	t.Fatalf("nothing is in %s", path)
}

// ipCommand changes the network of the test.
func ipCommand(words ...string) error {
	out, err := exec.Command("ip", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}

func TestAScriptOfDebianSaysWhatIsWrong(t *testing.T) {
	a := debian(t).Find("ocf:heartbeat:Filesystem").(*Agent)
	err := a.Start(within(t, time.Minute), resource("device=/nowhere/device", "directory="+t.TempDir(), "fstype=ext4"))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/device") {
		t.Errorf("start without the device: %v", err)
	}
}

func TestEveryScriptOfDebianDescribesItself(t *testing.T) {
	f := debian(t)
	dumb := map[string]string{} // those that need another package for it, and what they say
	names := f.Installed()
	if len(names) < 100 {
		t.Fatalf("%d scripts: %v", len(names), names)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "ocf:heartbeat:") {
			continue
		}
		a := f.Find(name).(*Agent)
		meta, err := a.describe(within(t, time.Minute))
		if err != nil {
			dumb[name] = err.Error()
			continue
		}
		for _, need := range []string{actionStart, actionStop, actionMonitor} {
			if operation(meta.Operations, need) == nil {
				t.Errorf("%s has no %s: %v", name, need, meta.Operations)
			}
		}
		for _, p := range meta.Parameters {
			if p.Name == "" || p.Type == "" {
				t.Errorf("%s: parameter %v", name, p)
			}
			defaults := &pb.Resource{Parameters: map[string]string{p.Name: p.Default}}
			if _, err := resources.Check(&pb.AgentMetadata{Parameters: []*pb.Parameter{p}}, defaults); err != nil && p.Default != "" {
				t.Errorf("%s calls its own default wrong: %v", name, err)
			}
		}
	}
	if len(dumb) > 5 {
		t.Errorf("%d do not describe themselves: %v", len(dumb), dumb)
	}
	t.Logf("%d scripts; silent are %v", len(names), dumb)
}
