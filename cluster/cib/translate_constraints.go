package cib

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/constraint"
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
// get the element's id with a number. What was not taken leaves resource sets.
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
	t.offer(kind, id, note, nil)
	p := t.pieces[len(t.pieces)-1]
	p.add = func(c *pb.Configuration) string {
		p.Verdict, p.Note = Taken, note
		if note != "" {
			p.Verdict = Approximated
		}
		for _, k := range list {
			k, lost := ofTaken(k, c)
			if len(lost) > 0 {
				p.Verdict, p.Note = Approximated, "without "+strings.Join(lost, ", ")
			}
			c.Constraints = append(c.Constraints, k)
		}
		return ""
	}
}

// ofTaken returns a constraint whose sets lack what is not in a configuration,
// and what that is. What is left with nothing to say stays as it is: the cluster
// says what it misses.
func ofTaken(k *pb.Constraint, c *pb.Configuration) (kept *pb.Constraint, lost []string) {
	kept = k
	if len(k.GetColocation().GetSets())+len(k.GetOrder().GetSets()) == 0 {
		return k, nil
	}
	for _, name := range constraint.Names(k) {
		if isIn(c, name) {
			continue
		}
		if kept = constraint.Without(kept, name); kept == nil {
			return k, nil
		}
		lost = append(lost, name)
	}
	return kept, lost
}

func isIn(c *pb.Configuration, name string) bool {
	return resourceIn(c, name) != nil ||
		slices.ContainsFunc(c.Groups, func(g *pb.Group) bool { return g.Id == name }) ||
		slices.ContainsFunc(c.Clones, func(k *pb.Clone) bool { return k.Id == name })
}

// roleOf reads the role in which a promotable clone is meant.
func roleOf(word string) (role pb.InstanceRole, problem string) {
	switch strings.ToLower(word) {
	case "", "started":
		return pb.InstanceRole_INSTANCE_ROLE_ANY, ""
	case "promoted", "master":
		return pb.InstanceRole_INSTANCE_ROLE_PROMOTED, ""
	case "unpromoted", "slave":
		return pb.InstanceRole_INSTANCE_ROLE_UNPROMOTED, ""
	}
	return 0, fmt.Sprintf("constraints on the role %s are not available in this version", word)
}

func (t *translator) location(e *element) {
	const kind = "rsc_location"
	l, ok := t.d.location(e)
	names, role, problem := t.located(l)
	switch {
	case !ok:
		problem = unreadableSet
	case t.device(l.Resource):
		problem = "it is about a fencing device, which every node may use but the one that is fenced"
	}
	var places []*pb.Location
	if problem == "" {
		places, problem = t.places(l)
	}
	if problem != "" {
		t.leave(kind, l.ID, problem)
		return
	}
	var list []*pb.Constraint
	for _, name := range names {
		for _, place := range places {
			place = proto.CloneOf(place)
			place.Resource, place.Role = name, max(place.Role, role)
			list = append(list, &pb.Constraint{Kind: &pb.Constraint_Location{Location: place}})
		}
	}
	note := ""
	if strings.EqualFold(l.Discovery, "never") {
		note = "with resource-discovery=always: nothing starts before every node was looked at"
	}
	t.constrain(kind, l.ID, note, list)
}

