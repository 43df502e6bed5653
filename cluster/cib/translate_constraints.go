package cib

import (
	"fmt"
	"regexp"
	"strings"

	"quorate/cluster/scheduler/engine"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

func (t *translator) constraints() {
	for _, e := range childrenOf(t.d.section("constraints")) {
		switch e.name {
		case "rsc_location":
			t.location(e)
		case "rsc_colocation":
			t.colocation(e)
		case "rsc_order":
			t.order(e)
		default:
			t.leave(e.name, e.id(), leftOut[e.name])
		}
	}
}

func childrenOf(e *element) []*element {
	if e == nil {
		return nil
	}
	return e.children
}

const unreadableSet = "one of its resource sets refers to one that does not exist"

// constrain offers what one element means as constraints of Quorate. Several
// get the element's id with a number.
func (t *translator) constrain(kind, id, note string, list []*pb.Constraint) {
	if len(list) == 0 {
		t.leave(kind, id, "it constrains nothing")
		return
	}
	for i, c := range list {
		c.Id = id
		if len(list) > 1 {
			c.Id = fmt.Sprintf("%s-%d", id, i+1)
		}
	}
	if len(list) > 1 && note == "" {
		note = fmt.Sprintf("as %d constraints, from %s-1 on", len(list), id)
	}
	t.offer(kind, id, note, func(c *pb.Configuration) string {
		c.Constraints = append(c.Constraints, list...)
		return ""
	})
}

func isStarted(role string) bool {
	return role == "" || strings.EqualFold(role, "started")
}

const noRoles = "constraints on roles are not available in this version"

func (t *translator) location(e *element) {
	const kind = "rsc_location"
	l, ok := t.d.location(e)
	names, problem := t.located(l)
	note := ""
	switch {
	case !ok:
		problem = unreadableSet
	case !isStarted(l.Role):
		problem = noRoles
	case l.Discovery != "" && !strings.EqualFold(l.Discovery, "always"):
		note = "without resource-discovery=" + l.Discovery
	}
	var scores []*pb.Location
	if problem == "" {
		scores, problem = t.nodeScores(l)
	}
	if problem != "" {
		t.leave(kind, l.ID, problem)
		return
	}
	var list []*pb.Constraint
	for _, name := range names {
		for _, s := range scores {
			list = append(list, &pb.Constraint{Kind: &pb.Constraint_Location{
				Location: &pb.Location{Resource: name, Node: s.Node, Score: s.Score},
			}})
		}
	}
	t.constrain(kind, l.ID, note, list)
}

// located returns the resources that a location is about.
func (t *translator) located(l engine.Location) (names []string, problem string) {
	switch {
	case len(l.Sets) > 0:
		for _, set := range l.Sets {
			if !isStarted(set.Role) {
				return nil, noRoles
			}
			if set.Score != "" {
				return nil, "a score of one resource set is not available in this version"
			}
			names = append(names, set.Resources...)
		}
	case l.Pattern != "":
		return t.matching(l.Pattern)
	default:
		names = []string{l.Resource}
	}
	return names, ""
}

// matching returns the resources at the top whose id matches a pattern.
func (t *translator) matching(pattern string) (names []string, problem string) {
	text, negated := strings.CutPrefix(pattern, "!")
	re, err := regexp.CompilePOSIX(text)
	if err != nil {
		return nil, fmt.Sprintf("rsc-pattern: %v", err)
	}
	for _, e := range t.d.children(t.d.section("resources")) {
		if re.MatchString(e.id()) != negated {
			names = append(names, e.id())
		}
	}
	return names, ""
}

// nodeScores returns a location's scores by node. Rules are worked out for the
// nodes of the CIB, as far as they ask for nothing but a node's name.
func (t *translator) nodeScores(l engine.Location) (scores []*pb.Location, problem string) {
	if l.Node != "" {
		score, err := state.ParseScore(l.Score)
		if err != nil {
			return nil, err.Error()
		}
		return []*pb.Location{{Node: l.Node, Score: score}}, ""
	}
	for _, rule := range l.Rules {
		if !isStarted(rule.Role) {
			return nil, noRoles
		}
		score, err := state.ParseScore(rule.Score)
		if err != nil || rule.ScoreAttribute != "" {
			return nil, "rules whose score is a node attribute are not available in this version"
		}
		for n := range t.d.section("nodes").all("node") {
			holds, known := nameRuleHolds(&rule, n.attr("uname"), n.id())
			if !known {
				return nil, ruleProblem(&rule)
			}
			if holds {
				scores = append(scores, &pb.Location{Node: n.attr("uname"), Score: score})
			}
		}
	}
	return scores, ""
}

// ruleProblem says why a rule cannot be taken, with what Quorate has instead.
func ruleProblem(rule *engine.Rule) string {
	for _, c := range rule.Conditions {
		if c.Attribute != nil && strings.Contains(c.Attribute.Attribute, "ping") {
			return "rules on node attributes are not available in this version; instead of a ping resource set the property quorum.ping"
		}
	}
	return "rules on other than a node's name are not available in this version"
}

// nameRuleHolds reports whether a rule holds for a node, and whether it asks for
// nothing but its name or id.
func nameRuleHolds(rule *engine.Rule, name, id string) (holds, known bool) {
	holds = !rule.Or || len(rule.Conditions) == 0
	for i := range rule.Conditions {
		one, ok := nameConditionHolds(&rule.Conditions[i], name, id)
		if !ok {
			return false, false
		}
		if one == rule.Or {
			holds = rule.Or
		}
	}
	return holds, true
}

func nameConditionHolds(c *engine.Condition, name, id string) (holds, known bool) {
	if c.Rule != nil {
		return nameRuleHolds(c.Rule, name, id)
	}
	a := c.Attribute
	if a == nil || a.ValueSource != "" {
		return false, false
	}
	value := name
	switch a.Attribute {
	case "#uname":
	case "#id":
		value = id
	default:
		return false, false
	}
	switch strings.ToLower(a.Operation) {
	case "eq":
		return strings.EqualFold(value, a.Value), true
	case "ne":
		return !strings.EqualFold(value, a.Value), true
	case "defined":
		return true, true
	case "not_defined":
		return false, true
	}
	return false, false
}

func (t *translator) colocation(e *element) {
	const kind = "rsc_colocation"
	c, ok := t.d.colocation(e)
	problem, note := "", ""
	switch {
	case !ok:
		problem = "it colocates two lists, or one of its resource sets does not exist"
	case !isStarted(c.DependentRole) || !isStarted(c.PrimaryRole):
		problem = noRoles
	case c.NodeAttribute != "" && c.NodeAttribute != "#uname":
		problem = "colocation by a node attribute is not available in this version"
	case c.DependentInstance != "" || c.PrimaryInstance != "":
		problem = "constraints on instances are not available in this version"
	case c.Influence != "" && !isTrue(c.Influence):
		note = "without influence=" + c.Influence
	}
	pairs := []pair{{c.Dependent, c.Primary, c.Score}}
	if len(c.Sets) > 0 && problem == "" {
		pairs, problem = colocationPairs(c.Sets, c.Score)
	}
	var list []*pb.Constraint
	for _, p := range pairs {
		score, err := state.ParseScore(p.score)
		if p.score == "" {
			score, err = 0, nil
		}
		if err != nil {
			problem = err.Error()
		}
		list = append(list, &pb.Constraint{Kind: &pb.Constraint_Colocation{
			Colocation: &pb.Colocation{Resource: p.first, With: p.second, Score: score},
		}})
	}
	if problem != "" {
		t.leave(kind, c.ID, problem)
		return
	}
	t.constrain(kind, c.ID, note, list)
}

// A pair is two resources of a constraint.
type pair struct{ first, second, score string }

// colocationPairs says resource sets as pairs: within a sequence each resource
// with the one before it, or, if they are to be apart, with all before it; then
// each set with the next.
func colocationPairs(sets []engine.ResourceSet, score string) (pairs []pair, problem string) {
	for i, set := range sets {
		own := set.Score
		if own == "" {
			own = score
		}
		if !isStarted(set.Role) {
			return nil, noRoles
		}
		if sequential(set) {
			pairs = append(pairs, sequencePairs(set.Resources, own)...)
		}
		if i == 0 {
			continue
		}
		for _, a := range ends(sets[i-1], false) {
			for _, b := range ends(set, true) {
				pairs = append(pairs, pair{a, b, score})
			}
		}
	}
	return pairs, ""
}

func sequencePairs(resources []string, score string) (pairs []pair) {
	apart := strings.HasPrefix(strings.TrimSpace(score), "-")
	for i := 1; i < len(resources); i++ {
		from := i - 1
		if apart {
			from = 0
		}
		for _, with := range resources[from:i] {
			pairs = append(pairs, pair{resources[i], with, score})
		}
	}
	return pairs
}

func sequential(set engine.ResourceSet) bool {
	return set.Sequential == "" || isTrue(set.Sequential)
}

// ends returns the resources of a set by which another set is bound to it: all
// of them, or the first or last of a sequence.
func ends(set engine.ResourceSet, last bool) []string {
	switch {
	case len(set.Resources) == 0 || !sequential(set):
		return set.Resources
	case last:
		return set.Resources[len(set.Resources)-1:]
	}
	return set.Resources[:1]
}

func (t *translator) order(e *element) {
	const kind = "rsc_order"
	o, ok := t.d.order(e)
	pairs := []pair{{first: o.First, second: o.Then}}
	problem := ""
	switch {
	case !ok:
		problem = unreadableSet
	case !isStart(o.FirstAction) || !isStart(o.ThenAction):
		problem = "orders of other actions than start are not available in this version"
	case o.FirstInstance != "" || o.ThenInstance != "":
		problem = "constraints on instances are not available in this version"
	case len(o.Sets) > 0:
		pairs, problem = orderPairs(o.Sets)
	}
	if problem != "" {
		t.leave(kind, o.ID, problem)
		return
	}
	var list []*pb.Constraint
	for _, p := range pairs {
		list = append(list, &pb.Constraint{Kind: &pb.Constraint_Order{Order: &pb.Order{
			First: p.first, Then: p.second, Kind: orderKind(o),
			Asymmetrical: o.Symmetrical != "" && !isTrue(o.Symmetrical),
		}}})
	}
	t.constrain(kind, o.ID, "", list)
}

func isStart(action string) bool { return action == "" || action == "start" }

func orderKind(o engine.Order) pb.OrderKind {
	switch score, err := state.ParseScore(o.Score); {
	case o.Kind == "Optional", o.Kind == "" && o.Score != "" && err == nil && score == 0:
		return pb.OrderKind_ORDER_KIND_OPTIONAL
	case o.Kind == "Serialize":
		return pb.OrderKind_ORDER_KIND_SERIALIZE
	}
	return pb.OrderKind_ORDER_KIND_MANDATORY
}

// orderPairs says resource sets as pairs: each resource of a sequence after the
// one before it, each set after the one before it.
func orderPairs(sets []engine.ResourceSet) (pairs []pair, problem string) {
	for i, set := range sets {
		switch {
		case !isStart(set.Action):
			return nil, "orders of other actions than start are not available in this version"
		case set.RequireAll != "" && !isTrue(set.RequireAll):
			return nil, "require-all=false is not available in this version"
		}
		if sequential(set) {
			for j := 1; j < len(set.Resources); j++ {
				pairs = append(pairs, pair{first: set.Resources[j-1], second: set.Resources[j]})
			}
		}
		if i == 0 {
			continue
		}
		for _, a := range ends(sets[i-1], true) {
			for _, b := range ends(set, false) {
				pairs = append(pairs, pair{first: a, second: b})
			}
		}
	}
	return pairs, ""
}
