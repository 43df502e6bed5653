// Package fork tells logs apart that once were one.
//
// Each time that one of two nodes goes on alone its log gets the random id of
// that fork; the ids, in order, are the log's history. Two logs may exchange
// Raft's messages only where one history continues the other: logs that went
// apart may hold different entries under the same index and term, which Raft
// never finds out ([Check]). Where neither continues the other, [Settle] says
// which of the two goes on, and [Changes] what the other one alone had changed.
//
// Everything here is pure: the same answer on both ends.
package fork

import (
	"cmp"
	"errors"
	"fmt"

	pb "quorate/proto/quorate/v1"
)

// Relation is how a history stands to another.
type Relation int

// The relations of mine to theirs.
const (
	Same   Relation = iota
	Behind          // theirs continues mine
	Ahead           // mine continues theirs
	Split           // neither continues the other
)

func (r Relation) String() string {
	switch r {
	case Same:
		return "same"
	case Behind:
		return "behind"
	case Ahead:
		return "ahead"
	case Split:
		return "split"
	default:
		return fmt.Sprintf("relation %d", int(r))
	}
}

// Compare says how my history stands to theirs.
func Compare(mine, theirs []string) Relation {
	for i := range min(len(mine), len(theirs)) {
		if mine[i] != theirs[i] {
			return Split
		}
	}
	switch cmp.Compare(len(mine), len(theirs)) {
	case 0:
		return Same
	case -1:
		return Behind
	default:
		return Ahead
	}
}

// Why a stream carries no messages of Raft.
var (
	ErrBehind = errors.New("the node that asks is behind the fork of the one that is asked, which will catch it up")
	ErrSplit  = errors.New("the two nodes went on alone, each by itself: one of them must give way")
)

// Check says whether a node with one history may ask a node with another. It may
// where its own is the same, or continues the other's: so a node that did not go
// on is caught up by the one that did, and decides nothing before. Both ends
// check, and come to the same answer.
func Check(asks, asked []string) error {
	switch Compare(asks, asked) {
	case Behind:
		return ErrBehind
	case Split:
		return ErrSplit
	default:
		return nil
	}
}

// History is the ids of forks, in order.
func History(forks []*pb.Fork) []string {
	var ids []string
	for _, f := range forks {
		ids = append(ids, f.GetId())
	}
	return ids
}

// Settle says which of two nodes that went apart goes on, as its log is, and
// why: the one that went on more often, else the one that runs more resources,
// else the one of higher priority, else the one with the smaller id.
func Settle(a, b *pb.Side) (winner, reason string) {
	for _, by := range []struct {
		what string
		of   func(*pb.Side) int64
	}{
		{"it went on alone more often", func(s *pb.Side) int64 { return int64(len(s.GetForks())) }},
		{"it runs more resources", func(s *pb.Side) int64 { return int64(s.GetRunning()) }},
		{"its priority is higher", (*pb.Side).GetPriority},
	} {
		switch one, other := by.of(a), by.of(b); {
		case one > other:
			return a.GetNode(), fmt.Sprintf("%s (%d against %d)", by.what, one, other)
		case other > one:
			return b.GetNode(), fmt.Sprintf("%s (%d against %d)", by.what, other, one)
		}
	}
	return min(a.GetNode(), b.GetNode()), "the two are equal, and its id is the smaller one"
}
