package cib

import (
	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
)

type (
	// A Verdict says what became of an element of a CIB.
	Verdict = adoption.Verdict
	// An Entry is one line of a report, on the element of an id.
	Entry = adoption.Entry
	// A Report says what became of each element, in the order of the document.
	Report = adoption.Report
	// A Trial asks whether a cluster would accept a configuration.
	Trial = adoption.Trial
)

// Verdicts.
const (
	Taken        = adoption.Taken
	Approximated = adoption.Approximated
	NotTaken     = adoption.NotTaken
)

// Configuration returns what Quorate can take of a CIB: the greatest part, in
// the document's order, that a cluster accepts.
func (d *Document) Configuration(try Trial) (*pb.Configuration, *Report, error) {
	t := &translator{d: d}
	t.translate()
	cfg, err := adopt(t.pieces, try)
	if err != nil {
		return nil, nil, err
	}
	r := &Report{Entries: make([]Entry, len(t.entries))}
	for i, e := range t.entries {
		r.Entries[i] = *e
	}
	return cfg, r, nil
}
