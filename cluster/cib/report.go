package cib

import pb "quorate/proto/quorate/v1"

// A Verdict says what became of an element of a CIB.
type Verdict int

// Verdicts.
const (
	Taken        Verdict = iota
	Approximated         // taken, with a difference that the note tells
	NotTaken             // left out, for the reason in the note
)

func (v Verdict) String() string {
	return [...]string{"taken", "approximated", "not taken"}[v]
}

// An Entry is one line of a report.
type Entry struct {
	Verdict Verdict
	Kind    string // of the element: primitive, rsc_order, …; of an option with its name
	ID      string // of the element; empty: it is not in the document
	Note    string // a sentence; empty: there is nothing to say
}

// A Report says what became of each element, in the order of the document.
type Report struct {
	Entries []Entry
}

// Count returns how many elements got a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, e := range r.Entries {
		if e.Verdict == v {
			n++
		}
	}
	return n
}

// A Trial asks whether a cluster would accept a configuration. The problem is
// empty if it would; an error says that nobody could tell.
type Trial func(*pb.Configuration) (problem string, err error)

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
