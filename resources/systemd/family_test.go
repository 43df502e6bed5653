package systemd

import (
	"slices"
	"strings"
	"testing"

	pb "quorate/proto/quorate/v1"
)

func TestNamesOfUnitsAreUnderstood(t *testing.T) {
	f := New(Config{})
	for name, want := range map[string][2]string{ // what it is called, and its unit
		"systemd:nginx":                       {"systemd:nginx", "nginx.service"},
		"systemd:nginx.service":               {"systemd:nginx", "nginx.service"},
		"systemd:backup.timer":                {"systemd:backup.timer", "backup.timer"},
		"systemd:php8.2-fpm":                  {"systemd:php8.2-fpm", "php8.2-fpm.service"},
		"systemd:openvpn@office":              {"systemd:openvpn@office", "openvpn@office.service"},
		`systemd:srv-a\x2db.mount`:            {`systemd:srv-a\x2db.mount`, `srv-a\x2db.mount`},
		"service:nginx":                       {"systemd:nginx", "nginx.service"},
		"systemd:":                            {},
		"systemd:a b":                         {},
		"systemd:../x":                        {},
		"systemd:user.slice":                  {},
		"systemd:sda.device":                  {},
		"systemd:openvpn@":                    {},
		"ocf:heartbeat:nginx":                 {},
		"systemd:" + strings.Repeat("x", 300): {},
	} {
		a, _ := f.Find(name).(*Agent)
		switch {
		case a == nil && want == [2]string{}:
		case a == nil || a.name != want[0] || a.unit != want[1]:
			t.Errorf("Find(%s) = %+v, want %q", name, a, want)
		}
	}
	if f.Find("systemd:nginx") != f.Find("systemd:nginx.service") || f.Find("systemd:nginx") != f.Find("service:nginx") {
		t.Error("one unit has two agents")
	}
}

func TestAUnitIsOfOneResource(t *testing.T) {
	a := New(Config{}).Find("systemd:nginx").(*Agent)
	err := a.Contends(&pb.Resource{Id: "New"}, &pb.Resource{Id: "Old"})
	if want := "parameter agent: Old runs nginx.service already; to run it on several nodes, clone that one"; err == nil || err.Error() != want {
		t.Errorf("Contends = %v, want %s", err, want)
	}
}

func TestUnitsThatAreInstalledAreListed(t *testing.T) {
	x := newRig(t, "listed", sleeper)
	newRig(t, "template@one", sleeper)
	installed := x.family.Installed()
	if !slices.Contains(installed, "systemd:listed") || !slices.Contains(installed, "systemd:up.target") || !slices.IsSorted(installed) {
		t.Errorf("installed: %q", installed)
	}
	if m := x.Metadata(); m.GetName() != "systemd:listed" || m.GetSummary() != "of a test" {
		t.Errorf("metadata: %v", m)
	}
}
