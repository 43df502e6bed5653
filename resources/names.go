package resources

import (
	"slices"
	"strings"
)

// canonical spells an agent's name in the one way it is compared: the display
// form of crm and old pcs, ocf::heartbeat:IPaddr2, means ocf:heartbeat:IPaddr2.
func canonical(name string) string {
	return strings.ReplaceAll(strings.TrimSpace(name), "::", ":")
}

// Nearest returns up to limit candidates that a person may have meant by name,
// the likeliest first: those away by at most a third of the letters after the
// last colon, in any case, and those that contain it.
func Nearest(name string, candidates []string, limit int) []string {
	type scored struct {
		name     string
		distance int
	}
	last := name[strings.LastIndexByte(name, ':')+1:]
	var found []scored
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d <= max(1, len(last)/3) {
			found = append(found, scored{c, d})
		} else if len(name) >= 3 && strings.Contains(strings.ToLower(c), strings.ToLower(name)) {
			found = append(found, scored{c, len(c)})
		}
	}
	slices.SortFunc(found, func(a, b scored) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, f := range found[:min(limit, len(found))] {
		names = append(names, f.name)
	}
	return names
}

// distance counts the bytes to insert, delete or replace to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from the letters of a so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
