package engine

import (
	"math"
	"strconv"
	"strings"
)

// parseBool reads a boolean; ok is false for what is none.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "y", "1":
		return true, true
	case "false", "off", "no", "n", "0":
		return false, true
	}
	return false, false
}

// isTrue reports whether a string says yes.
func isTrue(s string) bool {
	value, _ := parseBool(s)
	return value
}

// scanInt reads the whole number that a string begins with; one too great is
// cut off. Without a number it is 0.
func scanInt(s string) (int64, bool) {
	if len(s) == 1 && isDigit(s[0]) {
		return int64(s[0] - '0'), true
	}
	digits := numberPrefix(s)
	if digits == "" {
		return 0, false
	}
	return clampedInt(digits), true
}

// numberPrefix returns the sign and digits that a string begins with.
func numberPrefix(s string) string {
	s = strings.TrimSpace(s)
	n := 0
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	first := n
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == first {
		return ""
	}
	return s[:n]
}

// clampedInt reads digits; what does not fit is the nearest number that does.
func clampedInt(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil && strings.HasPrefix(digits, "-") {
		return math.MinInt64
	}
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// parseMillis reads a duration in milliseconds: a number and a unit, seconds if
// there is none. A fraction is dropped.
func parseMillis(s string) (int64, bool) {
	digits := numberPrefix(s)
	if digits == "" {
		return 0, false
	}
	unit := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(s)[len(digits):], "0123456789."))
	n := clampedInt(digits)
	switch {
	case unit == "" || strings.HasPrefix(strings.ToLower(unit), "s"):
		return scaled(n, 1000), true
	case strings.HasPrefix(strings.ToLower(unit), "ms"):
		return n, true
	case strings.HasPrefix(strings.ToLower(unit), "us"):
		return n / 1000, true
	case strings.HasPrefix(strings.ToLower(unit), "m"):
		return scaled(n, 60_000), true
	case strings.HasPrefix(strings.ToLower(unit), "h"):
		return scaled(n, 3_600_000), true
	}
	return 0, false
}

func scaled(n, unit int64) int64 {
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return math.MaxInt64
	}
	return n * unit
}

// parseInterval reads an interval in milliseconds; 0 if it is none. ISO 8601
// durations are accepted too.
func parseInterval(s string) int64 {
	if strings.HasPrefix(s, "P") {
		return isoDuration(s)
	}
	n, ok := parseMillis(s)
	if !ok || n < 0 {
		return 0
	}
	return n
}

// isoDuration reads a duration such as PT1M30S in milliseconds; years and months
// have their usual lengths.
func isoDuration(s string) int64 {
	const day = 86_400
	seconds, inTime := int64(0), false
	for rest := s[1:]; rest != ""; {
		if rest[0] == 'T' {
			inTime, rest = true, rest[1:]
			continue
		}
		digits := numberPrefix(rest)
		if digits == "" || len(digits) == len(rest) {
			return 0
		}
		unit, n := rest[len(digits)], clampedInt(digits)
		rest = rest[len(digits)+1:]
		switch {
		case unit == 'Y':
			seconds += scaled(n, 365*day)
		case unit == 'M' && inTime:
			seconds += scaled(n, 60)
		case unit == 'M':
			seconds += scaled(n, 30*day)
		case unit == 'W':
			seconds += scaled(n, 7*day)
		case unit == 'D':
			seconds += scaled(n, day)
		case unit == 'H':
			seconds += scaled(n, 3600)
		case unit == 'S':
			seconds += n
		}
	}
	return scaled(seconds, 1000)
}

// parseInt reads a number not less than a bound; unset if it is none.
func parseInt(s string, unset, bound int) int {
	n, ok := scanInt(s)
	if !ok {
		return unset
	}
	return int(min(max(n, int64(bound)), math.MaxInt32))
}

// parseRole reads a role under its new or its old name.
func parseRole(s string) role {
	switch strings.ToLower(s) {
	case "stopped":
		return roleStopped
	case "started":
		return roleStarted
	case "unpromoted", "slave":
		return roleUnpromoted
	case "promoted", "master":
		return rolePromoted
	}
	return roleUnknown
}

// String names a role.
func (r role) String() string {
	return [...]string{"Unknown", "Stopped", "Started", "Unpromoted", "Promoted"}[r]
}

// compareNames orders names by the numbers in them, then by their letters
// without case: node9 comes before node10.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			x, y := numberPrefix(a), numberPrefix(b)
			if c := compareDigits(x, y); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if x, y := lower(a[0]), lower(b[0]); x != y {
			return int(x) - int(y)
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// compareDigits orders numbers, and 7 before 007.
func compareDigits(a, b string) int {
	x, y := clampedInt(a), clampedInt(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return len(a) - len(b)
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
