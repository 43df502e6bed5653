package grammar

import (
	"strconv"
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

func creation(c *pb.Constraint) *pb.Edit {
	return &pb.Edit{Kind: &pb.Edit_CreateConstraint{CreateConstraint: &pb.CreateConstraint{Constraint: c}}}
}

// ConstraintWords writes the command that makes a constraint, with its id.
func ConstraintWords(c *pb.Constraint) []string {
	words := []string{"constraint"}
	switch k := c.GetKind().(type) {
	case *pb.Constraint_Location:
		return append(words, locationWords(c.GetId(), k.Location)...)
	case *pb.Constraint_Colocation:
		return append(words, colocationWords(c.GetId(), k.Colocation)...)
	default:
		return append(words, orderWords(c.GetId(), c.GetOrder())...)
	}
}

func locationWords(id string, l *pb.Location) []string {
	if l.GetRule() == nil {
		words := []string{"location", "add", id, l.GetResource(), l.GetNode(), FormatScore(l.GetScore())}
		return append(append(words, discoveryWords(l)...), roleOption(l.GetRole())...)
	}
	words := []string{"location", l.GetResource(), "rule", "constraint-id=" + id}
	words = append(append(append(words, discoveryWords(l)...), roleOption(l.GetRole())...), scoreWord(l))
	return append(words, constraint.RuleWords(l.GetRule())...)
}

// scoreWord writes the score that a rule gives.
func scoreWord(l *pb.Location) string {
	if l.GetScoreAttribute() != "" {
		return "score-attribute=" + l.GetScoreAttribute()
	}
	return "score=" + FormatScore(l.GetScore())
}

// discoveryWords writes where a location lets probes look, unless that is
// everywhere.
func discoveryWords(l *pb.Location) []string {
	if l.GetDiscovery() == pb.Discovery_DISCOVERY_ALWAYS {
		return nil
	}
	return []string{"resource-discovery=" + strings.ToLower(strings.TrimPrefix(l.GetDiscovery().String(), "DISCOVERY_"))}
}

func colocationWords(id string, c *pb.Colocation) []string {
	if len(c.GetSets()) > 0 {
		words := append(append([]string{"colocation"}, setWords(c.GetSets())...), "setoptions", "score="+FormatScore(c.GetScore()))
		return append(append(words, colocationOptions(c)...), "id="+id)
	}
	words := append(roleWord(c.GetRole(), "colocation", "add"), c.GetResource(), "with")
	words = append(roleWord(c.GetWithRole(), words...), c.GetWith(), FormatScore(c.GetScore()))
	return append(append(words, colocationOptions(c)...), "id="+id)
}

// roleWord writes a role behind words, unless it is any.
func roleWord(r pb.InstanceRole, words ...string) []string {
	if word := constraint.RoleWord(r); word != "" {
		words = append(words, word)
	}
	return words
}

// roleOption writes a role as an option, unless it is any.
func roleOption(r pb.InstanceRole) []string {
	if word := constraint.RoleWord(r); word != "" {
		return []string{"role=" + word}
	}
	return nil
}

// colocationOptions writes what a colocation says beside its score.
func colocationOptions(c *pb.Colocation) []string {
	var words []string
	if c.GetNodeAttribute() != "" {
		words = append(words, "node-attribute="+c.GetNodeAttribute())
	}
	if c != nil && c.Influence != nil {
		words = append(words, "influence="+strconv.FormatBool(c.GetInfluence()))
	}
	return words
}

func orderWords(id string, o *pb.Order) []string {
	if len(o.GetSets()) > 0 {
		words := append(append([]string{"order"}, setWords(o.GetSets())...), "setoptions")
		return append(append(words, orderOptions(o)...), "id="+id)
	}
	words := append([]string{"order"}, orderedWords(o)...)
	return append(append(words, orderOptions(o)...), "id="+id)
}

// orderedWords writes FIRST then THEN, with the actions unless both are starts.
func orderedWords(o *pb.Order) []string {
	first, then := o.GetFirstAction(), o.GetThenAction()
	if first == pb.OrderAction_ORDER_ACTION_START && then == first {
		return []string{o.GetFirst(), "then", o.GetThen()}
	}
	return []string{constraint.ActionWord(first), o.GetFirst(), "then", constraint.ActionWord(then), o.GetThen()}
}

// orderOptions writes what an order says beside what is ordered.
func orderOptions(o *pb.Order) []string {
	var words []string
	if o.GetKind() != pb.OrderKind_ORDER_KIND_MANDATORY {
		words = append(words, "kind="+FormatKind(o.GetKind()))
	}
	if o.GetAsymmetrical() {
		words = append(words, "symmetrical=false")
	}
	if o.GetAnyInstance() {
		words = append(words, "require-all=false")
	}
	return words
}
