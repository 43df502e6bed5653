package fork

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
		addFlag(s, name+" standby", n.GetStandby())
		addFlag(s, name+" maintenance", n.GetMaintenance())
	}
	for _, r := range c.GetResources() {
		name := "resource " + r.GetId()
		s[name] = r.GetAgent()
		add(s, name+" ", r.GetParameters())
		add(s, name+" meta ", r.GetMeta())
		for _, o := range r.GetOperations() {
			s[fmt.Sprintf("%s op %s interval %v", name, o.GetName(), o.GetInterval().AsDuration())] = operation(o)
		}
	}
	for _, g := range c.GetGroups() {
		s["group "+g.GetId()] = strings.Join(g.GetMembers(), ", ")
		add(s, "group "+g.GetId()+" meta ", g.GetMeta())
	}
	for _, k := range c.GetConstraints() {
		s["constraint "+k.GetId()] = constraint(k)
	}
	return s
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

func constraint(c *pb.Constraint) string {
	switch k := c.GetKind().(type) {
	case *pb.Constraint_Location:
		return fmt.Sprintf("%s on %s, score %d", k.Location.GetResource(), k.Location.GetNode(), k.Location.GetScore())
	case *pb.Constraint_Colocation:
		return fmt.Sprintf("%s with %s, score %d", k.Colocation.GetResource(), k.Colocation.GetWith(), k.Colocation.GetScore())
	case *pb.Constraint_Order:
		kind := strings.ToLower(strings.TrimPrefix(k.Order.GetKind().String(), "ORDER_KIND_"))
		return fmt.Sprintf("%s, then %s, %s", k.Order.GetFirst(), k.Order.GetThen(), kind)
	default:
		return "of an unknown kind"
	}
}
