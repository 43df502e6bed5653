package engine

import (
	"fmt"
	"slices"
)

// A live cluster tells each part of a score in a clause. The notes keep what
// they come from; the clauses are made when somebody asks.

// noteLocation remembers what a location says of a node. What has a text is worth
// telling although it counts for nothing.
func (r *resource) noteLocation(s nodeScore, l *location) {
	if s.score != 0 || l.text != "" {
		r.notes = append(r.notes, note{node: s.node, score: int32(s.score), source: l.id})
	}
}

// told lists the parts of a score on a node, each with its clause.
func (r *resource) told(n *node) []Reason {
	var list []Reason
	for i := range r.notes {
		note := &r.notes[i]
		if !note.isAbout(n) {
			continue
		}
		reason := Reason{Score: int(note.score), Source: note.source, Text: r.textOf(note, n)}
		if reason.Score > -infinity || !slices.Contains(list, reason) {
			list = append(list, reason)
		}
	}
	return list
}

// textOf says in a clause what a part of a score comes from.
func (r *resource) textOf(is *note, n *node) string {
	switch {
	case is.via != nil && (r == is.via.primary || r.insideOf(is.via.primary)):
		return wishText(is, n)
	case is.via != nil:
		return placeText(is.via, n)
	}
	if text := either(r.locationText(is.source, n), sources[is.source]); text != "" {
		return text
	}
	return fmt.Sprintf("%s %s %s", r.id, likes(is.score), n.Name)
}

// locationText returns what a location that nobody configured says of itself.
func (r *resource) locationText(id string, n *node) string {
	for p := r; p != nil; p = p.parent {
		for _, l := range p.locations {
			if l.text != "" && l.id == id && slices.ContainsFunc(l.nodes, func(s nodeScore) bool { return s.node == n }) {
				return l.text
			}
		}
	}
	return ""
}

func likes(score int32) string {
	if score < 0 {
		return "avoids"
	}
	return "prefers"
}

// placeText says where the primary is.
func placeText(co *colocation, n *node) string {
	list := co.primary.places(placeAssigned)
	switch {
	case len(list) == 0:
		return co.primary.id + " runs nowhere"
	case slices.ContainsFunc(list, func(at *node) bool { return sameAttribute(at, n, co.attribute) }):
		return co.primary.id + " runs there"
	}
	return co.primary.id + " does not run there"
}

// wishText says what a dependent makes of a node; of a ban also why.
func wishText(is *note, n *node) string {
	dependent := is.via.dependent
	how := "which runs with it"
	if is.via.score < 0 {
		how = "which runs apart from it"
	}
	if is.score > -infinity || is.via.score < 0 {
		return fmt.Sprintf("%s, %s, %s %s", dependent.id, how, likes(is.score), n.Name)
	}
	for dependent.kind == Group {
		dependent = dependent.children[0]
	}
	text := fmt.Sprintf("%s, %s, may not run there", is.via.dependent.id, how)
	for i := range dependent.notes {
		if cause := &dependent.notes[i]; cause.isAbout(n) && cause.score <= -infinity && cause.via == nil {
			return text + ": " + dependent.textOf(cause, n)
		}
	}
	return text
}
