package state

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Peer returns the other half of a pair: two voters that host resources, of
// which either may go on alone. Empty: this is none.
func Peer(s *pb.State, self string) string {
	voters := s.GetElectorate().GetVoters()
	if len(voters) != 2 || !slices.Contains(voters, self) || Property(s, "no-quorum-policy") != "ignore" {
		return ""
	}
	for _, id := range voters {
		if NodeByID(s, id).GetRole() != pb.Role_ROLE_VOTER {
			return ""
		}
	}
	if voters[0] == self {
		return voters[1]
	}
	return voters[0]
}

// Lost returns the peer that a node goes on without, since its fork. Empty:
// there is none, or it is back.
func Lost(s *pb.State, self string) string {
	voters, forks := s.GetElectorate().GetVoters(), s.GetForks()
	if len(voters) != 1 || voters[0] != self || len(forks) == 0 {
		return ""
	}
	last := forks[len(forks)-1]
	peer := NodeByID(s, last.Peer)
	if last.Node != self || peer.GetAdmission() != pb.Admission_ADMISSION_GONE || peer.Role != pb.Role_ROLE_VOTER {
		return ""
	}
	return peer.Id
}

// Preferred reports whether one node of a pair goes before the other where only
// one may go: by the attribute priority, then by name. What both know by
// heart decides, so that they cannot come to different answers: what runs where
// may have changed by one entry that only one of them has.
func Preferred(s *pb.State, a, b string) bool {
	one, other := NodeByID(s, a), NodeByID(s, b)
	if p, q := priority(one), priority(other); p != q {
		return p > q
	}
	return strings.Compare(one.GetName(), other.GetName()) < 0
}

func priority(n *pb.Node) int64 {
	p, err := ParseScore(n.GetAttributes()["priority"])
	if err != nil {
		return 0
	}
	return p
}
