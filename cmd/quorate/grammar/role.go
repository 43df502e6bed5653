package grammar

import (
	"strings"

	pb "quorate/proto/quorate/v1"
)

// parseRole reads the role in which a promotable clone is meant, by its new or its
// old name. Started is any.
func parseRole(word string) (pb.InstanceRole, error) {
	switch strings.ToLower(word) {
	case "", "started":
		return pb.InstanceRole_INSTANCE_ROLE_ANY, nil
	case "promoted", "master":
		return pb.InstanceRole_INSTANCE_ROLE_PROMOTED, nil
	case "unpromoted", "slave":
		return pb.InstanceRole_INSTANCE_ROLE_UNPROMOTED, nil
	}
	return 0, Errorf("role %q is not available", word).With("write Started, Promoted or Unpromoted")
}

func isRole(word string) bool {
	switch strings.ToLower(word) {
	case "started", "promoted", "master", "unpromoted", "slave", "stopped":
		return true
	}
	return false
}

// withRoles takes the roles from before the resources of a colocation.
func withRoles(words []string) (names []string, roles [2]pb.InstanceRole, err error) {
	for i, word := range words {
		last := i+1 == len(words) || words[i+1] == "with"
		if last || !isRole(word) || len(names) > 2 {
			names = append(names, word)
			continue
		}
		role, err := parseRole(word)
		if err != nil {
			return nil, roles, err
		}
		roles[min(len(names), 1)] = role
	}
	return names, roles, nil
}
