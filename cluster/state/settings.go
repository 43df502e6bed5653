package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pb "quorate/proto/quorate/v1"
)

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
	for _, o := range optionsOf(scope) {
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

// optionsOf returns what may be set in a scope: on clones, too, what resources take.
func optionsOf(scope pb.OptionScope) []Option {
	if scope == ofClones {
		return slices.Concat(options[ofClones], options[ofResources])
	}
	return options[scope]
}

// asRefusal splits the fix off a parser's error.
func asRefusal(field string, err error) error {
	problem, fix, _ := strings.Cut(err.Error(), "; ")
	return refuse(Invalid, field, fix, "%s", problem)
}

// unknownOption refuses a name; where it belongs elsewhere it says so.
func unknownOption(scope pb.OptionScope, name string) error {
	var known []string
	for _, o := range optionsOf(scope) {
		known = append(known, o.Name)
	}
	fix := suggest(name, append(known, slices.Sorted(maps.Keys(aliases[scope]))...))
	for _, other := range []pb.OptionScope{ofCluster, ofResources, ofOperations, ofClones} {
		if fallback(other, name) != "" {
			fix = fmt.Sprintf("%s is a %s", name, scopeWord(other))
		}
	}
	if meta := strings.TrimPrefix(name, "default-"); scope == ofCluster && fallback(ofResources, meta) != "" {
		fix = fmt.Sprintf("set it with `resource defaults %s=…`", meta)
	}
	return refuse(Invalid, scopeWord(scope)+" "+name, fix, "there is no such %s", scopeWord(scope))
}

func scopeWord(scope pb.OptionScope) string {
	switch scope {
	case ofCluster:
		return "property"
	case ofResources:
		return "meta attribute"
	case ofClones:
		return "meta attribute of clones"
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
		if !slices.ContainsFunc(optionsOf(scope), func(o Option) bool { return o.Name == name }) {
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
	if err := d.allowIgnore(); err != nil {
		return "", err
	}
	if err := checkOperationDefaults(d.OperationDefaults); err != nil {
		return "", err
	}
	return describeSettings(words, o.Set, o.Unset), nil
}

// checkOperationDefaults refuses what would be a default for few operations alone.
func checkOperationDefaults(defaults map[string]string) error {
	switch policy := defaults["on-fail"]; policy {
	case failFence:
		return refuse(Invalid, "operation option on-fail", "use the property fencing=power, or give it to a resource's operations", "fence is no default for operations")
	case failDemote:
		return refuse(Invalid, "operation option on-fail", "give it to a resource's promote, or to its monitor with role=Promoted", "demote is no default for operations")
	}
	return nil
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
