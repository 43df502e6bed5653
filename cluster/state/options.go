package state

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	pb "quorate/proto/quorate/v1"
)

// An Option is a name that people may set: a cluster property, a meta
// attribute of resources, or an option of operations.
type Option struct {
	Name    string
	Default string
	Type    string // what values look like, for people
	Summary string

	check func(string) (canonical string, err error)
}

const (
	ofCluster    = pb.OptionScope_OPTION_SCOPE_CLUSTER
	ofResources  = pb.OptionScope_OPTION_SCOPE_RESOURCE_DEFAULTS
	ofOperations = pb.OptionScope_OPTION_SCOPE_OPERATION_DEFAULTS
)

// options are all names that may be set, by scope, sorted. What is not here is
// refused: a setting that nothing obeys would be a lie.
var options = map[pb.OptionScope][]Option{
	ofCluster: {
		{"cluster-recheck-interval", "15min", "duration", "how often to plan anew when nothing happens", checkDuration},
		{"fencing", "stop", "none, stop", "when a silent node's resources may start elsewhere: at once, or when it must have stopped them", checkFencing},
		{"maintenance-mode", "false", "boolean", "leave everything that runs alone", checkBool},
		{"no-quorum-policy", "stop", "stop, freeze", "what a node without quorum does with what it runs", checkNoQuorum},
		{"start-failure-is-fatal", "true", "boolean", "a failed start bans the node until a cleanup", checkBool},
		{"symmetric-cluster", "true", "boolean", "resources may run anywhere unless a constraint says otherwise", checkBool},
	},
	ofResources: {
		{"failback", "score", "score, manual, auto, delay DURATION, window [DAYS] HH:MM-HH:MM", "when to return to a better node", checkFailback},
		{"failure-timeout", "0", "duration", "after this time a failure is forgotten; 0: never", checkDuration},
		{"is-managed", "true", "boolean", "may be started and stopped by the cluster", checkBool},
		{"migration-threshold", "INFINITY", "count", "after so many failures it leaves the node", checkCount},
		{"priority", "0", "score", "which resources run first where not all can", checkScore},
		{"resource-stickiness", "0", "score", "how much it prefers to stay where it is", checkScore},
		{"target-role", "Started", "Started, Stopped", "what the cluster shall keep it", checkTargetRole},
	},
	ofOperations: {
		{"OCF_CHECK_LEVEL", "0", "count", "how deep the agent's monitor looks", checkCount},
		{"enabled", "true", "boolean", "whether a recurring operation runs", checkBool},
		{"interval", "0", "duration", "of a recurring monitor", checkDuration},
		{"on-fail", "restart", "ignore, block, stop, restart, standby", "what a failure leads to", checkOnFail},
		{"record-pending", "true", "boolean", "accepted; operations under way are always shown", checkBool},
		{"role", "Started", "Started, Stopped", "in which role a monitor runs", checkTargetRole},
		{"start-delay", "0", "duration", "before the first recurring monitor", checkDuration},
		{"timeout", "20s", "duration", "how long an operation may take", checkDuration},
	},
}

// aliases are other spellings, from Pacemaker and tutorials, of a name and its
// values.
var aliases = map[pb.OptionScope]map[string]struct {
	name    string
	convert func(string) (string, error)
}{
	ofCluster: {"stonith-enabled": {"fencing", convertStonith}},
}

// Options returns the names that may be set in a scope, sorted.
func Options(scope pb.OptionScope) []Option {
	return slices.Clone(options[scope])
}

// Property returns a cluster property as set, or its default.
func Property(s *pb.State, name string) string {
	if v, ok := s.GetProperties()[name]; ok {
		return v
	}
	return fallback(ofCluster, name)
}

