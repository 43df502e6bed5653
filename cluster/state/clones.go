package state

import (
	"fmt"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// Copies returns on how many nodes a resource may run at once: one, or of a
// cloned one as many as its clone-max says.
func Copies(s *pb.State, resource string) int {
	c := CloneOf(s, resource)
	if c == nil {
		return 1
	}
	n, err := ParseScore(cloneOption(c, "clone-max"))
	if err != nil || n < 0 {
		return 0 // not checked in: nothing more starts
	}
	return int(n)
}

// cloneOption returns an option of a clone as set, or its default.
func cloneOption(c *pb.Clone, name string) string {
	if v, ok := c.GetMeta()[name]; ok {
		return v
	}
	return fallback(ofClones, name)
}

// cloneResource makes a clone of a resource or group, and has the constraints on
// it name the clone.
func (d *draft) cloneResource(given *pb.Clone) (string, error) {
	member := given.GetMember()
	if err := d.checkCloneable(member); err != nil {
		return "", err
	}
	id := given.Id
	if id == "" {
		id = member + "-clone"
	}
	if err := checkName("clone id", id, isName, nameRule); err != nil {
		return "", err
	}
	if err := d.checkFree("clone id", id); err != nil {
		return "", err
	}
	meta, err := canonicalMap(ofClones, given.Meta)
	if err != nil {
		return "", err
	}
	for _, m := range Members(d.State, member) {
		d.putResource(with(ResourceByID(d.State, m), func(r *pb.Resource) { r.Move = nil }))
	}
	d.putClone(&pb.Clone{Id: id, Member: member, Meta: meta})
	d.redirectConstraints(member, id)
	return fmt.Sprintf("%s cloned as %s", member, id), nil
}

// checkCloneable refuses what is cloned already or not there.
func (d *draft) checkCloneable(id string) error {
	if CloneByID(d.State, id) != nil {
		return refuse(Invalid, "resource", "", "%s is a clone itself", id)
	}
	if c := CloneOf(d.State, id); c != nil {
		return refuse(Exists, "resource", "", "%s is part of clone %s already", id, c.Id)
	}
	if g := GroupOf(d.State, id); g != nil {
		return refuse(Invalid, "resource", "clone the group", "%s is in group %s", id, g.Id)
	}
	if GroupByID(d.State, id) == nil {
		_, err := d.present(id)
		return err
	}
	return nil
}

// uncloneResource dissolves a clone: what is in it stays.
func (d *draft) uncloneResource(id string) (string, error) {
	c := d.cloneAt(id)
	if c == nil && Members(d.State, id) != nil {
		return "", refuse(Invalid, "clone", "", "%s is not cloned", id)
	}
	if c == nil {
		return "", d.noSuchResource("clone", id)
	}
	d.dropClone(c.Id)
	d.redirectConstraints(c.Id, c.Member)
	return fmt.Sprintf("clone %s dissolved, %s stays", c.Id, c.Member), nil
}

func (d *draft) dropClone(id string) {
	d.Clones = without(d.Clones, func(c *pb.Clone) bool { return c.Id == id })
}

// dropCloneOf forgets the clone of a resource or group that is no more, and what
// was said of it.
func (d *draft) dropCloneOf(member string) {
	for _, c := range d.Clones { // the list as it was: dropClone replaces it
		if c.Member == member {
			d.dropClone(c.Id)
			d.dropConstraintsOn(c.Id)
		}
	}
}

// updateClone changes a clone's meta attributes; it has nothing else.
func (d *draft) updateClone(c *pb.Clone, u *pb.UpdateResource) (string, error) {
	if len(u.SetParameters)+len(u.UnsetParameters)+len(u.SetOperations)+len(u.UnsetOperations)+len(u.SetUtilization) > 0 {
		return "", refuse(Invalid, "resource", "update "+c.Member, "%s is a clone, which has meta attributes alone", c.Id)
	}
	if len(u.SetMeta)+len(u.UnsetMeta) == 0 {
		return "", refuse(Invalid, "clone", "", "nothing to change was given for %s", c.Id)
	}
	meta, err := edited(ofClones, c.Meta, u.SetMeta, u.UnsetMeta)
	if err != nil {
		return "", err
	}
	d.putClone(with(c, func(c *pb.Clone) { c.Meta = meta }))
	return describeSettings("clone "+c.Id+" meta", u.SetMeta, u.UnsetMeta), nil
}

// checkClones refuses a change that takes a resource out of its clone although
// several nodes own it (S1), or leaves a constraint on a part of a clone: which
// instance it is about would be open. What is no clone may have several owners that
// are gone, and must be fenced; that is in the way of no change.
func (d *draft) checkClones(before *pb.State) error {
	for _, r := range d.Resources {
		taken := CloneOf(before, r.Id) != nil && CloneOf(d.State, r.Id) == nil
		if owners := AssignmentsOf(d.State, r.Id); taken && len(owners) > 1 {
			return refuse(Precondition, "clone", "let it run on one first, with clone-max=1, or stop it with `resource disable`",
				"%s runs on %d nodes, and without its clone it may run on one", r.Id, len(owners))
		}
	}
	for _, c := range d.Constraints {
		for _, id := range constraint.Names(c) {
			if clone := CloneOf(d.State, id); clone != nil {
				return refuse(Precondition, "constraint "+c.Id, "delete it first, and make one on "+clone.Id,
					"it names %s, which is part of clone %s", id, clone.Id)
			}
		}
	}
	return nil
}

// redirectConstraints has the constraints on one id name another.
func (d *draft) redirectConstraints(from, to string) {
	d.Constraints = rewrite(d.Constraints, func(c *pb.Constraint) *pb.Constraint { return constraint.Renamed(c, from, to) })
}
