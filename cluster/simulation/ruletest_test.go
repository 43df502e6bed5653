package simulation

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// home is this folder, from the module's root.
const home = "cluster/simulation"

// A ruleTest is a test of a rule that a planted bug breaks.
type ruleTest struct {
	folder string // from the module's root
	name   string
}

// tests are those that must fail with the bug.
func (p planted) tests() (list []ruleTest) {
	for _, written := range strings.Fields(p.fails) {
		folder, name, _ := strings.Cut(written, ".")
		list = append(list, ruleTest{folder, name})
	}
	return list
}

// byFolder lists the tests of some bugs, each once.
func byFolder(bugs []planted) map[string][]string {
	list := map[string][]string{home: nil}
	for _, p := range bugs {
		for _, test := range p.tests() {
			if !slices.Contains(list[test.folder], test.name) {
				list[test.folder] = append(list[test.folder], test.name)
			}
		}
	}
	return list
}

// programs are the tests of a few folders, compiled with all bugs in place.
type programs struct {
	root string // of the module
	dir  string // where they are
}

// of is the program of a folder.
func (p programs) of(folder string) string {
	return filepath.Join(p.dir, filepath.Base(folder)+".test")
}

// passUnplanted expects that every test passes while no bug is switched on.
func (p programs) passUnplanted(t *testing.T, bugs []planted) {
	tests := byFolder(bugs)
	for _, folder := range slices.Sorted(maps.Keys(tests)) {
		if names := tests[folder]; len(names) > 0 {
			if out, err := p.run(t, folder, strings.Join(names, "|"), ""); err != nil {
				t.Errorf("without a bug, in %s: %v\n%s", folder, err, out)
			}
		}
	}
}

// fail expects that a test fails with the bug: by what it found, not by a crash.
func (p programs) fail(t *testing.T, test ruleTest, bug string) {
	out, err := p.run(t, test.folder, test.name, bug)
	says := func(s string) bool { return bytes.Contains(out, []byte(s)) }
	switch {
	case says("--- SKIP: " + test.name):
		t.Skipf("SKIPPED, for %s skips itself here:\n%s", test.name, out)
	case err == nil:
		t.Errorf("%s.%s passes with the bug", test.folder, test.name)
	case !says("--- FAIL: "+test.name) || says("panic: "):
		t.Errorf("%s.%s did not come to its end: %v\n%s", test.folder, test.name, err, out)
	}
}

// run runs tests with a bug switched on.
func (p programs) run(t *testing.T, folder, names, bug string) ([]byte, error) {
	t.Helper()
	run := exec.CommandContext(t.Context(), p.of(folder), "-test.run=^("+names+")$", "-test.v", "-test.timeout=60s")
	run.Dir = filepath.Join(p.root, folder)
	run.Env = append(os.Environ(), "PLANTED="+bug)
	return run.CombinedOutput()
}
