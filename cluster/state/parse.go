package state

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseScore reads an integer or INFINITY with an optional sign, and saturates
// at plus and minus [Infinity] (Pacemaker Explained, "Scores").
func ParseScore(s string) (int64, error) {
	text := strings.TrimSpace(s)
	switch strings.ToUpper(text) {
	case "INFINITY", "+INFINITY":
		return Infinity, nil
	case "-INFINITY":
		return -Infinity, nil
	}
	digits := strings.TrimLeft(text, "+-")
	if digits == "" || len(text)-len(digits) > 1 || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a score; use a whole number, INFINITY or -INFINITY", s)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // only its range can be wrong
		n = Infinity
		if text[0] == '-' {
			n = -Infinity
		}
	}
	return Saturate(n), nil
}

// Saturate brings a score into the range of scores.
func Saturate(n int64) int64 {
	return max(-Infinity, min(n, Infinity))
}

// FormatScore writes a score as people do.
func FormatScore(n int64) string {
	switch {
	case n >= Infinity:
		return "INFINITY"
	case n <= -Infinity:
		return "-INFINITY"
	default:
		return strconv.FormatInt(n, 10)
	}
}

// units are Pacemaker's, and days.
var units = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second,
	"ms": time.Millisecond, "msec": time.Millisecond,
	"us": time.Microsecond, "usec": time.Microsecond,
	"m": time.Minute, "min": time.Minute,
	"h": time.Hour, "hr": time.Hour,
	"d": 24 * time.Hour,
}

// ParseDuration reads a duration as Pacemaker does: 30, 30s, 500ms, 10m, 1h;
// beyond it 2d, 1.5s and 1h30m. It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	d, err := time.ParseDuration(text)
	if unit, known := units[strings.TrimSpace(text[digits:])]; known && digits > 0 {
		var n int64
		if n, err = strconv.ParseInt(text[:digits], 10, 64); err == nil && n > int64(longest/unit) {
			return 0, fmt.Errorf("%q is too long for a duration", s)
		}
		d = time.Duration(n) * unit
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration; use for example 30s, 500ms, 10m or 1h", s)
	case d < 0:
		return 0, fmt.Errorf("%q is negative", s)
	case d > longest:
		return 0, fmt.Errorf("%q is too long for a duration", s)
	default:
		return d, nil
	}
}

// longest is the longest duration anyone may ask for; sums of some fit an int64.
const longest = 10 * 365 * 24 * time.Hour

// ParseBool reads a boolean as Pacemaker does.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "y", "1":
		return true, nil
	case "false", "off", "no", "n", "0":
		return false, nil
	default:
		return false, fmt.Errorf("%q is not a boolean; use true or false", s)
	}
}

const nameRule = "use letters, digits, '.', '_' and '-', beginning with a letter or '_'"

// checkName refuses what is too long or not made of the letters of its kind.
func checkName(field, name string, ok func(string) bool, rule string) error {
	switch {
	case name == "":
		return refuse(Invalid, field, rule, "it is empty")
	case len(name) > 255:
		return refuse(Invalid, field, "use at most 255 letters", "it has %d letters", len(name))
	case !ok(name):
		return refuse(Invalid, field, rule, "%q has letters that a name may not have", name)
	default:
		return nil
	}
}

func isName(s string) bool {
	return strings.IndexFunc(s, notInName) < 0 && !strings.Contains("0123456789.-", s[:1])
}

func isNodeName(s string) bool {
	return strings.IndexFunc(s, notInName) < 0 && !strings.Contains("._-", s[:1])
}

func notInName(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// merged returns a map with some values set; an empty value removes.
func merged(old, set map[string]string) map[string]string {
	out := make(map[string]string, len(old)+len(set))
	maps.Copy(out, old)
	maps.Copy(out, set)
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return out
}
