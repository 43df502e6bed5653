package systemd

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"quorate/resources"
)

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

// What the warden is told before a start is where the processes are after it.
func TestAUnitIsTracedByItsCgroup(t *testing.T) {
	for _, unit := range []string{"traced", "traced-template@one"} {
		x := newRig(t, unit, "Type=exec\n"+sleeper) // so that it is there after a start
		before := x.Traces(x.r)
		x.must(t, "start", x.Start)
		if len(before) != 1 || before[0].Kind != resources.TraceCgroup || !slices.Equal(before, x.Traces(x.r)) {
			t.Fatalf("traces of %s: %+v before its start, %+v after it", unit, before, x.Traces(x.r))
		}
		inside, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", before[0].Mark, "cgroup.procs"))
		if err != nil || strings.TrimSpace(string(inside)) != strconv.Itoa(x.pid(t)) {
			t.Errorf("in %s is %q, %v; want process %d", before[0].Mark, inside, err, x.pid(t))
		}
	}
}
