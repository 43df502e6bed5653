package simulation

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A planted bug is a change of the production code, or of what the simulation
// takes for granted, that breaks one rule of the lease protocol. The code itself
// knows nothing of it: all bugs are compiled into a copy that only the compiler
// sees, and one of them is switched on by its name in the environment.
type planted struct {
	name   string
	edits  []edit
	want   string // which rules may be found violated
	seed   uint64 // that often shows it; zero: none is known, and none needed
	missed int    // not zero: how many schedules did not find it (docs/bugs.md); it is hunted only when it is named
	size   string // of the clusters to look in; empty: all
	faults string // to play; empty: all
}

// An edit replaces a text that a file holds exactly once, after the edits of
// the bugs listed before. In the new text BUG stands for the question whether
// this bug is switched on, and If(BUG, a, b) for a choice.
type edit struct{ file, old, new string }

// plantedSchedules is how many schedules a planted bug may survive. Goroutines do
// not always run in the same order, so that a bug is not always found in the
// schedule that showed it first.
const plantedSchedules = 400

var (
	plant   = flag.String("plant", "", "hunt only the planted bugs whose names hold this text")
	leave   = flag.String("leave", "", "leave the program with the planted bugs in this file")
	hunting = flag.Int("hunt", plantedSchedules, "how many schedules a planted bug may survive")
)

// TestPlantedBugs is the test of the test: with each of these bugs TestSchedules
// must fail.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED because of -short: whether planted bugs are found was not tested")
	}
	if *worker {
		return
	}
	began := time.Now()
	binary := build(t)
	t.Logf("built in %.1f s", time.Since(began).Seconds())
	for _, p := range plantedBugs {
		if !strings.Contains(p.name, *plant) || p.missed > 0 && *plant == "" {
			continue
		}
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			p.hunt(t, binary)
		})
	}
}

// knownTries is how often the schedule that is known to show a bug is played, before
// the bug is looked for from the first seed on.
const knownTries = 20

// hunt plays schedules with the bug until one fails.
func (p planted) hunt(t *testing.T, binary string) {
	began, played, found := time.Now(), 0, report{}
	crew := crew{
		binary: binary, first: p.seed, count: knownTries, repeat: true, workers: 1,
		size: p.size, faults: p.faults, environment: []string{"PLANTED=" + p.name},
	}
	look := func() {
		err := crew.play(t.Context(), func(r report) bool {
			played++
			found = r
			return r.Story == ""
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if p.seed != 0 {
		look()
	}
	if found.Story == "" {
		crew.first, crew.count, crew.repeat = 1, *hunting, false
		look()
	}
	switch {
	case found.Story == "":
		t.Errorf("not found in %d schedules: the simulation is too weak", played)
	case !slices.ContainsFunc(strings.Fields(p.want), func(rule string) bool { return strings.Contains(found.Story, "VIOLATION "+rule+":") }):
		t.Errorf("schedule %d failed, but not by %s:\n%s", found.Seed, p.want, found.Story)
	default:
		t.Logf("%s by seed %d, after %d schedules, %.1f s", p.want, found.Seed, played, time.Since(began).Seconds())
	}
}

// switches is the package that the planted bugs ask.
const switches = `// Package bugs switches planted bugs on.
package bugs

import "os"

var name = os.Getenv("PLANTED")

// Nonce is that of each machine's newest start.
var Nonce = map[string]uint64{}

// On reports whether a bug is switched on.
func On(bug string) bool { return name == bug }

// If chooses.
func If[T any](on bool, a, b T) T {
	if on {
		return a
	}
	return b
}
`

// build compiles this package with all bugs in place.
func build(t *testing.T) (binary string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed := map[string]string{"cluster/bugs/bugs.go": switches}
	for _, p := range plantedBugs {
		for _, e := range p.edits {
			changed[e.file] = p.plant(t, root, e, changed[e.file])
		}
	}
	replace := map[string]string{}
	for file, text := range changed {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(root, file)] = copied
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
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
	if *leave != "" {
		binary = *leave
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the bugs: %v\n%s", err, out)
	}
	return binary
}

// plant makes one edit in a file, as it is or as earlier edits have changed it.
func (p planted) plant(t *testing.T, root string, e edit, text string) string {
	t.Helper()
	if text == "" {
		data, err := os.ReadFile(filepath.Join(root, e.file))
		if err != nil {
			t.Fatal(err)
		}
		text = strings.Replace(string(data), "import (\n", "import (\n\t\"quorate/cluster/bugs\"\n", 1)
		text += "\nvar _ = bugs.On\n"
	}
	if n := strings.Count(text, e.old); n != 1 {
		t.Fatalf("%s: %s holds this text %d times, not once: bring the table of planted bugs up to date\n%s", p.name, e.file, n, e.old)
	}
	edited := strings.NewReplacer("BUG", `bugs.On("`+p.name+`")`, "If(", "bugs.If(").Replace(e.new)
	return strings.Replace(text, e.old, edited, 1)
}

// TestPlantedBugsAreNamedOnce keeps two bugs from being switched on together.
func TestPlantedBugsAreNamedOnce(t *testing.T) {
	var names []string
	for _, p := range plantedBugs {
		if slices.Contains(names, p.name) {
			t.Errorf("two planted bugs are named %q", p.name)
		}
		names = append(names, p.name)
	}
}
