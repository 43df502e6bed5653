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

// allowIgnore refuses no-quorum-policy=ignore where it is not for this cluster:
// of three voters two decide, and if each part of a cut network did as it
// liked, two of them would serve.
func (d *draft) allowIgnore() error {
	if d.Properties["no-quorum-policy"] != "ignore" || d.mayIgnore() {
		return nil
	}
	return refuse(Invalid, "property no-quorum-policy", "use stop: any minority may fail, and the others go on",
		"ignore is for two voters without a witness: with more, each part of a cut network would serve by itself")
}

// mayIgnore reports whether at most two nodes shall vote, both of which host
// resources.
func (d *draft) mayIgnore() bool {
	voters := 0
	for _, n := range d.Nodes {
		switch n.Role {
		case pb.Role_ROLE_VOTER:
			voters++
		case pb.Role_ROLE_WITNESS:
			return false
		default:
		}
	}
	return voters <= 2
}

// endIgnore sets no-quorum-policy back when a further voter or a witness comes.
// To refuse the node instead would make people do in two steps what is always
// right: that node is what a pair lacks.
func (d *draft) endIgnore() {
	if d.Properties["no-quorum-policy"] != "ignore" || d.mayIgnore() {
		return
	}
	d.Properties = merged(d.Properties, map[string]string{"no-quorum-policy": "stop"})
	d.record(&pb.Event{
		Kind: "configuration", Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO,
		Text: "property no-quorum-policy=stop: ignore is for two voters without a witness, and now a majority decides",
	})
}

// Lost returns the peer that a node goes on without, since its fork. Empty:
// there is none, or it has followed the fork: it has confirmed the electorate in
// which it has no vote, or votes again. Its admission alone is not enough. A node
// asks for that while it yet knows nothing of the fork, and may then be silent
// again and go on alone itself. Nor does it matter what role it was given.
func Lost(s *pb.State, self string) string {
	voters, forks := s.GetElectorate().GetVoters(), s.GetForks()
	if len(voters) != 1 || voters[0] != self || len(forks) == 0 {
		return ""
	}
	last := forks[len(forks)-1]
	peer := NodeByID(s, last.Peer)
	if last.Node != self || peer == nil || peer.ElectorateConfirmed == s.Electorate.Version {
		return ""
	}
	return peer.Id
}

// YieldsRace reports whether a node of a pair lets its peer fence first: it runs less,
// by the priorities of what it owns, then by their number, as far as it knows; of
// equals the one that is not preferred. Their answers may differ by one entry of the
// log; then the devices' own delays decide.
func YieldsRace(s *pb.State, self, peer string) bool {
	p, n := worth(s, self)
	q, m := worth(s, peer)
	switch {
	case p != q:
		return p < q
	case n != m:
		return n < m
	}
	return !Preferred(s, self, peer)
}

// worth is the sum of the priorities of what a node owns, and how much that is.
func worth(s *pb.State, node string) (sum int64, count int) {
	for _, a := range s.GetAssignments() {
		if a.Node == node {
			p, _ := ParseScore(Meta(s, a.Resource, "priority"))
			sum, count = sum+p, count+1
		}
	}
	return sum, count
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
