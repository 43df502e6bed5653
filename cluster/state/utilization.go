package state

import (
	"fmt"
	"strconv"
	"strings"
)

// Utilization is what a node has to give and what a resource takes of it, by
// names of the user's own: cpu=4 ("Utilization and Placement Strategy").

// mostUtilization bounds a value, so that sums of all resources fit an int.
const mostUtilization = 1_000_000_000

// editedUtilization returns values with some set; an empty one removes.
func editedUtilization(old, set map[string]string) (map[string]string, error) {
	given := make(map[string]string, len(set))
	for _, name := range sortedKeys(set) {
		value := strings.TrimSpace(set[name])
		if err := checkName("utilization", name, isName, nameRule); err != nil {
			return nil, err
		}
		if value != "" {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > mostUtilization {
				return nil, refuse(Invalid, "utilization "+name, fmt.Sprintf("use a whole number from 0 to %d", mostUtilization), "%q is no amount", set[name])
			}
			value = strconv.Itoa(n)
		}
		given[name] = value
	}
	out := merged(old, given)
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}