// Meta returns a meta attribute of a resource: its own, its group's, the
// cluster's default for resources, or ours.
func Meta(s *pb.State, resource, name string) string {
	for _, from := range []map[string]string{
		ResourceByID(s, resource).GetMeta(), GroupOf(s, resource).GetMeta(), s.GetResourceDefaults(),
	} {
		if v, ok := from[name]; ok {
			return v
		}
	}
	return fallback(ofResources, name)
}

// OperationDefault returns a default for operations as set, or ours.
func OperationDefault(s *pb.State, name string) string {
	if v, ok := s.GetOperationDefaults()[name]; ok {
		return v
	}
	return fallback(ofOperations, name)
}

func fallback(scope pb.OptionScope, name string) string {
	for _, o := range options[scope] {
		if o.Name == name {
			return o.Default
		}
	}
	return ""
}

// canonical checks one setting and returns it as the state keeps it.
func canonical(scope pb.OptionScope, name, value string) (string, string, error) {
	field := scopeWord(scope) + " " + name
	if a, ok := aliases[scope][name]; ok {
		v, err := a.convert(value)
		if err != nil {
			return "", "", asRefusal(field, err)
		}
		return a.name, v, nil
	}
	for _, o := range options[scope] {
		if o.Name == name {
			v, err := o.check(value)
			if err != nil {
				return "", "", asRefusal(field, err)
			}
			return name, v, nil
		}
	}
	return "", "", unknownOption(scope, name)
}

// asRefusal splits the fix off a parser's error.
func asRefusal(field string, err error) error {
	problem, fix, _ := strings.Cut(err.Error(), "; ")
	return refuse(Invalid, field, fix, "%s", problem)
}

// unknownOption refuses a name; where it belongs elsewhere it says so.
func unknownOption(scope pb.OptionScope, name string) error {
	var known []string
	for _, o := range options[scope] {
		known = append(known, o.Name)
	}
	fix := suggest(name, append(known, slices.Sorted(maps.Keys(aliases[scope]))...))
	for _, other := range []pb.OptionScope{ofCluster, ofResources, ofOperations} {
		if fallback(other, name) != "" {
			fix = fmt.Sprintf("%s is a %s", name, scopeWord(other))
		}
	}
	if strings.TrimPrefix(name, "default-") == "resource-stickiness" && scope == ofCluster {
		fix = "set it with `resource defaults resource-stickiness=…`"
	}
	return refuse(Invalid, scopeWord(scope)+" "+name, fix, "there is no such %s", scopeWord(scope))
}

func scopeWord(scope pb.OptionScope) string {
	switch scope {
	case ofCluster:
		return "property"
	case ofResources:
		return "meta attribute"
	default:
		return "operation option"
	}
}

// canonicalMap checks settings by name. Two spellings of one name are refused.
func canonicalMap(scope pb.OptionScope, given map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(given))
	for _, name := range sortedKeys(given) {
		kept, value, err := canonical(scope, name, given[name])
		if err != nil {
			return nil, err
		}
		if _, twice := out[kept]; twice {
			return nil, refuse(Invalid, scopeWord(scope)+" "+name, "give one of them", "it is another name of %s, which is given too", kept)
		}
		out[kept] = value
	}
	return out, nil
}

// canonicalNames checks names that are to be unset.
func canonicalNames(scope pb.OptionScope, given []string) ([]string, error) {
	out := make([]string, 0, len(given))
	for _, name := range given {
		if a, ok := aliases[scope][name]; ok {
			name = a.name
		}
		if !slices.ContainsFunc(options[scope], func(o Option) bool { return o.Name == name }) {
			return nil, unknownOption(scope, name)
		}
		out = append(out, name)
	}
	return out, nil
}

// edited returns settings with some set and some unset, all checked.
func edited(scope pb.OptionScope, old, set map[string]string, unset []string) (map[string]string, error) {
	set, err := canonicalMap(scope, set)
	if err != nil {
		return nil, err
	}
	unset, err = canonicalNames(scope, unset)
	if err != nil {
		return nil, err
	}
	out := merged(old, set)
	for _, name := range unset {
		if _, both := set[name]; both {
			return nil, refuse(Invalid, scopeWord(scope)+" "+name, "", "it is set and unset at once")
		}
		delete(out, name)
	}
	return out, nil
}

