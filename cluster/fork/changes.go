package fork

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// Changes lists, a sentence each, what was configured on the loser's side alone
// and is lost with its log: what differs there from the configuration that both
// began with, and from the winner's. Where that beginning is forgotten, it is what
// differs from the winner's.
func Changes(loser, winner *pb.Side) []string {
	have, kept := settings(loser.GetConfiguration()), settings(winner.GetConfiguration())
	began := kept
	if base := parting(loser.GetForks(), History(winner.GetForks())).GetConfiguration(); base != nil {
		began = settings(base)
	}
	names := maps.Clone(have)
	maps.Copy(names, began)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value, has := have[name]
		if value == began[name] && has == contains(began, name) || value == kept[name] && has == contains(kept, name) {
			continue
		}
		list = append(list, sentence(name, value, has, contains(began, name)))
	}
	return list
}

func contains(m map[string]string, name string) bool {
	_, ok := m[name]
	return ok
}

// parting is the first fork that the other history lacks; nil if there is none.
func parting(forks []*pb.Fork, other []string) *pb.Fork {
	for i, f := range forks {
		if i >= len(other) || f.GetId() != other[i] {
			return f
		}
	}
	return nil
}

func sentence(name, value string, has, had bool) string {
	thing := strings.Count(name, " ") == 1 && !strings.HasPrefix(name, "property ")
	switch {
	case !has && thing:
		return name + " deleted"
	case !has:
		return name + " unset"
	case !thing:
		return name + "=" + value
	case had:
		return fmt.Sprintf("%s changed (%s)", name, value)
	default:
		return fmt.Sprintf("%s created (%s)", name, value)
	}
}

// settings is a configuration as names and values. A name of two words is that
// of a thing, and its value says what it is; a longer one is a setting of it.
func settings(c *pb.Configuration) map[string]string {
	s := make(map[string]string)
	add(s, "property ", c.GetProperties())
	add(s, "resource default ", c.GetResourceDefaults())
	add(s, "operation default ", c.GetOperationDefaults())
	for _, n := range c.GetNodes() {
		name := "node " + n.GetName()
		s[name] = "member"
		add(s, name+" attribute ", n.GetAttributes())
		add(s, name+" utilization ", n.GetUtilization())
		addFlag(s, name+" standby", n.GetStandby())
		addFlag(s, name+" maintenance", n.GetMaintenance())
	}
	for _, r := range c.GetResources() {
		name := "resource " + r.GetId()
		s[name] = r.GetAgent()
		add(s, name+" ", r.GetParameters())
		add(s, name+" meta ", r.GetMeta())
		add(s, name+" utilization ", r.GetUtilization())
		for _, o := range r.GetOperations() {
			s[fmt.Sprintf("%s op %s interval %v", name, o.GetName(), o.GetInterval().AsDuration())] = operation(o)
		}
	}
	for _, g := range c.GetGroups() {
		s["group "+g.GetId()] = strings.Join(g.GetMembers(), ", ")
		add(s, "group "+g.GetId()+" meta ", g.GetMeta())
	}
	for _, clone := range c.GetClones() {
		s["clone "+clone.GetId()] = clone.GetMember()
		add(s, "clone "+clone.GetId()+" meta ", clone.GetMeta())
	}
	for _, d := range c.GetDevices() {
		name := "device " + d.GetId()
		s[name] = d.GetType()
		add(s, name+" ", d.GetParameters()) // of secrets these are references
		addFlag(s, name+" disabled", d.GetDisabled())
		for _, o := range d.GetOperations() {
			s[fmt.Sprintf("%s op %s interval %v", name, o.GetName(), o.GetInterval().AsDuration())] = operation(o)
		}
	}
	for _, l := range c.GetLevels() {
		s["fencing-level "+l.GetId()] = strings.Join(l.GetDevices(), ", ")
	}
	for _, a := range c.GetAlerts() {
		addAlert(s, a)
	}
	for _, k := range c.GetConstraints() {
		s["constraint "+k.GetId()] = constraintText(k)
	}
	return s
}

func addAlert(s map[string]string, a *pb.Alert) {
	name := "alert " + a.GetId()
	s[name] = a.GetPath()
	add(s, name+" option ", a.GetOptions())
	add(s, name+" meta ", a.GetMeta())
	add(s, name+" ", map[string]string{
		"description": a.GetDescription(), "select": strings.Join(a.GetSelect(), ", "), "resources": strings.Join(a.GetResources(), ", "),
	})
	for _, r := range a.GetRecipients() {
		name := name + " recipient " + r.GetId()
		s[name] = r.GetValue()
		add(s, name+" option ", r.GetOptions())
		add(s, name+" meta ", r.GetMeta())
	}
}

func add(to map[string]string, prefix string, values map[string]string) {
	for name, value := range values {
		to[prefix+name] = value
	}
}

func addFlag(to map[string]string, name string, set bool) {
	if set {
		to[name] = "true"
	}
}

func operation(o *pb.OperationSpec) string {
	words := []string{"timeout " + o.GetTimeout().AsDuration().String()}
	for _, name := range slices.Sorted(maps.Keys(o.GetOptions())) {
		words = append(words, name+" "+o.GetOptions()[name])
	}
	return strings.Join(words, ", ")
}

func constraintText(c *pb.Constraint) string {
	switch k := c.GetKind().(type) {
	case *pb.Constraint_Location:
		return location(k.Location)
	case *pb.Constraint_Colocation:
		return colocation(k.Colocation)
	case *pb.Constraint_Order:
		return order(k.Order)
	default:
		return "of an unknown kind"
	}
}

func location(l *pb.Location) string {
	where, score := l.GetNode(), strconv.FormatInt(l.GetScore(), 10)
	if l.GetRule() != nil {
		where = "where " + constraint.RuleText(l.GetRule())
	}
	if l.GetScoreAttribute() != "" {
		score = "of " + l.GetScoreAttribute()
	}
	text := fmt.Sprintf("%s on %s, score %s", l.GetResource(), where, score)
	if l.GetDiscovery() != pb.Discovery_DISCOVERY_ALWAYS {
		text += ", discovery " + enum(l.GetDiscovery().String(), "DISCOVERY_")
	}
	return text
}

func colocation(c *pb.Colocation) string {
	text := fmt.Sprintf("%s with %s, score %d", c.GetResource(), c.GetWith(), c.GetScore())
	if len(c.GetSets()) > 0 {
		text = fmt.Sprintf("%s together, score %d", constraint.SetsText(c.GetSets()), c.GetScore())
	}
	if c.GetNodeAttribute() != "" {
		text += ", by " + c.GetNodeAttribute()
	}
	if c.Influence != nil {
		text += fmt.Sprintf(", influence %t", c.GetInfluence())
	}
	return text
}

func order(o *pb.Order) string {
	text := fmt.Sprintf("%s, then %s", o.GetFirst(), o.GetThen())
	switch {
	case len(o.GetSets()) > 0:
		text = constraint.SetsText(o.GetSets()) + " in order"
	case o.GetFirstAction()+o.GetThenAction() > 0:
		text = fmt.Sprintf("%s of %s, then %s of %s", constraint.ActionWord(o.GetFirstAction()), o.GetFirst(), constraint.ActionWord(o.GetThenAction()), o.GetThen())
	}
	text += ", " + enum(o.GetKind().String(), "ORDER_KIND_")
	if o.GetAsymmetrical() {
		text += ", not symmetrical"
	}
	if o.GetAnyInstance() {
		text += ", any instance"
	}
	return text
}

func enum(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }
