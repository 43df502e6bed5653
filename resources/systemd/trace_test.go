package systemd

import "testing"

func TestASliceIsWithinThoseThatItsNameBeginsWith(t *testing.T) {
	for slice, want := range map[string]string{
		"system.slice": "system.slice/", "-.slice": "", "a-b-c.slice": "a.slice/a-b.slice/a-b-c.slice/",
		`system-foo\x2dbar.slice`: `system.slice/system-foo\x2dbar.slice/`,
	} {
		if got := cgroup(slice); got != want {
			t.Errorf("%s: %s, want %s", slice, got, want)
		}
	}
}
