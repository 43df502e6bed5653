package scheduler

import (
	"strconv"
	"strings"
	"time"

	pb "quorate/proto/quorate/v1"
)

// settings are a resource's meta attributes, resolved and read.
type settings struct {
	priority   int64
	stickiness int64
	threshold  int64         // failures until a node is given up; 0: never
	expiry     time.Duration // of failures; 0: never
	failback   Failback
	critical   bool   // what it must run with moves for its sake, too
	demoted    string // why nothing of it is to be promoted; empty: it may be
	unwanted   string // why it is to run nowhere; empty: it is wanted
	unmanaged  string // why it is left alone; empty: it is managed
}

// A lookup finds a meta attribute: of the resource, its group, its clone, or the
// default.
type lookup func(name string) string

func metaOf(s *pb.State, r *pb.Resource, group *pb.Group, c *clone) lookup {
	return func(name string) string {
		for _, m := range []map[string]string{r.Meta, group.GetMeta(), c.meta()} {
			if v, ok := m[name]; ok {
				return v
			}
		}
		return s.ResourceDefaults[name]
	}
}

func readSettings(s *pb.State, r *pb.Resource, group *pb.Group, c *clone) settings {
	meta := metaOf(s, r, group, c)
	st := settings{
		priority:   parseScore(meta("priority"), 0),
		stickiness: parseScore(meta("resource-stickiness"), 0),
		threshold:  parseScore(meta("migration-threshold"), infinity),
	}
	st.critical = parseBool(meta("critical"), true)
	st.expiry, _ = parseDuration(meta("failure-timeout"))
	policy := meta("failback")
	if policy == "" {
		policy = s.Properties["failback"]
	}
	st.failback, _ = ParseFailback(policy)
	if st.failback.Kind == FailbackAuto {
		st.stickiness = 0
	}
	st.unwanted = unwanted(s, r, meta)
	st.unmanaged = unmanaged(s, meta)
	if strings.EqualFold(meta("target-role"), "unpromoted") {
		st.demoted = "nothing of it is to be promoted (target-role=Unpromoted)"
	}
	return st
}

func unwanted(s *pb.State, r *pb.Resource, meta lookup) string {
	switch {
	case r.Deleting:
		return "it is being deleted"
	case strings.EqualFold(meta("target-role"), "stopped"):
		return "it is disabled (target-role=Stopped)"
	case parseBool(s.Properties["stop-all-resources"], false):
		return "the property stop-all-resources is set"
	}
	return ""
}

func unmanaged(s *pb.State, meta lookup) string {
	switch {
	case parseBool(s.Properties["maintenance-mode"], false):
		return "the cluster is in maintenance mode"
	case parseBool(meta("maintenance"), false):
		return "it is in maintenance"
	case !parseBool(meta("is-managed"), true):
		return "it is not managed (is-managed=false)"
	}
	return ""
}

// The values below were validated when they were set. What cannot be read
// nevertheless, as in a log of another build, counts as unset.

func parseBool(v string, unset bool) bool {
	switch strings.ToLower(v) {
	case "true", "yes", "on", "y", "1":
		return true
	case "false", "no", "off", "n", "0":
		return false
	}
	return unset
}

func parseScore(v string, unset int64) int64 {
	switch strings.ToUpper(v) {
	case "INFINITY", "+INFINITY":
		return infinity
	case "-INFINITY":
		return -infinity
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return unset
	}
	return min(max(n, -infinity), infinity)
}

// parseDuration reads Go's durations and Pacemaker's: a number is seconds.
func parseDuration(v string) (time.Duration, bool) {
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(n) * time.Second, n >= 0
	}
	if d, err := time.ParseDuration(v); err == nil {
		return d, d >= 0
	}
	number := strings.TrimRight(v, "abcdefghijklmnopqrstuvwxyz ")
	unit, ok := durationUnits[strings.TrimSpace(v[len(number):])]
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	return time.Duration(n) * unit, n >= 0
}

var durationUnits = map[string]time.Duration{
	"msec": time.Millisecond, "usec": time.Microsecond, "sec": time.Second,
	"min": time.Minute, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
}
