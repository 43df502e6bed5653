package state

import (
	"fmt"
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// automaticID is the id that a constraint without one gets.
func automaticID(c *pb.Constraint) string {
	switch kind := c.Kind.(type) {
	case *pb.Constraint_Location:
		l := kind.Location
		if l.Rule != nil {
			return fmt.Sprintf("location-%s-rule", l.Resource)
		}
		return fmt.Sprintf("location-%s-%s-%s", l.Resource, l.Node, FormatScore(l.Score))
	case *pb.Constraint_Colocation:
		l := kind.Colocation
		if len(l.Sets) > 0 {
			return "colocation-set-" + ends(l.Sets)
		}
		return fmt.Sprintf("colocation-%s-%s-%s", l.Resource, l.With, FormatScore(l.Score))
	default:
		o := c.GetOrder()
		if len(o.Sets) > 0 {
			return "order-set-" + ends(o.Sets)
		}
		return fmt.Sprintf("order-%s-%s-%s", o.First, o.Then, orderKindName(o.Kind))
	}
}

// ends names the first and the last resource of sets.
func ends(sets []*pb.ResourceSet) string {
	last := sets[len(sets)-1].Resources
	return sets[0].Resources[0] + "-" + last[len(last)-1]
}

func describeConstraint(c *pb.Constraint) string {
	switch kind := c.Kind.(type) {
	case *pb.Constraint_Location:
		return describeLocation(kind.Location)
	case *pb.Constraint_Colocation:
		l := kind.Colocation
		if len(l.Sets) > 0 {
			return fmt.Sprintf("%s together, score %s", constraint.SetsText(l.Sets), FormatScore(l.Score))
		}
		return fmt.Sprintf("%s with %s, score %s", inRole(l.Role, l.Resource), inRole(l.WithRole, l.With), FormatScore(l.Score))
	default:
		o := c.GetOrder()
		if len(o.Sets) > 0 {
			return fmt.Sprintf("%s in order, %s", constraint.SetsText(o.Sets), orderKindName(o.Kind))
		}
		return fmt.Sprintf("%s then %s, %s", actionOn(o.FirstAction, o.First), actionOn(o.ThenAction, o.Then), orderKindName(o.Kind))
	}
}

func describeLocation(l *pb.Location) string {
	where, score := l.Node, FormatScore(l.Score)
	if l.Rule != nil {
		where = "nodes where " + constraint.RuleText(l.Rule)
	}
	if l.ScoreAttribute != "" {
		score = "of attribute " + l.ScoreAttribute
	}
	return fmt.Sprintf("%s on %s with score %s", inRole(l.Role, l.Resource), where, score)
}

func inRole(r pb.InstanceRole, resource string) string {
	if word := constraint.RoleWord(r); word != "" {
		return word + " " + resource
	}
	return resource
}

func actionOn(a pb.OrderAction, resource string) string {
	if a == pb.OrderAction_ORDER_ACTION_START {
		return resource
	}
	return constraint.ActionWord(a) + " of " + resource
}

func orderKindName(k pb.OrderKind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "ORDER_KIND_"))
}
