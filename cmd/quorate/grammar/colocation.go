package grammar

import (
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// Colocation reads
//
//	[ROLE] RESOURCE with [ROLE] RESOURCE [SCORE] [OPTION=VALUE]...
//
// and the form of the oldest tutorials, which has no "with".
func Colocation(words []string) (*pb.Edit, error) {
	const usage = "write RESOURCE with RESOURCE [SCORE]"
	names, roles, err := withRoles(words)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 && names[1] == "with" {
		names = slices.Delete(slices.Clone(names), 1, 2)
	}
	if len(names) < 2 || strings.Contains(names[0]+names[1], "=") {
		return nil, Errorf("a colocation needs two resources").With(usage)
	}
	c := &pb.Colocation{Resource: names[0], Role: roles[0], With: names[1], WithRole: roles[1]}
	rest := names[2:]
	if len(rest) > 0 && !strings.Contains(rest[0], "=") {
		rest = append([]string{"score=" + rest[0]}, rest[1:]...)
	}
	return colocation(c, rest, "id", "score", "influence", "node-attribute")
}

// ColocationSet reads
//
//	RESOURCE... [sequential=…] [set RESOURCE...]... [setoptions [OPTION=VALUE]...]
func ColocationSet(words []string) (*pb.Edit, error) {
	sets, rest, err := resourceSets("colocation", words, "sequential", "role")
	if err != nil {
		return nil, err
	}
	return colocation(&pb.Colocation{Sets: sets}, rest, "id", "score", "influence")
}

// colocation reads the options that follow what is colocated.
func colocation(c *pb.Colocation, words []string, known ...string) (*pb.Edit, error) {
	o, err := options("colocation", words, known...)
	if err != nil {
		return nil, err
	}
	c.Score, c.NodeAttribute = Infinity, o["node-attribute"]
	if score, ok := o["score"]; ok {
		if c.Score, err = ParseScore(score); err != nil {
			return nil, err
		}
	}
	if text, ok := o["influence"]; ok {
		influence, err := parseBool("influence", text)
		if err != nil {
			return nil, err
		}
		c.Influence = &influence
	}
	return creation(&pb.Constraint{Id: o["id"], Kind: &pb.Constraint_Colocation{Colocation: c}}), nil
}
