package simulation

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

// plantedSchedules is how many schedules a planted bug may survive. Goroutines do
// not always run in the same order, so that a bug is not always found in the
// schedule that showed it first.
const plantedSchedules = 400

// knownTries is how often the schedule that is known to show a bug is played, before
// the bug is looked for from the first seed on.
const knownTries = 20

var hunting = flag.Int("hunt", plantedSchedules, "how many schedules a planted bug may survive")

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