// located returns the resources that a location is about, and in which role.
func (t *translator) located(l engine.Location) (names []string, role pb.InstanceRole, problem string) {
	role, problem = roleOf(l.Role)
	switch {
	case problem != "":
	case len(l.Sets) > 0:
		for i, set := range l.Sets {
			own, problem := roleOf(set.Role)
			switch {
			case problem != "":
				return nil, role, problem
			case set.Score != "":
				return nil, role, "a score of one resource set is not available in this version"
			case i > 0 && own != role:
				return nil, role, "resource sets of several roles are not available in this version"
			}
			role = own
			names = append(names, set.Resources...)
		}
	case l.Pattern != "":
		names, problem = t.matching(l.Pattern)
	default:
		names = []string{l.Resource}
	}
	return names, role, problem
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

// places returns a location for its node, or for each of its rules.
func (t *translator) places(l engine.Location) (places []*pb.Location, problem string) {
	discovery := pb.Discovery_DISCOVERY_ALWAYS
	if strings.EqualFold(l.Discovery, "exclusive") {
		discovery = pb.Discovery_DISCOVERY_EXCLUSIVE
	}
	if l.Node != "" {
		score, err := state.ParseScore(l.Score)
		if err != nil {
			return nil, err.Error()
		}
		return []*pb.Location{{Node: l.Node, Score: score, Discovery: discovery}}, ""
	}
	for i := range l.Rules {
		place, problem := t.rulePlace(&l.Rules[i])
		if problem == "" && l.Pattern != "" && strings.Contains(constraint.RuleText(place.Rule)+place.ScoreAttribute, "%") {
			problem = "what a pattern matched cannot be named in a rule in this version"
		}
		if problem != "" {
			return nil, problem
		}
		place.Discovery = discovery
		places = append(places, place)
	}
	return places, ""
}

func (t *translator) colocation(e *element) {
	const kind = "rsc_colocation"
	c, ok := t.d.colocation(e)
	problem := ""
	switch {
	case !ok:
		problem = "it colocates two lists, or one of its resource sets does not exist"
	case c.DependentInstance != "" || c.PrimaryInstance != "":
		problem = "constraints on instances are not available in this version"
	}
	var list []*pb.Constraint
	if problem == "" {
		list, problem = colocations(c)
	}
	if problem != "" {
		t.leave(kind, c.ID, problem)
		return
	}
	t.constrain(kind, c.ID, "", list)
}

// colocations returns a colocation in Quorate's words: one, or several where each
// set has a score of its own.
func colocations(c engine.Colocation) (list []*pb.Constraint, problem string) {
	score, err := state.ParseScore(cmp.Or(c.Score, "0"))
	if err != nil {
		return nil, err.Error()
	}
	k := &pb.Colocation{Resource: c.Dependent, With: c.Primary, Score: score}
	role, problem := roleOf(c.DependentRole)
	with, second := roleOf(c.PrimaryRole)
	if problem = cmp.Or(problem, second); problem != "" {
		return nil, problem
	}
	k.Role, k.WithRole = role, with
	if c.NodeAttribute != "#uname" && len(c.Sets) == 0 {
		k.NodeAttribute = c.NodeAttribute
	}
	if c.Influence != "" {
		influence := isTrue(c.Influence)
		k.Influence = &influence
	}
	own := slices.ContainsFunc(c.Sets, func(s engine.ResourceSet) bool { return s.Score != "" && s.Score != c.Score })
	for _, set := range c.Sets {
		if problem := setProblem(set); problem != "" {
			return nil, problem
		}
		if !own {
			role, _ := roleOf(set.Role)
			k.Sets = append(k.Sets, &pb.ResourceSet{Resources: set.Resources, Parallel: !sequential(set), Role: role})
		}
	}
	if !own {
		return bind([]*pb.Colocation{k}), ""
	}
	pairs, problem := colocationPairs(c.Sets, c.Score)
	if problem != "" {
		return nil, problem
	}
	var several []*pb.Colocation
	for _, p := range pairs {
		p.Influence = k.Influence
		several = append(several, p)
	}
	return bind(several), ""
}

// bind makes constraints of those colocations that bind anything.
func bind(list []*pb.Colocation) (bound []*pb.Constraint) {
	for _, k := range list {
		if len(constraint.Colocations(k)) > 0 {
			bound = append(bound, &pb.Constraint{Kind: &pb.Constraint_Colocation{Colocation: k}})
		}
	}
	return bound
}

// setProblem says why a set of a constraint cannot be taken.
func setProblem(set engine.ResourceSet) string {
	switch _, problem := roleOf(set.Role); {
	case problem != "":
		return problem
	case set.Ordering != "" && !strings.EqualFold(set.Ordering, "group"):
		return "ordering=" + set.Ordering + " of a resource set is not available in this version"
	case set.Kind != "":
		return "a kind of one resource set is not available in this version"
	}
	return ""
}

// colocationPairs says resource sets as pairs, each set with its own score.
func colocationPairs(sets []engine.ResourceSet, score string) (pairs []*pb.Colocation, problem string) {
	outer, err := state.ParseScore(cmp.Or(score, "0"))
	if err != nil {
		return nil, err.Error()
	}
	for i, set := range sets {
		own, err := state.ParseScore(cmp.Or(set.Score, score, "0"))
		if err != nil {
			return nil, err.Error()
		}
		role, _ := roleOf(set.Role)
		within := &pb.ResourceSet{Resources: set.Resources, Parallel: !sequential(set), Role: role}
		for _, p := range constraint.Colocations(&pb.Colocation{Score: own, Sets: []*pb.ResourceSet{within}}) {
			pairs = append(pairs, &pb.Colocation{Resource: p.Dependent, Role: p.DependentRole, With: p.Primary, WithRole: p.PrimaryRole, Score: own})
		}
		if i == 0 {
			continue
		}
		for _, a := range ends(sets[i-1], false) {
			for _, b := range ends(set, true) {
				before, _ := roleOf(sets[i-1].Role)
				pairs = append(pairs, &pb.Colocation{Resource: a, Role: before, With: b, WithRole: role, Score: outer})
			}
		}
	}
	return pairs, ""
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
	k, problem := order(o)
	switch {
	case !ok:
		problem = unreadableSet
	case o.FirstInstance != "" || o.ThenInstance != "":
		problem = "constraints on instances are not available in this version"
	}
	if problem != "" {
		t.leave(kind, o.ID, problem)
		return
	}
	var list []*pb.Constraint
	if len(constraint.Orders(k)) > 0 {
		list = append(list, &pb.Constraint{Kind: &pb.Constraint_Order{Order: k}})
	}
	t.constrain(kind, o.ID, "", list)
}

// order returns an order in Quorate's words.
func order(o engine.Order) (k *pb.Order, problem string) {
	k = &pb.Order{
		First: o.First, Then: o.Then, Kind: orderKind(o),
		Asymmetrical: o.Symmetrical != "" && !isTrue(o.Symmetrical),
	}
	if len(o.Sets) == 0 {
		k.AnyInstance = o.RequireAll != "" && !isTrue(o.RequireAll)
		k.FirstAction, problem = orderAction(cmp.Or(o.FirstAction, "start"))
		then, second := orderAction(cmp.Or(o.ThenAction, o.FirstAction, "start"))
		k.ThenAction = then
		return k, cmp.Or(problem, second)
	}
	for _, set := range o.Sets {
		action, problem := orderAction(cmp.Or(set.Action, "start"))
		if problem = cmp.Or(problem, setProblem(set)); problem != "" {
			return nil, problem
		}
		k.Sets = append(k.Sets, &pb.ResourceSet{
			Resources: set.Resources, Parallel: !sequential(set), Action: action,
			Any: set.RequireAll != "" && !isTrue(set.RequireAll),
		})
	}
	return k, ""
}

func orderAction(word string) (action pb.OrderAction, problem string) {
	switch word {
	case "start":
		return pb.OrderAction_ORDER_ACTION_START, ""
	case "stop":
		return pb.OrderAction_ORDER_ACTION_STOP, ""
	case "promote":
		return pb.OrderAction_ORDER_ACTION_PROMOTE, ""
	case "demote":
		return pb.OrderAction_ORDER_ACTION_DEMOTE, ""
	}
	return 0, "orders of other actions than start, stop, promote and demote are not available in this version"
}

func orderKind(o engine.Order) pb.OrderKind {
	switch score, err := state.ParseScore(o.Score); {
	case o.Kind == "Optional", o.Kind == "" && o.Score != "" && err == nil && score == 0:
		return pb.OrderKind_ORDER_KIND_OPTIONAL
	case o.Kind == "Serialize":
		return pb.OrderKind_ORDER_KIND_SERIALIZE
	}
	return pb.OrderKind_ORDER_KIND_MANDATORY
}
