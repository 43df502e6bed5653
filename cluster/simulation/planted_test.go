package simulation

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A planted bug is a change of the production code that breaks one rule of the
// lease protocol. The code itself knows nothing of it: the change is made in a
// copy that only the compiler sees.
type planted struct {
	name  string
	edits []edit
	want  string // which violation the simulation must find
}

// An edit replaces a text that a file holds exactly once.
type edit struct{ file, old, new string }

// plantedSchedules is how many schedules a planted bug may survive. The
// slowest to be found is found in a tenth of them.
const plantedSchedules = 2500

// TestPlantedBugs is the test of the test: with each of these bugs TestSchedules
// must fail.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED because of -short: whether planted bugs are found was not tested")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plantedBugs {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			binary := p.build(t, root)
			built := time.Since(began)
			needed, story := hunt(t, binary)
			if needed == 0 {
				t.Fatalf("not found in %d schedules: the simulation is too weak\n%s", plantedSchedules, story)
			}
			if !strings.Contains(story, "VIOLATION "+p.want+":") {
				t.Errorf("schedule %d failed, but not by %s:\n%s", needed, p.want, story)
			}
			t.Logf("%s in schedule %d (built in %.1f s, run in %.1f s)", p.want, needed, built.Seconds(), time.Since(began).Seconds()-built.Seconds())
		})
	}
}

// build compiles this package with the bug in place.
func (p planted) build(t *testing.T, root string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for _, e := range p.edits {
		original := filepath.Join(root, e.file)
		source := original
		if changed, ok := replace[original]; ok {
			source = changed
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("%s holds this text %d times, not once: bring the table of planted bugs up to date\n%s", e.file, n, e.old)
		}
		replace[original] = filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
		if err := os.WriteFile(replace[original], []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "planted.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the bug: %v\n%s", err, out)
	}
	return binary
}

var failed = regexp.MustCompile(`--- FAIL: TestSchedules/seed=(\d+)`)

// hunt runs schedules until one fails, and returns how many that took; 0: none failed.
func hunt(t *testing.T, binary string) (needed int, output string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary, "-test.run=^TestSchedules$", "-test.cpu=1",
		"-schedules="+strconv.Itoa(plantedSchedules), "-seed="+strconv.FormatUint(*firstSeed, 10))
	out, err := run.CombinedOutput()
	output = string(out)
	m := failed.FindStringSubmatch(output)
	switch {
	case err == nil:
		return 0, output
	case m == nil:
		t.Fatalf("the schedules did not end in a failing one: %v\n%s", err, output)
	}
	seed, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(seed-*firstSeed) + 1, output
}
