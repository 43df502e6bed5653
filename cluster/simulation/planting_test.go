package simulation

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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

// build compiles this package, and those whose tests must fail with the chosen
// bugs, with all bugs in place.
func build(t *testing.T, chosen []planted) programs {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := programs{root: root, dir: t.TempDir()}
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", p.overlay(t), "-o", p.dir + "/"}
	for _, folder := range slices.Sorted(maps.Keys(byFolder(chosen))) {
		args = append(args, "./"+folder)
		// A result is cached until something changes that this process has opened.
		if _, err := os.ReadDir(filepath.Join(root, folder)); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the bugs: %v\n%s", err, out)
	}
	if *leave != "" {
		if err := os.Rename(p.of(home), *leave); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(*leave, p.of(home)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// overlay writes the changed files and the list that names them to the compiler.
func (p programs) overlay(t *testing.T) (list string) {
	t.Helper()
	changed := map[string]string{"cluster/bugs/bugs.go": switches}
	for _, bug := range plantedBugs {
		for _, e := range bug.edits {
			changed[e.file] = bug.plant(t, p.root, e, changed[e.file])
		}
	}
	replace := map[string]string{}
	for file, text := range changed {
		copied := filepath.Join(p.dir, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(p.root, file)] = copied
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list = filepath.Join(p.dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
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
