// Package adoption takes as much of another program's configuration over as a
// cluster accepts, and says what became of each part of it.
//
// Who reads the other notation offers pieces; [Take] tries them with the cluster
// and reports on their entries. What a piece means is not known here.
package adoption

import (
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// A Verdict says what became of a part of a configuration.
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
	File    string // with Line, where the part is written; empty: it has an ID instead
	Line    int    // from 1
	Kind    string // of the part: primitive, rsc_order, virtual_server, …; of an option with its name
	ID      string // of the part, or the rest of its words; empty: it has none
	Note    string // a sentence; empty: there is nothing to say
}

// A Report says what became of each part, in the order in which they are written.
type Report struct {
	Entries []Entry
}

// Count returns how many parts got a verdict.
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

// A Piece is a part in Quorate's terms. It is added whole or not at all.
type Piece struct {
	Entries []*Entry                                 // of what it is made of
	Add     func(*pb.Configuration) (problem string) // why it cannot be, because of what is missing before it
}

func (p *Piece) refuse(problem string) {
	for _, e := range p.Entries {
		e.Verdict, e.Note = NotTaken, problem
	}
}

// Take adds to base all pieces that a cluster accepts. It tries them together,
// and halves what is refused until the culprits stand alone; so n pieces with k
// bad ones take about k·log n trials.
func Take(base *pb.Configuration, pieces []*Piece, try Trial) (*pb.Configuration, error) {
	a := &attempt{try: try, accepted: base}
	if err := a.take(pieces); err != nil {
		return nil, err
	}
	return a.accepted, nil
}

type attempt struct {
	try      Trial
	accepted *pb.Configuration
}

func (a *attempt) take(pieces []*Piece) error {
	if len(pieces) == 0 {
		return nil
	}
	next := proto.CloneOf(a.accepted)
	var added []*Piece
	for _, p := range pieces {
		if problem := p.Add(next); problem != "" {
			p.refuse(problem) // what it needs comes before it, or never
		} else {
			added = append(added, p)
		}
	}
	problem, err := a.try(next)
	switch {
	case err != nil:
		return err
	case problem == "":
		a.accepted = next
		return nil
	case len(added) < 2:
		for _, p := range added {
			p.refuse(problem)
		}
		return nil
	}
	half := len(added) / 2
	if err := a.take(added[:half]); err != nil {
		return err
	}
	return a.take(added[half:])
}
