package grammar

import (
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// ConstraintText writes a constraint as people say it: as its command, without
// what goes without saying.
func ConstraintText(c *pb.Constraint) string {
	switch k := c.GetKind().(type) {
	case *pb.Constraint_Location:
		return locationText(k.Location)
	case *pb.Constraint_Colocation:
		l := k.Colocation
		words := append(roleWord(l.GetRole()), l.GetResource(), "with")
		words = append(roleWord(l.GetWithRole(), words...), l.GetWith(), FormatScore(l.GetScore()))
		if len(l.GetSets()) > 0 {
			words = append(setWords(l.GetSets()), "score="+FormatScore(l.GetScore()))
		}
		return strings.Join(append(words, colocationOptions(l)...), " ")
	case *pb.Constraint_Order:
		words := orderedWords(k.Order)
		if len(k.Order.GetSets()) > 0 {
			words = setWords(k.Order.GetSets())
		}
		return strings.Join(append(words, orderOptions(k.Order)...), " ")
	default:
		return "of a kind that this version does not know"
	}
}

func locationText(l *pb.Location) string {
	if l.GetRule() != nil {
		words := append(append([]string{l.GetResource(), "rule"}, discoveryWords(l)...), roleOption(l.GetRole())...)
		return strings.Join(append(append(words, scoreWord(l)), constraint.RuleWords(l.GetRule())...), " ")
	}
	verb, score := "prefers", l.GetScore()
	if score < 0 {
		verb, score = "avoids", -score
	}
	words := []string{l.GetResource(), verb, l.GetNode() + "=" + FormatScore(score)}
	return strings.Join(append(append(words, discoveryWords(l)...), roleOption(l.GetRole())...), " ")
}
