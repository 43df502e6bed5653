package state

import (
	"strings"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// checkLocation checks a location and brings it into the form that is kept.
func (d *draft) checkLocation(l *pb.Location) error {
	l.Score = Saturate(l.Score)
	if err := checkDiscovery(l.Discovery); err != nil {
		return err
	}
	if l.Rule == nil {
		return d.checkNodeLocation(l)
	}
	if l.Node != "" {
		return refuse(Invalid, "location", "give one of them, or compare #uname in the rule", "it has a node and a rule")
	}
	if l.ScoreAttribute != "" {
		if err := checkRuleText("score-attribute", l.ScoreAttribute); err != nil {
			return err
		}
		l.Score = 0
	}
	var err error
	if l.Rule, err = canonicalRule(l.Rule); err != nil {
		return err
	}
	return d.checkNamed(l.Resource)
}

// checkDiscovery refuses what would let a resource start while nobody has looked
// whether it runs elsewhere (S4).
func checkDiscovery(d pb.Discovery) error {
	switch d {
	case pb.Discovery_DISCOVERY_ALWAYS, pb.Discovery_DISCOVERY_EXCLUSIVE:
		return nil
	case pb.Discovery_DISCOVERY_NEVER:
		return refuse(Invalid, "resource-discovery", "leave it out: a score of -INFINITY is enough",
			"never is not available: nothing starts before every node was looked at")
	default:
		return refuse(Invalid, "resource-discovery", "use always or exclusive", "%v is none", d)
	}
}

func (d *draft) checkNodeLocation(l *pb.Location) error {
	if NodeByName(d.State, l.Node) == nil {
		return d.noSuchNode(l.Node)
	}
	if l.ScoreAttribute != "" {
		return refuse(Invalid, "score-attribute", "give a score", "only a rule can take its score from an attribute")
	}
	return d.checkNamed(l.Resource)
}

// withNodeNamed returns a constraint in which a node has a new name.
func withNodeNamed(c *pb.Constraint, from, to string) *pb.Constraint {
	l := c.GetLocation()
	switch {
	case l.GetNode() == from:
		return with(c, func(c *pb.Constraint) { c.GetLocation().Node = to })
	case l.GetRule() == nil:
		return c
	}
	renamed := with(c, func(c *pb.Constraint) { renameInRule(c.GetLocation().Rule, from, to) })
	if proto.Equal(renamed, c) {
		return c
	}
	return renamed
}

func renameInRule(r *pb.Rule, from, to string) {
	for _, c := range r.GetConditions() {
		renameInRule(c.GetRule(), from, to)
		if a := c.GetAttribute(); a.GetAttribute() == "#uname" && strings.EqualFold(a.Value, from) {
			a.Value = to
		}
	}
}
