package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// maxVoters is how many nodes may vote; further members are replicas.
const maxVoters = 7

// setElectorate changes the voters by one. It waits until every admitted node
// counts its lease by the present ones (rule 19): a node that counted by older
// ones could keep a lease that a majority of the newer ones ended.
func (d *draft) setElectorate(e *pb.SetElectorate) error {
	now := d.Electorate
	if e.FromVersion != now.Version {
		return refuse(Stale, "electorate", "", "it is at version %d, not %d", now.Version, e.FromVersion)
	}
	voters := slices.Sorted(slices.Values(e.Voters))
	if err := d.checkVoters(now.Voters, voters); err != nil {
		return err
	}
	if err := d.confirmed(""); err != nil {
		return err
	}
	d.Electorate = &pb.Electorate{Version: now.Version + 1, Voters: voters}
	d.record(&pb.Event{
		Kind: "electorate", Severity: pb.Severity_SEVERITY_INFO,
		Text: "the voters are now " + strings.Join(d.nodeNames(voters), ", ") + d.whyVoters(minus(voters, now.Voters), minus(now.Voters, voters)),
	})
	return nil
}

// whyVoters tells why the electorate changed by one node.
func (d *draft) whyVoters(added, removed []string) string {
	for _, id := range added {
		return ": " + NodeName(d.State, id) + " votes"
	}
	for _, id := range removed {
		n := NodeByID(d.State, id)
		switch {
		case n == nil:
			return ": " + id + " was removed"
		case !HasVote(n):
			return ": " + n.Name + " is a " + roleName(n.Role)
		case n.Admission == pb.Admission_ADMISSION_GONE:
			return fmt.Sprintf(": %s lost its vote, being gone for %v", n.Name, d.at.AsTime().Sub(n.GoneAt.AsTime()).Round(time.Second))
		case n.Stopped:
			return ": " + n.Name + " was stopped and gave its vote back"
		}
	}
	return ""
}

// checkVoters checks that the wanted voters, sorted, differ from the present
// ones by exactly one id, and that one who joins them may vote.
func (d *draft) checkVoters(now, wanted []string) error {
	added, removed := minus(wanted, now), minus(now, wanted)
	switch {
	case len(slices.Compact(slices.Clone(wanted))) != len(wanted):
		return refuse(Invalid, "electorate", "", "a voter is named twice")
	case len(wanted) == 0:
		return refuse(Invalid, "electorate", "", "it would be empty")
	case len(added)+len(removed) != 1:
		return refuse(Invalid, "electorate", "change one voter at a time", "it would change by %d voters", len(added)+len(removed))
	case len(wanted) > maxVoters:
		return refuse(Invalid, "electorate", "add further nodes as replicas", "%d nodes would vote, and %d may", len(wanted), maxVoters)
	}
	for _, id := range added {
		switch n := NodeByID(d.State, id); {
		case n == nil:
			return refuse(NotFound, "electorate", "", "%s is not a member", id)
		case n.Role != pb.Role_ROLE_VOTER && n.Role != pb.Role_ROLE_WITNESS:
			return refuse(Precondition, "electorate", "", "%s is a %s, which does not vote", n.Name, roleName(n.Role))
		}
	}
	return nil
}

// minus returns what of a is not in b.
func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(e string) bool { return slices.Contains(b, e) })
}

func (d *draft) nodeNames(ids []string) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, NodeName(d.State, id))
	}
	slices.Sort(names)
	return names
}

// confirmElectorate notes that a node counts its lease, and cut its guards, by
// the present voters (rule 20).
func (d *draft) confirmElectorate(c *pb.ConfirmElectorate) error {
	n := NodeByID(d.State, c.Node)
	switch {
	case n == nil:
		return refuse(NotFound, "node", "", "%s is not a member", c.Node)
	case n.Admission != pb.Admission_ADMISSION_ADMITTED || n.Epoch != c.Epoch:
		return refuse(Stale, "epoch", "", "%s is not admitted at epoch %d (it is %s at %d)", n.Name, c.Epoch, admissionName(n.Admission), n.Epoch)
	case c.Version != d.Electorate.Version:
		return refuse(Stale, "electorate", "", "it is at version %d, not %d", d.Electorate.Version, c.Version)
	}
	d.putNodeRecord(with(n, func(n *pb.Node) { n.ElectorateConfirmed = c.Version }))
	return nil
}
