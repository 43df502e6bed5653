package lab

import (
	"cmp"
	"slices"
	"time"
)

// A Span is a time during which one host held an address or answered for it.
type Span struct {
	Node string        `json:"node"`
	From time.Duration `json:"from"` // on the machine's monotonic clock
	To   time.Duration `json:"to"`
}

// overlap returns for how long the spans of two or more nodes ran at the same
// time. The spans of one node do not overlap each other.
func overlap(spans []Span) time.Duration {
	type edge struct {
		at   time.Duration
		step int
	}
	var edges []edge
	for _, s := range spans {
		if s.To > s.From {
			edges = append(edges, edge{s.From, 1}, edge{s.To, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) // ends first
	})
	var total, since time.Duration
	open := 0
	for _, e := range edges {
		if open >= 2 {
			total += e.at - since
		}
		open, since = open+e.step, e.at
	}
	return total
}

// clip returns the parts of spans that lie between from and to.
func clip(spans []Span, from, to time.Duration) []Span {
	var clipped []Span
	for _, s := range spans {
		s.From, s.To = max(s.From, from), min(s.To, to)
		if s.To > s.From {
			clipped = append(clipped, s)
		}
	}
	return clipped
}