// setOptions changes properties or defaults.
func (d *draft) setOptions(o *pb.SetOptions) (string, error) {
	var settings *map[string]string
	var words string
	switch o.Scope {
	case ofCluster:
		settings, words = &d.Properties, "property"
	case ofResources:
		settings, words = &d.ResourceDefaults, "resource default"
	case ofOperations:
		settings, words = &d.OperationDefaults, "operation default"
	default:
		return "", refuse(Invalid, "scope", "", "%v is no scope of options", o.Scope)
	}
	if len(o.Set)+len(o.Unset) == 0 {
		return "", refuse(Invalid, words, "", "none was given")
	}
	after, err := edited(o.Scope, *settings, o.Set, o.Unset)
	if err != nil {
		return "", err
	}
	*settings = after
	return describeSettings(words, o.Set, o.Unset), nil
}

func describeSettings(words string, set map[string]string, unset []string) string {
	said := words
	for _, name := range sortedKeys(set) {
		said += fmt.Sprintf(" %s=%s", name, set[name])
	}
	for _, name := range unset {
		said += fmt.Sprintf(" %s unset", name)
	}
	return said
}

func checkBool(s string) (string, error) {
	b, err := ParseBool(s)
	return strconv.FormatBool(b), err
}

func checkScore(s string) (string, error) {
	n, err := ParseScore(s)
	return FormatScore(n), err
}

func checkCount(s string) (string, error) {
	n, err := ParseScore(s)
	if err != nil || n < 0 {
		return "", fmt.Errorf("%q is not a count; use a whole number from 0, or INFINITY", s)
	}
	return FormatScore(n), nil
}

func checkDuration(s string) (string, error) {
	_, err := ParseDuration(s)
	return strings.TrimSpace(s), err
}

func checkFailback(s string) (string, error) {
	_, err := ParseFailback(s)
	return strings.Join(strings.Fields(s), " "), err
}

func checkTargetRole(s string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "started":
		return "Started", nil
	case "stopped":
		return "Stopped", nil
	case "master", "slave", "promoted", "unpromoted":
		return "", fmt.Errorf("%s is not available in this version, which has no promotable resources; use Started or Stopped", s)
	default:
		return "", fmt.Errorf("%q is no role; use Started or Stopped", s)
	}
}

func checkOnFail(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case "ignore", "block", "stop", "restart", "standby":
		return v, nil
	case "fence":
		return "", fmt.Errorf("fence is not available in this version, which has no fencing devices; use ignore, block, stop, restart or standby")
	default:
		return "", fmt.Errorf("%q is no such policy; use ignore, block, stop, restart or standby", s)
	}
}

func checkNoQuorum(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case "stop", "freeze":
		return v, nil
	case "ignore":
		return "", fmt.Errorf("ignore is not available in this version; use stop, and with two nodes add a witness so that one may fail")
	case "suicide", "demote":
		return "", fmt.Errorf("%s is not available in this version; use stop or freeze", v)
	default:
		return "", fmt.Errorf("%q is no such policy; use stop or freeze", s)
	}
}

func checkFencing(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case "none", "stop":
		return v, nil
	case "watchdog", "power":
		return "", fmt.Errorf("%s is not available in this version, which has no fencing devices; use stop or none", v)
	default:
		return "", fmt.Errorf("%q is no way of fencing; use stop or none", s)
	}
}

// convertStonith reads stonith-enabled, which every tutorial sets to false.
func convertStonith(s string) (string, error) {
	enabled, err := ParseBool(s)
	if err != nil {
		return "", err
	}
	if enabled {
		return "", fmt.Errorf("fencing devices are not available in this version; use stonith-enabled=false: a node stops what it runs when its lease ends")
	}
	return "stop", nil
}
