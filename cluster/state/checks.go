package state

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The checks below return a value as the state keeps it. What follows "; " in
// their errors is the fix.

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
	return strings.ToLower(strings.Join(strings.Fields(s), "")), err
}

// checkRestartLease accepts what a restart can be bridged by: less than a second
// is no time for a process to end and begin.
func checkRestartLease(s string) (string, error) {
	d, err := ParseDuration(s)
	if err == nil && d != 0 && (d < time.Second || d > LongestLease) {
		err = fmt.Errorf("%q is out of range; use 1s to 1min, or 0 for no lease over a restart", s)
	}
	if err != nil {
		return "", err
	}
	return checkDuration(s)
}

func checkMinVoters(s string) (string, error) {
	if s = strings.ToLower(strings.TrimSpace(s)); s == "configured" {
		return s, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxVoters {
		return "", fmt.Errorf("%q is no number of voters; use 1 to %d, or configured", s, maxVoters)
	}
	return strconv.Itoa(n), nil
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
	case "master", "promoted":
		return "Promoted", nil
	case "slave", "unpromoted":
		return "Unpromoted", nil
	default:
		return "", fmt.Errorf("%q is no role; use Started, Stopped, Promoted or Unpromoted", s)
	}
}

// checkMonitorRole accepts the roles that something served may have.
func checkMonitorRole(s string) (string, error) {
	role, err := checkTargetRole(s)
	if err == nil && role == "Stopped" {
		return "", errors.New("monitors of what is stopped are not available in this version; use Started, Promoted or Unpromoted")
	}
	return role, err
}

// oneOf accepts some words.
func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		v := strings.ToLower(strings.TrimSpace(s))
		if !slices.Contains(words, v) {
			return "", fmt.Errorf("%q is none of them; use %s", s, strings.Join(words, ", "))
		}
		return v, nil
	}
}

// What clones cannot be told yet: instances are told apart by their nodes.

func checkCloneNodeMax(s string) (string, error) {
	if strings.TrimSpace(s) != "1" {
		return "", fmt.Errorf("%q is not available in this version, in which a node runs one instance of a clone; use 1", s)
	}
	return "1", nil
}

func checkGloballyUnique(s string) (string, error) {
	return checkFalse(s, "instances are not told apart by a number in this version")
}

func checkFalse(s, why string) (string, error) {
	yes, err := ParseBool(s)
	if err == nil && yes {
		err = fmt.Errorf("%s; use false", why)
	}
	return "false", err
}

// checkOnly accepts what this version does anyway, so that lines from tutorials
// stand as they are; what it would have to obey and does not is refused.
func checkOnly(values ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, v := range values {
			if strings.EqualFold(strings.TrimSpace(s), v) {
				return v, nil
			}
		}
		return "", fmt.Errorf("%q is not available in this version; use %s", s, strings.Join(values, " or "))
	}
}

// checkNoQuorum accepts ignore; whether the cluster is one that may, allowIgnore
// says. Pacemaker's freeze lets a partition without quorum keep what it runs,
// which needs fencing so that the others do not start it too: here a node
// without quorum has no lease.
func checkNoQuorum(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case "stop", "ignore":
		return v, nil
	case "freeze":
		return "", errors.New("freeze would keep resources running on a node without quorum, whose lease ends all the same so that another may start them; use stop, or with two nodes ignore")
	case "suicide", "demote":
		return "", fmt.Errorf("%s is not available in this version; use stop, or with two nodes ignore", v)
	default:
		return "", fmt.Errorf("%q is no such policy; use stop, or with two nodes ignore", s)
	}
}

func checkProfile(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case "fast", "lan", "wan":
		return v, nil
	default:
		return "", fmt.Errorf("%q is no timing profile; use fast, lan or wan", s)
	}
}

// fencingWords are the policies that can be set.
const fencingWords = "none, stop, watchdog, power"

// checkFencing reads a policy.
func checkFencing(s string) (string, error) {
	switch v := strings.ToLower(strings.TrimSpace(s)); v {
	case FencingNone, FencingStop, FencingWatchdog, FencingPower:
		return v, nil
	default:
		return "", fmt.Errorf("%q is no way of fencing; use %s", s, fencingWords)
	}
}

// checkOwnFencing reads the policy of a resource.
func checkOwnFencing(s string) (string, error) {
	if v := strings.ToLower(strings.TrimSpace(s)); v == ofTheCluster {
		return v, nil
	}
	return checkFencing(s)
}

// convertStonith reads stonith-enabled, which every tutorial sets to false.
func convertStonith(s string) (string, error) {
	enabled, err := ParseBool(s)
	if err != nil {
		return "", err
	}
	if enabled {
		return FencingPower, nil
	}
	return FencingStop, nil
}
