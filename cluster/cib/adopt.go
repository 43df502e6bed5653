package cib

import (
	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// A piece is one element of a CIB in Quorate's terms. It is added whole or not
// at all: add returns why it cannot be, because of what is missing before it.
type piece struct {
	*Entry
	add func(*pb.Configuration) (problem string)
}

func (p *piece) refuse(problem string) {
	p.Verdict, p.Note = NotTaken, problem
}

// adopt builds the configuration of all pieces that a cluster accepts. It tries
// them together, and halves what is refused until the culprits stand alone; so
// n pieces with k bad ones take about k·log n trials.
func adopt(pieces []*piece, try Trial) (*pb.Configuration, error) {
	a := &adoption{try: try, accepted: &pb.Configuration{}}
	if err := a.take(pieces); err != nil {
		return nil, err
	}
	return a.accepted, nil
}

type adoption struct {
	try      Trial
	accepted *pb.Configuration
}

func (a *adoption) take(pieces []*piece) error {
	if len(pieces) == 0 {
		return nil
	}
	next := proto.CloneOf(a.accepted)
	var added []*piece
	for _, p := range pieces {
		if problem := p.add(next); problem != "" {
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
