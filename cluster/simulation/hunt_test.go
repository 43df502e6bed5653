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
	began := time.Now()
	h := hunt{crew: crew{
		binary: binary, workers: 1, size: p.size, faults: p.faults, environment: []string{"PLANTED=" + p.name},
	}}
	if p.seed != 0 {
		h.look(t, p.seed, knownTries, true)
	}
	h.look(t, 1, *hunting, false)
	found := h.found
	switch {
	case found.Story == "":
		t.Errorf("not found in %d schedules: the simulation is too weak", h.played)
	case !slices.ContainsFunc(strings.Fields(p.want), func(rule string) bool { return strings.Contains(found.Story, "VIOLATION "+rule+":") }):
		t.Errorf("schedule %d failed, but not by %s:\n%s", found.Seed, p.want, found.Story)
	default:
		t.Logf("%s by seed %d, after %d schedules, %.1f s", p.want, found.Seed, h.played, time.Since(began).Seconds())
	}
}

// A hunt is for one bug.
type hunt struct {
	crew   crew
	played int
	found  report // the newest; its story is empty until the bug is found
}

// look plays at most so many schedules, unless the bug is found already: one again
// and again, or from it on. A schedule in which the bug ends the whole process, as
// Raft does when it finds its log broken, tells of no rule and is passed over.
func (h *hunt) look(t *testing.T, first uint64, count int, again bool) {
	for h.crew.repeat = again; count > 0 && h.found.Story == ""; {
		h.crew.first, h.crew.count = first, count
		before := h.played
		err := h.crew.play(t.Context(), func(r report) bool {
			h.played++
			h.found = r
			return r.Story == ""
		})
		if err == nil {
			return
		}
		t.Logf("passed over: %.200s", err.Error())
		h.played++
		count -= h.played - before
		if !again {
			first += uint64(h.played - before)
		}
	}
}
