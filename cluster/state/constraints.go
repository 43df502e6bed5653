package state

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// createConstraint adds a constraint. One without an id gets one that tells
// what it is; a preference for a node replaces the one given before.
func (d *draft) createConstraint(c *pb.Constraint) (string, error) {
	if err := d.checkConstraint(c); err != nil {
		return "", err
	}
	if c.Id == "" {
		d.dropSupersededBy(c)
	}
	if twin := d.twin(c); twin != nil {
		return "", refuse(Exists, "constraint", "delete it first to change it", "%s says the same: %s", twin.Id, describeConstraint(twin))
	}
	if c.Id == "" {
		c.Id = d.freeConstraintID(automaticID(c))
	} else if err := checkName("constraint id", c.Id, isName, nameRule); err != nil {
		return "", err
	}
	if ConstraintByID(d.State, c.Id) != nil {
		return "", refuse(Exists, "constraint id", "choose another", "there is a constraint %s already", c.Id)
	}
	d.putConstraint(c)
	return "constraint created: " + describeConstraint(c), d.checkOrders("constraint")
}

func (d *draft) checkConstraint(c *pb.Constraint) error {
	switch kind := c.GetKind().(type) {
	case *pb.Constraint_Location:
		return d.checkLocation(kind.Location)
	case *pb.Constraint_Colocation:
		return d.checkColocation(kind.Colocation)
	case *pb.Constraint_Order:
		return d.checkOrder(kind.Order)
	default:
		return refuse(Invalid, "constraint", "", "it is no location, colocation or order")
	}
}

// checkNamed refuses what is no clone, no group and no resource that stays, and
// what is part of a clone.
func (d *draft) checkNamed(id string) error {
	if c := CloneOf(d.State, id); c != nil {
		return refuse(Invalid, "resource", "name "+c.Id, "%s is part of clone %s", id, c.Id)
	}
	if GroupByID(d.State, id) != nil || CloneByID(d.State, id) != nil {
		return nil
	}
	_, err := d.present(id)
	return err
}

// checkPair refuses two names that are the same, or a group and its member.
func (d *draft) checkPair(a, b, relation string) error {
	for _, id := range []string{a, b} {
		if err := d.checkNamed(id); err != nil {
			return err
		}
	}
	switch {
	case a == b:
		return refuse(Invalid, "resource", "name two", "%s cannot be %s itself", a, relation)
	case GroupOf(d.State, a).GetId() == b, GroupOf(d.State, b).GetId() == a:
		return refuse(Invalid, "resource", "", "%s cannot be %s %s: one is a member of the other", a, relation, b)
	default:
		return nil
	}
}

// twin returns a constraint that says the same already. Two colocations, or two
// orders, of one pair would contradict or repeat each other, whatever their
// scores and kinds.
func (d *draft) twin(c *pb.Constraint) *pb.Constraint {
	i := slices.IndexFunc(d.Constraints, func(other *pb.Constraint) bool {
		switch kind := c.Kind.(type) {
		case *pb.Constraint_Location:
			return proto.Equal(kind.Location, other.GetLocation())
		case *pb.Constraint_Colocation:
			a, b := kind.Colocation, other.GetColocation()
			return b != nil && a.Resource == b.Resource && a.With == b.With && a.Role == b.Role && a.WithRole == b.WithRole && sameSets(a.Sets, b.Sets)
		default:
			a, b := c.GetOrder(), other.GetOrder()
			return b != nil && a.First == b.First && a.Then == b.Then && sameSets(a.Sets, b.Sets) &&
				a.FirstAction == b.FirstAction && a.ThenAction == b.ThenAction
		}
	})
	if i < 0 {
		return nil
	}
	return d.Constraints[i]
}

func sameSets(a, b []*pb.ResourceSet) bool {
	return slices.EqualFunc(a, b, func(a, b *pb.ResourceSet) bool { return proto.Equal(a, b) })
}

// dropSupersededBy drops the nameless preference of the same resource for the
// same node, when it says something else: a person said it anew.
func (d *draft) dropSupersededBy(c *pb.Constraint) {
	l := c.GetLocation()
	if l.GetNode() == "" {
		return
	}
	d.Constraints = without(d.Constraints, func(old *pb.Constraint) bool {
		o := old.GetLocation()
		return o != nil && o.Resource == l.Resource && o.Node == l.Node && !proto.Equal(o, l) &&
			strings.HasPrefix(old.Id, automaticID(old))
	})
}

// freeConstraintID returns the id, with a number behind it where it is taken.
func (d *draft) freeConstraintID(id string) string {
	free := id
	for i := 1; ConstraintByID(d.State, free) != nil; i++ {
		free = fmt.Sprintf("%s-%d", id, i)
	}
	return free
}

func (d *draft) deleteConstraint(id string) (string, error) {
	c := ConstraintByID(d.State, id)
	if c == nil {
		var known []string
		for _, c := range d.Constraints {
			known = append(known, c.Id)
		}
		return "", refuse(NotFound, "constraint id", suggest(id, known), "there is no constraint %q", id)
	}
	d.Constraints = without(d.Constraints, func(other *pb.Constraint) bool { return other.Id == id })
	return "constraint deleted: " + describeConstraint(c), nil
}

// dropConstraintsOn drops a resource, group or clone out of the constraints that
// name it, and those that are left with nothing to say.
func (d *draft) dropConstraintsOn(id string) {
	d.Constraints = rewrite(d.Constraints, func(c *pb.Constraint) *pb.Constraint { return constraint.Without(c, id) })
}
