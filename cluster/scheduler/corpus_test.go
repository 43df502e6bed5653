package scheduler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/cluster/cib"
	"quorate/cluster/scheduler/engine"
)

// A corpusCase is one of Pacemaker's own cases: what its scheduler decided.
// The README beside the cases describes the notation.
type corpusCase struct {
	Name  string  `json:"name"`
	Input string  `json:"input"`
	Now   *string `json:"now"`
	After struct {
		Resources map[string][]engine.Place `json:"resources"`
	} `json:"after"`
	Actions   []engine.Action `json:"actions"`
	Fenced    []string        `json:"fenced"`
	Unsettled []string        `json:"unsettled"`
}

// corpusTiers says which share of the cases of a tier must be equal: placements
// and fencing, and the set of actions. What is refused by name does not count.
var corpusTiers = []struct {
	name               string
	placement, actions float64
}{
	{"t1", 1, 0.95},
	{"t2", 0.97, 0.90},
	{"t3", 0.90, 0},
}

// corpusFolder is where the cases are: $QUORATE_CORPUS, or beside the project.
func corpusFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("QUORATE_CORPUS")
	if dir == "" {
		dir = "../../../shared/corpus"
	}
	dir = filepath.Join(dir, "pacemaker")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no cases to compare with: %v; set QUORATE_CORPUS to the folder that has them", err)
	}
	return dir
}

func TestCorpusIsDecidedAsPacemakerDecidesIt(t *testing.T) {
	dir := corpusFolder(t)
	for _, tier := range corpusTiers {
		files, err := filepath.Glob(filepath.Join(dir, tier.name, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("cases of %s: %v, %d files", tier.name, err, len(files))
		}
		var s score
		for _, file := range files {
			s.count(t, readCase(t, file), filepath.Dir(file))
		}
		fmt.Printf("%s: %s\n", tier.name, s.String())
		if share(s.decided()-len(s.misplaced), s.decided()) < tier.placement {
			t.Errorf("%s: fewer than %.0f %% of the placements and fencings are equal", tier.name, 100*tier.placement)
		}
		if share(s.decided()-len(s.otherActions), s.decided()) < tier.actions {
			t.Errorf("%s: fewer than %.0f %% of the sets of actions are equal", tier.name, 100*tier.actions)
		}
	}
}

func readCase(t *testing.T, file string) *corpusCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := new(corpusCase)
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// A score is how the cases of a tier compare.
type score struct {
	cases, refused          int
	placements, fencings    int // equal ones
	misplaced, otherActions []string
}

func (s *score) decided() int { return s.cases - s.refused }

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func (s *score) String() string {
	n := s.decided()
	return fmt.Sprintf("%d cases, %d refused by name; of %d: equal placements %d, equal fencing %d, both %d (%.1f %%), equal set of actions %d (%.1f %%)\n  differing: %s\n  actions differing: %s",
		s.cases, s.refused, n, s.placements, s.fencings, n-len(s.misplaced), 100*share(n-len(s.misplaced), n),
		n-len(s.otherActions), 100*share(n-len(s.otherActions), n), strings.Join(s.misplaced, " "), strings.Join(s.otherActions, " "))
}

// count decides one case. If QUORATE_CASE names it, or says all, it prints what differs.
func (s *score) count(t *testing.T, c *corpusCase, dir string) {
	t.Helper()
	s.cases++
	got, err := decideCase(filepath.Join(dir, c.Input), c.Now)
	var unsupported *cib.UnsupportedError
	if errors.As(err, &unsupported) {
		s.refused++
		return
	}
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	places := difference(placeLines(c.After.Resources, c.Unsettled), placeLines(got.Placement(), c.Unsettled))
	fenced := difference(slices.Sorted(slices.Values(c.Fenced)), slices.Sorted(slices.Values(got.FencedNodes())))
	actions := difference(actionLines(c.Actions, c.Unsettled), actionLines(got.Actions, c.Unsettled))
	if places == "" {
		s.placements++
	}
	if fenced == "" {
		s.fencings++
	}
	if places+fenced != "" {
		s.misplaced = append(s.misplaced, c.Name)
	}
	if actions != "" {
		s.otherActions = append(s.otherActions, c.Name)
	}
	if asked := os.Getenv("QUORATE_CASE"); asked == c.Name || asked == "all" && places+fenced+actions != "" {
		t.Logf("%s: - wanted, + got\n%s", c.Name, places+fenced+actions)
	}
}

func decideCase(file string, at *string) (*engine.Outcome, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d, err := cib.Parse(data)
	if err != nil {
		return nil, err
	}
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	if at != nil {
		if now, err = time.Parse(time.RFC3339, *at); err != nil {
			return nil, err
		}
	}
	in, err := d.Input(now)
	if err != nil {
		return nil, err
	}
	return engine.Run(in), nil
}

func placeLines(resources map[string][]engine.Place, unsettled []string) []string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		if slices.Contains(unsettled, id) {
			continue
		}
		for _, p := range resources[id] {
			if p.Role != "Stopped" {
				lines = append(lines, fmt.Sprintf("%s %s %s", id, p.Role, p.Node))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func actionLines(actions []engine.Action, unsettled []string) []string {
	var lines []string
	for _, a := range actions {
		if !slices.Contains(unsettled, a.Resource) {
			lines = append(lines, strings.Join([]string{a.Action, a.Resource, a.From, a.To, a.Node}, " "))
		}
	}
	slices.Sort(lines)
	return lines
}

// difference prints which lines of two sorted lists the other has not.
func difference(want, got []string) string {
	var b strings.Builder
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			fmt.Fprintf(&b, "  - %s\n", want[0])
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			fmt.Fprintf(&b, "  + %s\n", got[0])
			got = got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return b.String()
}
