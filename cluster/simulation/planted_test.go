package simulation

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

// A planted bug is a change of the production code, or of what the simulation
// takes for granted, that breaks one rule of the lease protocol. The code itself
// knows nothing of it: all bugs are compiled into copies that only the compiler
// sees, and one of them is switched on by its name in the environment.
//
// It is caught in two ways. Tests of the rule that it breaks fail, each time; and
// random schedules find it, which shows that the simulation is strong enough to
// find what nobody has thought of a test for.
type planted struct {
	name  string
	edits []edit
	fails string // tests of the rule, as FOLDER.TEST, which each must fail

	want   string // which rules schedules may find violated
	seed   uint64 // that often shows it; zero: none is known, and none needed
	missed int    // not zero: how many schedules did not find it (docs/bugs.md); it is hunted only when it is named
	size   string // of the clusters to look in; empty: all
	faults string // to play; empty: all
}

// An edit replaces a text that a file holds exactly once, after the edits of
// the bugs listed before. In the new text BUG stands for the question whether
// this bug is switched on, and If(BUG, a, b) for a choice.
type edit struct{ file, old, new string }

var (
	plant = flag.String("plant", "", "only the planted bugs whose names hold this text, all of them hunted")
	leave = flag.String("leave", "", "leave the program with the planted bugs in this file")
)

// TestPlantedBugs is the test of the tests: each of these bugs must be caught.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED because of -short: whether planted bugs are found was not tested")
	}
	if *worker {
		return
	}
	var chosen []planted
	for _, p := range plantedBugs {
		if strings.Contains(p.name, *plant) {
			chosen = append(chosen, p)
		}
	}
	began := time.Now()
	programs := build(t, chosen)
	t.Logf("built in %.1f s", time.Since(began).Seconds())
	t.Run("none", func(t *testing.T) { programs.passUnplanted(t, chosen) })
	for _, p := range chosen {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			for _, test := range p.tests() {
				t.Run(test.name, func(t *testing.T) { programs.fail(t, test, p.name) })
			}
			if p.missed == 0 || *plant != "" {
				t.Run("schedules", func(t *testing.T) { p.hunt(t, programs.of(home)) })
			}
		})
	}
}

func TestPlantedBugsAreNamedOnceAndCaughtByATest(t *testing.T) {
	var names []string
	for _, p := range plantedBugs {
		if slices.Contains(names, p.name) {
			t.Errorf("two planted bugs are named %q", p.name)
		}
		names = append(names, p.name)
		if p.fails == "" {
			t.Errorf("no test catches %q", p.name)
		}
	}
}
