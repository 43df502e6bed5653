package cib

import (
	"quorate/cluster/adoption"
	pb "quorate/proto/quorate/v1"
)

// A piece is one element of a CIB in Quorate's terms. It is added whole or not
// at all: add returns why it cannot be, because of what is missing before it.
type piece struct {
	*Entry
	add func(*pb.Configuration) (problem string)
}

// adopt builds the configuration of all pieces that a cluster accepts.
func adopt(pieces []*piece, try Trial) (*pb.Configuration, error) {
	var all []*adoption.Piece
	for _, p := range pieces {
		all = append(all, &adoption.Piece{Entries: []*Entry{p.Entry}, Add: p.add})
	}
	return adoption.Take(&pb.Configuration{}, all, try)
}
