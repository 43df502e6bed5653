package state

import (
	"slices"
	"strconv"
	"time"

	pb "quorate/proto/quorate/v1"
)

// Who is to be in the electorate. The controller makes it so, one voter at a
// time; setElectorate alone says what is valid.

// HasVote reports whether a node's role gives it a vote.
func HasVote(n *pb.Node) bool {
	return n.GetRole() == pb.Role_ROLE_VOTER || n.GetRole() == pb.Role_ROLE_WITNESS
}

// ShallVote reports whether the electorate is to have a node, when that can be:
// its role gives it a vote, and it has not given it back.
func ShallVote(s *pb.State, n *pb.Node) bool {
	return HasVote(n) && !retires(s, n)
}

// retires reports whether a node gives its vote back: it was stopped, has handed
// over what it owned, and others are at work. So its machine may be switched off
// without a loss, and stopping one node after the other leaves the last a quorum
// of its own. Once the last is stopped too, all that are there vote again.
func retires(s *pb.State, n *pb.Node) bool {
	return n.Stopped && !ownsAny(s, n.Id) && slices.ContainsFunc(s.Nodes, func(other *pb.Node) bool {
		return HasVote(other) && !other.Stopped
	})
}

func ownsAny(s *pb.State, node string) bool {
	return slices.ContainsFunc(s.Assignments, func(a *pb.Assignment) bool { return a.Node == node })
}

// Able reports whether most of these voters are there. Where they are not, a
// cluster that still works would stand still, and raft might not even recover
// when they return: one that has missed the changes refuses its vote to those
// who became voters by them.
func Able(s *pb.State, voters []string) bool {
	return 2*present(s, voters) > len(voters)
}

// present is how many of some nodes are there.
func present(s *pb.State, ids []string) int {
	n := 0
	for _, id := range ids {
		if NodeByID(s, id).GetAdmission() == pb.Admission_ADMISSION_ADMITTED {
			n++
		}
	}
	return n
}

// Missed reports whether no lease can be held while a voter does not answer: the
// others that are there, and do not restart themselves, are no majority.
func Missed(s *pb.State, id string) bool {
	others := 0
	for _, v := range s.GetElectorate().GetVoters() {
		n := NodeByID(s, v)
		if v != id && n.GetAdmission() == pb.Admission_ADMISSION_ADMITTED && !n.GetRestarting() {
			others++
		}
	}
	return Votes(s, id) && 2*others <= len(s.GetElectorate().GetVoters())
}

// Forfeit returns when a voter that is gone loses its vote; zero: never, as
// things are. It takes the property dead-voter-timeout, and as many living voters
// as min-voters says, so that nobody's safety is lowered without an operator.
func Forfeit(s *pb.State, n *pb.Node) time.Time {
	timeout, err := ParseDuration(Property(s, "dead-voter-timeout"))
	if err != nil || timeout == 0 || n.GetAdmission() != pb.Admission_ADMISSION_GONE || n.GoneAt == nil {
		return time.Time{}
	}
	if present(s, s.GetElectorate().GetVoters()) < MinVoters(s) {
		return time.Time{}
	}
	return n.GoneAt.AsTime().Add(timeout)
}

// MinVoters is how many living voters must remain for a dead one to lose its
// vote: as the property says, or as many as are configured.
func MinVoters(s *pb.State) int {
	if n, err := strconv.Atoi(Property(s, "min-voters")); err == nil {
		return n
	}
	configured := 0
	for _, n := range s.GetNodes() {
		if HasVote(n) {
			configured++
		}
	}
	return configured
}
