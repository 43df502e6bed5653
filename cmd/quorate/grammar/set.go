package grammar

import (
	"slices"
	"strings"

	"quorate/cluster/constraint"
	pb "quorate/proto/quorate/v1"
)

// resourceSets reads
//
//	RESOURCE... [OPTION=VALUE]... [set RESOURCE... [OPTION=VALUE]...]... [setoptions …]
//
// and returns what follows setoptions.
func resourceSets(kind string, words []string, known ...string) (sets []*pb.ResourceSet, rest []string, err error) {
	if i := slices.Index(words, "setoptions"); i >= 0 {
		words, rest = words[:i], words[i+1:]
	}
	for {
		i := slices.Index(words, "set")
		part := words
		if i >= 0 {
			part = words[:i]
		}
		set, err := resourceSet(kind, part, known)
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, set)
		if i < 0 {
			return sets, rest, nil
		}
		words = words[i+1:]
	}
}

func resourceSet(kind string, words []string, known []string) (*pb.ResourceSet, error) {
	n := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "=") })
	if n < 0 {
		n = len(words)
	}
	if n == 0 {
		return nil, Errorf("a set has no resources").With("write %s set RESOURCE RESOURCE…", kind)
	}
	o, err := options("set", words[n:], known...)
	if err != nil {
		return nil, err
	}
	set := &pb.ResourceSet{Resources: slices.Clone(words[:n])}
	if set.Role, err = parseRole(o["role"]); err != nil {
		return nil, err
	}
	if action, ok := o["action"]; ok {
		if set.Action, err = orderAction(action); err != nil {
			return nil, err
		}
	}
	if err := switchedOff(o, "sequential", &set.Parallel); err != nil {
		return nil, err
	}
	return set, switchedOff(o, "require-all", &set.Any)
}

// setWords writes sets as [resourceSets] reads them.
func setWords(sets []*pb.ResourceSet) []string {
	var words []string
	for _, s := range sets {
		words = append(append(append(words, "set"), s.GetResources()...), constraint.SetOptions(s)...)
	}
	return words
}
