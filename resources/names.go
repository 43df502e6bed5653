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

// distance counts the bytes to insert, delete or replace, and the neighbours to swap, to
// make b of a (Levenshtein's, with what fingers do most).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1) // row[j]: from the letters of a so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			next[j+1] = row[j]
			if a[i] != b[j] {
				next[j+1] = 1 + min(row[j], row[j+1], next[j])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], 1+before[j-1])
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
